package actors

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTranscripts_AreKeptForADay(t *testing.T) {
	t.Parallel()
	inEngine(t, 1, nil, func(t *testing.T, e *engine) {
		const one, two = "one", "two"
		e.Turned(Turned{Client: "client", Answer: one, Items: []byte(`{"a":1}`)})
		e.Turned(Turned{Client: "client", Answer: two, Before: one, Items: []byte(`{"b":2}`)})
		found := func(answer string) string {
			items, err := e.Transcript(t.Context(), "client", answer)
			require.NoError(t, err)
			return string(items)
		}
		foreign, err := e.Transcript(t.Context(), "other", one)
		require.NoError(t, err)
		require.Nil(t, foreign)
		require.Equal(t, `{"a":1},{"b":2}`, found(two))
		time.Sleep(24*time.Hour - time.Minute)
		require.Equal(t, `{"a":1}`, found(one), "it counts from when it was continued last")
		time.Sleep(2 * time.Minute)
		require.Empty(t, found(two))
		require.Equal(t, `{"a":1}`, found(one))
	})
}
