package lineage_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/understudyhq/understudy/internal/lineage"
)

var start = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

func key(id string) lineage.Key { return lineage.KeyOf("client", id) }

func TestBook_FindsWholeConversations(t *testing.T) {
	t.Parallel()
	b := lineage.NewBook()
	b.Keep(key("1"), lineage.Key{}, lineage.Turn(`{"a":1}`), start)
	b.Keep(key("2"), key("1"), lineage.Turn(`{"b":2},{"c":3}`), start)
	b.Keep(key("2'"), key("1"), lineage.Turn(`{"d":4}`), start)
	b.Keep(key("lost"), key("0"), lineage.Turn(`{}`), start)

	require.Equal(t, `{"a":1}`, string(b.Find(key("1"), start)))
	require.Equal(t, `{"a":1},{"b":2},{"c":3}`, string(b.Find(key("2"), start)))
	require.Equal(t, `{"a":1},{"d":4}`, string(b.Find(key("2'"), start)), "two ways on from one answer")
	require.Nil(t, b.Find(key("lost"), start), "it continues what is not known")
	require.Nil(t, b.Find(key("3"), start))
	require.Nil(t, b.Find(lineage.KeyOf("other", "1"), start), "it is another client's")
}

func TestBook_AnAnswerKeptAgainTakesTheOldOnesPlace(t *testing.T) {
	t.Parallel()
	b := lineage.NewBook()
	b.Keep(key("1"), lineage.Key{}, lineage.Turn("1"), start)
	b.Keep(key("2"), key("1"), lineage.Turn("2"), start)
	b.Keep(key("1"), lineage.Key{}, lineage.Turn("one"), start)
	require.Equal(t, "one", string(b.Find(key("1"), start)))
	require.Nil(t, b.Find(key("2"), start), "what it continued is no more")
	b.Keep(key("3"), key("3"), lineage.Turn("3"), start)
	require.Nil(t, b.Find(key("3"), start), "it would continue itself")
}

func TestBook_ForgetsWhatNobodyContinues(t *testing.T) {
	t.Parallel()
	b := lineage.NewBook()
	b.Keep(key("old"), lineage.Key{}, lineage.Turn("old"), start)
	b.Keep(key("used"), lineage.Key{}, lineage.Turn("used"), start)
	later := start.Add(lineage.TTL - time.Second)
	require.NotNil(t, b.Find(key("used"), later))
	require.Equal(t, later.Add(lineage.TTL), b.Expire(start.Add(lineage.TTL)))
	require.Nil(t, b.Find(key("old"), start.Add(lineage.TTL)))
	require.NotNil(t, b.Find(key("used"), start.Add(lineage.TTL)))
	require.Zero(t, b.Expire(later.Add(3*lineage.TTL)))
	require.Zero(t, b.Bytes())
}

func TestBook_IsBounded(t *testing.T) {
	t.Parallel()
	b := lineage.NewBook()
	mega := lineage.Turn(strings.Repeat("x", 1<<20))
	before := lineage.Key{}
	for i := range 40 {
		next := key(strconv.Itoa(i))
		b.Keep(next, before, mega, start)
		before = next
	}
	require.NotNil(t, b.Find(key("30"), start))
	require.Nil(t, b.Find(key("31"), start), "a conversation of more than 32 MiB")

	for i := range 200 {
		b.Keep(key("other"+strconv.Itoa(i)), lineage.Key{}, mega, start)
	}
	require.LessOrEqual(t, b.Bytes(), lineage.MaxBytes)
	require.Nil(t, b.Find(key("30"), start))
	require.NotNil(t, b.Find(key("other199"), start))
}

// TestBook_IsWholeOrNothing plays random commands against a model that forgets nothing.
func TestBook_IsWholeOrNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b, now := lineage.NewBook(), start
		model := map[string]string{}
		t.Repeat(map[string]func(*rapid.T){
			"keep": func(t *rapid.T) {
				id := strconv.Itoa(len(model))
				before := rapid.SampledFrom([]string{"", "0", "1", "2", "3"}).Draw(t, "before")
				k, text := lineage.Key{}, id
				if before != "" {
					k, text = key(before), model[before]+","+id
				}
				if _, known := model[before]; known || before == "" {
					model[id] = text
				}
				b.Keep(key(id), k, lineage.Turn(id), now)
			},
			"wait": func(t *rapid.T) { now = now.Add(time.Duration(rapid.IntRange(1, 30).Draw(t, "hours")) * time.Hour) },
			"find": func(t *rapid.T) {
				id := strconv.Itoa(rapid.IntRange(0, 5).Draw(t, "id"))
				if text := b.Find(key(id), now); text != nil {
					require.Equal(t, model[id], string(text))
				}
			},
		})
	})
}

func TestBook_TakesTurnsThatAddNothing(t *testing.T) {
	t.Parallel()
	b, now := lineage.NewBook(), time.Now()
	b.Keep(key("empty"), lineage.Key{}, []byte{}, now)
	require.NotNil(t, b.Find(key("empty"), now))
	require.Empty(t, b.Find(key("empty"), now))
	b.Keep(key("one"), key("empty"), []byte("1"), now)
	b.Keep(key("again"), key("one"), nil, now)
	b.Keep(key("two"), key("again"), []byte("2"), now)
	require.Equal(t, "1", string(b.Find(key("again"), now)))
	require.Equal(t, "1,2", string(b.Find(key("two"), now)))
}
