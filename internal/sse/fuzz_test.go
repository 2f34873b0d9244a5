package sse

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	oracle "github.com/tmaxmax/go-sse"
)

func seeds() []string {
	return []string{
		"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0}\n\n: ping\n\ndata: [DONE]",
		"data: a\r\n\r\nevent: x\r\ndata: b\r\ndata: c\r\n\r\n",
		"data: a\r\rdata: b\r\r\ndata: c\n\r", "\ufeffdata: a\n\n\ufeffdata: b\n\n", "data\n\ndata:\n\ndata\ndata\n\n",
		"id: 1\nretry: 5\n\nevent\nevent: a\n\n", ":\r\n\r\r\n\n", "data:  two spaces\ndatax: no\n\n", "\r", "\n", "dat", ": c\n", "a:b:c\n\n",
	}
}

// FuzzScanner feeds a stream cut at random: the events must not depend on the cuts and be
// those that go-sse finds.
func FuzzScanner(f *testing.F) {
	for i, s := range seeds() {
		f.Add(s, uint64(i))
	}
	f.Fuzz(func(t *testing.T, stream string, seed uint64) {
		whole := scan(t, false, stream)
		chunks := cutAtRandom(stream, rand.New(rand.NewPCG(seed, 0)))
		require.Equal(t, whole, scan(t, false, chunks...))
		require.Equal(t, scan(t, true, stream), scan(t, true, chunks...))
		require.Equal(t, scan(t, false, stream+"\n\n"), scan(t, true, stream), "closing is as good as a blank line")

		if strings.LastIndex(stream, "\ufeff") > 0 {
			return // go-sse drops a byte order mark even after blank lines
		}
		// go-sse does not tell events with empty data from those without data.
		withData := slices.DeleteFunc(append([]event{}, whole...), func(e event) bool { return e.data == "" })
		require.Equal(t, byOracle(t, stream), withData)
	})
}

// FuzzAppend writes an event and reads it back.
func FuzzAppend(f *testing.F) {
	for _, s := range seeds() {
		f.Add("name", s)
		f.Add("", s)
	}
	f.Fuzz(func(t *testing.T, name, data string) {
		if strings.ContainsAny(name, "\r\n") {
			t.Skip("not allowed in names")
		}
		stream := string(Append(nil, name, []byte(data)))
		lines := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(data)
		require.Equal(t, []event{{name, lines}}, scan(t, false, stream))
	})
}

func cutAtRandom(stream string, r *rand.Rand) []string {
	var chunks []string
	for len(stream) > 0 {
		n := 1 + r.IntN(min(len(stream), 1+r.IntN(16)))
		chunks = append(chunks, stream[:n])
		stream = stream[n:]
	}
	return chunks
}

func byOracle(t *testing.T, stream string) []event {
	want := []event{}
	for e, err := range oracle.Read(strings.NewReader(stream), &oracle.ReadConfig{MaxEventSize: 1 << 20}) {
		require.NoError(t, err)
		if e.Data != "" {
			want = append(want, event{e.Type, e.Data})
		}
	}
	return want
}
