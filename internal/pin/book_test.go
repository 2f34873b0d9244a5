package pin

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func numbered(i int) Key { return KeyOf(Response, strconv.Itoa(i)) }

func TestBook_OnlyItsClientIsToldAPlace(t *testing.T) {
	t.Parallel()
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	b := NewBook[string]()
	b.Add([]Key{numbered(1)}, "here", "one", now)
	b.Add([]Key{numbered(1)}, "there", "two", now)
	place, foreign, ok := b.Find(numbered(1), "one", now)
	require.True(t, ok)
	require.False(t, foreign)
	require.Equal(t, "here", place, "an id cannot be taken over")
	place, foreign, ok = b.Find(numbered(1), "two", now)
	require.True(t, ok)
	require.True(t, foreign)
	require.Empty(t, place)
	_, _, ok = b.Find(numbered(2), "one", now)
	require.False(t, ok)
}

func TestBook_ForgetsTheOldestWhenThereAreTooMany(t *testing.T) {
	t.Parallel()
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	b := NewBook[string]()
	b.limit = 100
	for i := range 1000 {
		now = now.Add(time.Second)
		b.Add([]Key{numbered(i)}, "here", "one", now)
		b.Add([]Key{numbered(0)}, "here", "one", now) // used again and again: never the oldest
		require.LessOrEqual(t, b.Len(), 100)
		require.LessOrEqual(t, len(b.order), 2*100+minOrder)
	}
	_, _, ok := b.Find(numbered(0), "one", now)
	require.True(t, ok)
	_, _, ok = b.Find(numbered(999), "one", now)
	require.True(t, ok)
	_, _, ok = b.Find(numbered(500), "one", now)
	require.False(t, ok)
}

func TestBook_ForgetsWhatIsTooOld(t *testing.T) {
	t.Parallel()
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	b := NewBook[string]()
	b.Add([]Key{numbered(1)}, "here", "one", now)
	later := now.Add(24 * time.Hour)
	b.Add([]Key{numbered(2)}, "here", "one", later)
	require.Equal(t, now.Add(TTL), b.Expire(later))
	_, _, ok := b.Find(numbered(1), "one", now.Add(TTL))
	require.True(t, ok)
	require.Equal(t, later.Add(TTL), b.Expire(now.Add(TTL).Add(time.Second)))
	_, _, ok = b.Find(numbered(1), "one", now.Add(TTL))
	require.False(t, ok)
	require.Equal(t, 1, b.Len())
	require.True(t, b.Expire(later.Add(2*TTL)).IsZero())
	require.Zero(t, b.Len())
}

// A conversation that is gone on from again and again takes no more memory than another one.
func TestBook_OneConversationDoesNotAddUp(t *testing.T) {
	t.Parallel()
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	b := NewBook[string]()
	for i := range 5000 {
		now = now.Add(time.Second)
		b.Add([]Key{numbered(i % 3)}, "here", "one", now)
		require.Less(t, cap(b.order), 200)
	}
	require.Equal(t, 3, b.Len())
}
