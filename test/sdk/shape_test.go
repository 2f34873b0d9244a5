package sdk_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestShape_OfAnAnswerIsThatOfItsSchema(t *testing.T) {
	t.Parallel()
	inEveryWay(t, ways(), setup{}, func(t *testing.T, g *gateway, w way) {
		shaped, err := w.ask(t.Context(), g.client, question{
			model: w.model, turns: []string{"What is the weather?"}, shape: weatherSchema(),
		})
		require.NoError(t, err)
		requireWeatherArguments(t, shaped.text)
	})
}
