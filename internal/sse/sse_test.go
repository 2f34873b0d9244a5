package sse

import (
	"errors"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// event is an Event that outlives its chunk.
type event struct{ name, data string }

// collect returns a function for Feed and the events it was given.
func collect() (func(Event) error, *[]event) {
	var got []event
	return func(e Event) error {
		got = append(got, event{string(e.Name), string(e.Data)})
		return nil
	}, &got
}

// scan feeds a new scanner the chunks and, if the stream is at its end, closes it. Each
// chunk is overwritten afterwards, as a read buffer is.
func scan(t require.TestingT, closed bool, chunks ...string) []event {
	var s Scanner
	fn, got := collect()
	for _, c := range chunks {
		chunk := []byte(c)
		require.NoError(t, s.Feed(chunk, fn))
		clear(chunk)
	}
	if closed {
		require.NoError(t, s.Close(fn))
	}
	return *got
}

// bytewise cuts a stream into its bytes.
func bytewise(stream string) []string { return strings.Split(stream, "") }

func TestScanner_FindsEvents(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		stream string
		want   []event
	}{
		"nothing":                  {"", nil},
		"LF":                       {"data: a\n\ndata: b\n\n", []event{{"", "a"}, {"", "b"}}},
		"CRLF":                     {"event: e\r\ndata: a\r\n\r\ndata: b\r\n\r\n", []event{{"e", "a"}, {"", "b"}}},
		"CR":                       {"event: e\rdata: a\r\rdata: b\r\r", []event{{"e", "a"}, {"", "b"}}},
		"mixed line ends":          {"event: e\rdata: a\r\n\ndata: b\n\r", []event{{"e", "a"}, {"", "b"}}},
		"named":                    {"event: message_start\ndata: {}\n\n", []event{{"message_start", "{}"}}},
		"name after data":          {"data: {}\nevent: late\n\n", []event{{"late", "{}"}}},
		"last name counts":         {"event: a\nevent: b\ndata: 1\n\n", []event{{"b", "1"}}},
		"empty name takes it back": {"event: a\nevent\ndata: 1\n\n", []event{{"", "1"}}},
		"one space is no data":     {"data:a\n\ndata:  b\n\ndata:\tc\n\n", []event{{"", "a"}, {"", " b"}, {"", "\tc"}}},
		"several data lines":       {"data: a\ndata:\ndata: b\n\n", []event{{"", "a\n\nb"}}},
		"empty data lines":         {"data\ndata\n\n", []event{{"", "\n"}}},
		"empty data":               {"data\n\ndata:\n\ndata: \n\n", []event{{"", ""}, {"", ""}, {"", ""}}},
		"colons in data":           {"data: {\"a\":1}\n\n", []event{{"", `{"a":1}`}}},
		"name without data":        {"event: a\n\ndata: 1\n\n", []event{{"", "1"}}},
		"comments":                 {": ping\n\ndata: a\n: in between\ndata: b\n\n:\n\n", []event{{"", "a\nb"}}},
		"other fields":             {"id: 1\nretry: 5\nfoo: bar\nDATA: x\ndata : y\n\nid: 2\ndata: a\n\n", []event{{"", "a"}}},
		"byte order mark":          {"\ufeffdata: a\n\n\ufeffdata: b\n\n", []event{{"", "a"}}},
		"only once a mark":         {"\ufeff\ufeffdata: a\n\n", nil},
		"many blank lines":         {"\n\n\r\r\n\ndata: a\n\n\n\n", []event{{"", "a"}}},
		"unfinished":               {"data: a\n\ndata: b\n", []event{{"", "a"}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tt.want, scan(t, false, tt.stream), "in one chunk")
			require.Equal(t, tt.want, scan(t, false, bytewise(tt.stream)...), "byte by byte")
			for i := range tt.stream {
				require.Equal(t, tt.want, scan(t, false, tt.stream[:i], "", tt.stream[i:]), "cut at %d", i)
			}
		})
	}
}

func TestScanner_CloseReportsWhatLacksItsBlankLine(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		stream string
		want   []event
	}{
		"no line end":      {"data: a\n\ndata: [DONE]", []event{{"", "a"}, {"", "[DONE]"}}},
		"no blank line":    {"event: e\ndata: a\n", []event{{"e", "a"}}},
		"half a CRLF":      {"data: a\r\n\r", []event{{"", "a"}}},
		"half a line":      {"data: a\ndata: {\"x", []event{{"", "a\n{\"x"}}},
		"name only":        {"event: e", nil},
		"comment":          {"data: a\n\n: bye", []event{{"", "a"}}},
		"nothing":          {"", nil},
		"byte order mark":  {"\ufeff", nil},
		"complete already": {"data: a\n\n", []event{{"", "a"}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tt.want, scan(t, true, tt.stream))
			require.Equal(t, tt.want, scan(t, true, bytewise(tt.stream)...))
		})
	}
}

