package sdk_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/internal/fake"
	"github.com/understudyhq/understudy/providers"
)

func TestImage_ReachesEveryUpstreamAsItIs(t *testing.T) {
	t.Parallel()
	for _, w := range ways() {
		t.Run(string(w.sdk)+" "+w.method, func(t *testing.T) {
			t.Parallel()
			atEveryVendor(t, func(t *testing.T, f providers.Format) {
				g, vendor := startScripted(t, f, func(fake.Request) fake.Reply { return fake.Answer(string(f), w.stream, 3) })
				q := question{model: w.model, turns: []string{"What is this?"}, image: []byte("\x89PNG\r\n\x1a\nnot quite a picture")}
				got, err := w.ask(t.Context(), g.client, q)
				require.NoError(t, err)
				require.Equal(t, "word1 word2 word3", got.text)
				require.EqualValues(t, 11, got.input)
				require.EqualValues(t, 4, got.cached)
				require.Len(t, vendor.Requests(), 1)
				body := string(vendor.Requests()[0].Body)
				require.Contains(t, body, q.imageText())
				require.Contains(t, body, pngType)
				require.Contains(t, body, "What is this?")
			})
		})
	}
}
