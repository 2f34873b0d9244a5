package sse

import (
	"bytes"
	"slices"
	"testing"
)

// BenchmarkScanner reads 1,000 events as Anthropic sends them, in chunks as a network
// delivers them.
func BenchmarkScanner(b *testing.B) {
	const events = 1000
	one := Append(nil, "content_block_delta",
		[]byte(`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"some words of text"}}`))
	for name, chunkBytes := range map[string]int{"whole events": len(one), "1460 bytes": 1460, "32 KB": 32 << 10} {
		b.Run(name, func(b *testing.B) {
			chunks := slices.Collect(slices.Chunk(bytes.Repeat(one, events), chunkBytes))
			found := 0
			fn := func(Event) error { found++; return nil }
			var s Scanner
			b.ReportAllocs()
			for b.Loop() {
				for _, chunk := range chunks {
					if err := s.Feed(chunk, fn); err != nil {
						b.Fatal(err)
					}
				}
			}
			if found != b.N*events {
				b.Fatalf("found %d events in %d rounds", found, b.N)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(found), "ns/event")
		})
	}
}

func BenchmarkAppend(b *testing.B) {
	data := []byte(`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"some words of text"}}`)
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst = Append(dst[:0], "content_block_delta", data)
	}
}
