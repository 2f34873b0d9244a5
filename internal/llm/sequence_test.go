package llm_test

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/understudyhq/understudy/internal/llm"
)

func push(events ...llm.Event) []llm.Event {
	var (
		seq llm.Sequence
		out []llm.Event
	)
	for _, e := range events {
		out = seq.Push(out, e)
	}
	return out
}

func TestSequence_LetsAPartWaitForTheOneBeforeIt(t *testing.T) {
	t.Parallel()
	start := func(i int, name string) llm.Event {
		return llm.Event{Kind: llm.PartStart, Index: i, Part: llm.ToolCallPart, Name: name}
	}
	delta := func(i int, text string) llm.Event { return llm.Event{Kind: llm.Delta, Index: i, Text: text} }
	end := func(i int) llm.Event { return llm.Event{Kind: llm.PartEnd, Index: i} }
	got := push(
		llm.Event{Kind: llm.Start, ID: "a"},
		start(7, "first"), delta(7, "{"),
		start(3, "second"), delta(3, "["), delta(7, "}"), end(3),
		start(4, "third"), delta(4, "?"),
		end(7), delta(4, "!"),
		llm.Event{Kind: llm.Finish, Reason: llm.ToolCalls},
		delta(4, "late"), start(9, "late"),
	)
	require.Equal(t, []llm.Event{
		{Kind: llm.Start, ID: "a"},
		start(0, "first"), delta(0, "{"), delta(0, "}"), end(0),
		start(1, "second"), delta(1, "["), end(1),
		start(2, "third"), delta(2, "?"), delta(2, "!"), end(2),
		{Kind: llm.Finish, Reason: llm.ToolCalls},
	}, got)
}

func TestSequence_LeavesOutWhatIsEmpty(t *testing.T) {
	t.Parallel()
	got := push(
		llm.Event{Kind: llm.PartStart, Index: 0, Part: llm.TextPart},
		llm.Event{Kind: llm.Delta, Index: 0},
		llm.Event{Kind: llm.PartStart, Index: 1, Part: llm.ThinkingPart},
		llm.Event{Kind: llm.Signed, Index: 1, Text: "sig", Origin: llm.Gemini},
		llm.Event{Kind: llm.PartStart, Index: 2, Part: llm.TextPart},
		llm.Event{Kind: llm.Signed, Index: 2, Text: "of a text", Origin: llm.Gemini},
		llm.Event{Kind: llm.Delta, Index: 5, Text: "of a part that never began"},
		llm.Event{Kind: llm.Finish, Reason: llm.Stop},
	)
	require.Equal(t, []llm.Event{
		{Kind: llm.Start},
		{Kind: llm.PartStart, Index: 0, Part: llm.ThinkingPart},
		{Kind: llm.Signed, Index: 0, Text: "sig", Origin: llm.Gemini},
		{Kind: llm.PartEnd, Index: 0},
		{Kind: llm.Finish, Reason: llm.Stop},
	}, got)
}

// TestSequence_IsInOrderWhateverItIsFed feeds events without any sense.
func TestSequence_IsInOrderWhateverItIsFed(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		events := rapid.SliceOf(rapid.Custom(func(t *rapid.T) llm.Event {
			return llm.Event{
				Kind:  llm.EventKind(rapid.IntRange(int(llm.Start), int(llm.Failed)).Draw(t, "kind")),
				Index: rapid.IntRange(0, 3).Draw(t, "index"),
				Part:  llm.PartKind(rapid.IntRange(int(llm.TextPart), int(llm.MediaPart)).Draw(t, "part")),
				Text:  rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "text"),
			}
		})).Draw(t, "events")
		requireOrder(t, push(events...))
		again := push(push(events...)...)
		require.Equal(t, push(events...), again, "what is in order stays as it is")
	})
}

// requireOrder fails unless events are what an encoder may be given.
func requireOrder(t require.TestingT, events []llm.Event) {
	open, next := false, 0
	var part llm.PartKind
	for i, e := range events {
		require.Equal(t, i == 0, e.Kind == llm.Start, "one start, first")
		switch e.Kind {
		case llm.PartStart:
			require.False(t, open)
			require.Equal(t, next, e.Index)
			open, part = true, e.Part
		case llm.Delta, llm.Signed:
			require.True(t, open)
			require.Equal(t, next, e.Index)
			require.NotEmpty(t, e.Text)
			require.True(t, e.Kind == llm.Delta || part == llm.ThinkingPart, "only thoughts are signed")
		case llm.PartEnd:
			require.True(t, open)
			require.Equal(t, next, e.Index)
			open, next = false, next+1
		case llm.Finish, llm.Failed:
			require.False(t, open)
			require.Equal(t, len(events)-1, i, "nothing follows the end")
		}
	}
}

func TestCollect_IsTheInverseOfEvents(t *testing.T) {
	t.Parallel()
	want := &llm.Answer{
		ID: "id", Model: "m", Reason: llm.ToolCalls, StopSequence: "x",
		Parts: []llm.Part{
			&llm.Thinking{Text: "hm", Signature: "s", Origin: llm.Messages},
			&llm.Thinking{Signature: "r", Origin: llm.Messages, Redacted: true},
			&llm.Text{Text: "hello"},
			&llm.Refusal{Text: "no"},
			&llm.ToolCall{ID: "c", Name: "f", Arguments: "{}"},
			&llm.ToolCall{ID: "d", Name: "g"},
			&llm.Media{Kind: llm.Image, MIME: "image/png", Data: "AA=="},
		},
		Usage: llm.Usage{Input: 1, Output: 2},
	}
	require.Equal(t, want, llm.Collect(want.Events()))

	broken := &llm.Answer{ID: "id", Parts: []llm.Part{&llm.Text{Text: "he"}}, Failure: &llm.Failure{Message: "cut"}}
	require.Equal(t, broken, llm.Collect(broken.Events()))
}

// BenchmarkSequence_ManyOpenParts must not grow with the number of parts, per event: an
// upstream may have as many open as its answer is long.
func BenchmarkSequence_ManyOpenParts(b *testing.B) {
	for _, n := range []int{100, 10_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			var events []llm.Event
			for i := range n {
				events = append(events, llm.Event{Kind: llm.PartStart, Index: i, Part: llm.ToolCallPart}, llm.Event{Kind: llm.Delta, Index: i, Text: "{}"})
			}
			events = append(events, llm.Event{Kind: llm.Finish})
			for b.Loop() {
				var (
					seq llm.Sequence
					out []llm.Event
				)
				for _, e := range events {
					out = seq.Push(out, e)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(events)), "ns/event")
		})
	}
}
