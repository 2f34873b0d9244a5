package actors

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/actors/memory"
	"github.com/understudyhq/understudy/internal/lineage"
)

func TestTranscripts_AreKeptForADay(t *testing.T) {
	t.Parallel()
	inEngine(t, 1, nil, func(t *testing.T, e *engine) {
		one, two := lineage.KeyOf("client", "one"), lineage.KeyOf("client", "two")
		e.Turned(memory.Turned{Answer: one, Items: lineage.Turn(`{"a":1}`)})
		e.Turned(memory.Turned{Answer: two, Before: one, Items: lineage.Turn(`{"b":2}`)})
		found := func(k lineage.Key) string {
			items, err := e.Transcript(t.Context(), k)
			require.NoError(t, err)
			return string(items)
		}
		require.Equal(t, `{"a":1},{"b":2}`, found(two))
		time.Sleep(lineage.TTL - time.Minute)
		require.Equal(t, `{"a":1}`, found(one), "it counts from when it was continued last")
		time.Sleep(2 * time.Minute)
		require.Empty(t, found(two))
		require.Equal(t, `{"a":1}`, found(one))
	})
}