func TestScanner_AtBoundary(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		stream string
		want   bool
	}{
		"nothing":                {"", true},
		"after an event":         {"data: a\n\n", true},
		"before a blank line":    {"data: a\n", false},
		"inside a line":          {"data: a\n\ndat", false},
		"after a field":          {"data: a\n\nid: 5\n", false},
		"after a comment block":  {"data: a\n\n: ping\n\n", true},
		"after a comment":        {": ping\n", true},
		"inside a comment":       {": pi", false},
		"comment in an event":    {"data: a\n: ping\n", false},
		"half of the last CRLF":  {"data: a\r\n\r", true},
		"half of the first CRLF": {"data: a\r", false},
		"event without data":     {"event: a\n\n", true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var s Scanner
			fn, _ := collect()
			for _, chunk := range bytewise(tt.stream) {
				require.NoError(t, s.Feed([]byte(chunk), fn))
			}
			require.Equal(t, tt.want, s.AtBoundary())
			require.NoError(t, s.Close(fn))
			require.True(t, s.AtBoundary(), "a closed scanner is as good as new")
		})
	}
}

func TestScanner_ReturnsErrorsOfItsCaller(t *testing.T) {
	t.Parallel()
	enough := errors.New("enough")
	var s Scanner
	calls := 0
	fn := func(Event) error { calls++; return enough }
	require.ErrorIs(t, s.Feed([]byte("data: a\n\ndata: b\n\n"), fn), enough)
	require.Equal(t, 1, calls)
	s.Reset()
	require.NoError(t, s.Feed([]byte("data: c"), fn))
	require.ErrorIs(t, s.Close(fn), enough)
	require.Equal(t, 2, calls)
}

func TestScanner_ResetForgetsTheStream(t *testing.T) {
	t.Parallel()
	var s Scanner
	fn, got := collect()
	require.NoError(t, s.Feed([]byte("event: old\ndata: old\ndata: x\r"), fn))
	s.Reset()
	require.True(t, s.AtBoundary())
	require.NoError(t, s.Feed([]byte("\n\ufeff"), fn))
	s.Reset()
	require.NoError(t, s.Feed([]byte("\ufeffdata: new\n\n"), fn))
	require.Equal(t, []event{{"", "new"}}, *got)
}

func TestScanner_LimitsEvents(t *testing.T) {
	t.Parallel()
	const mebibyte = 1 << 20
	line := []byte("data: " + strings.Repeat("x", mebibyte-len("data: \n")) + "\n")
	partial := line[:len(line)-1]
	fits := MaxEventBytes/mebibyte - 1
	for name, chunk := range map[string][]byte{"many lines": line, "one line": partial} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var s Scanner
			fn, got := collect()
			for range fits {
				require.NoError(t, s.Feed(chunk, fn))
			}
			require.NoError(t, s.Feed([]byte("\n\n"), fn))
			require.Len(t, *got, 1)

			var err error
			for range fits + 2 {
				if err = s.Feed(chunk, fn); err != nil {
					break
				}
			}
			require.ErrorIs(t, err, ErrTooLong)
			require.Len(t, *got, 1)
		})
	}
	t.Run("one chunk", func(t *testing.T) {
		t.Parallel()
		var s Scanner
		fn, _ := collect()
		require.ErrorIs(t, s.Feed(append(make([]byte, MaxEventBytes+1), '\n'), fn), ErrTooLong)
	})
}

func TestScanner_DoesNotCopyEventsOfOneChunk(t *testing.T) {
	t.Parallel()
	chunk := []byte("event: e\ndata: payload\n\n")
	var s Scanner
	require.NoError(t, s.Feed(chunk, func(e Event) error {
		require.Same(t, &chunk[15], unsafe.SliceData(e.Data))
		require.Same(t, &chunk[7], unsafe.SliceData(e.Name))
		return nil
	}))
}

func TestAppend_Writes(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ name, data, want string }{
		"unnamed":       {"", `{"a":1}`, "data: {\"a\":1}\n\n"},
		"named":         {"error", "x", "event: error\ndata: x\n\n"},
		"empty":         {"", "", "data: \n\n"},
		"several lines": {"", "a\nb\r\nc\rd\n", "data: a\ndata: b\ndata: c\ndata: d\ndata: \n\n"},
		"leading space": {"", " a", "data:  a\n\n"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, "before "+tt.want, string(Append([]byte("before "), tt.name, []byte(tt.data))))
		})
	}
}
