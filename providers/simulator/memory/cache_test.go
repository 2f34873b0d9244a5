package memory

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPromptCache_FindsTheLongestLivingPrefix(t *testing.T) {
	t.Parallel()
	start := time.Unix(0, 0)
	c := NewPromptCache(time.Minute)
	require.Equal(t, 0, c.Use([]uint64{1, 2}, start))
	require.Equal(t, 2, c.Use([]uint64{1, 2, 3}, start.Add(30*time.Second)))
	require.Equal(t, 3, c.Use([]uint64{1, 2, 3, 4}, start.Add(89*time.Second)), "use renewed all")
	require.Equal(t, 1, c.Use([]uint64{1, 9}, start.Add(100*time.Second)))
	require.Equal(t, 1, c.Use([]uint64{1, 2, 3, 4}, start.Add(149*time.Second)), "only the shared prefix was renewed")
	require.Equal(t, 0, c.Use(nil, start))
}

func TestPromptCache_DropsWhatWasUsedLongestAgo(t *testing.T) {
	t.Parallel()
	now := time.Unix(0, 0)
	c := NewPromptCache(time.Minute)
	c.limit = 3
	c.Use([]uint64{1, 2}, now)
	c.Use([]uint64{1, 3}, now)
	c.Use([]uint64{1, 4}, now)
	require.Len(t, c.entries, 3)
	require.Equal(t, 3, c.byUse.Len())
	require.Equal(t, 1, c.Use([]uint64{1, 2}, now), "2 made room, the shared prefix did not")
	c.Use([]uint64{10, 11, 12, 13, 14}, now)
	require.Len(t, c.entries, 3, "a prompt longer than the cache")
	require.Equal(t, 3, c.Use([]uint64{10, 11, 12}, now), "its beginning stays")
}
