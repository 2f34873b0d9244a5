package session

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// BenchmarkFrom shows what a session costs by source; the body has 50 KB of messages.
func BenchmarkFrom(b *testing.B) {
	var messages strings.Builder
	messages.WriteString(`[{"role":"system","content":"` + strings.Repeat(`You are \"terse\".\n`, 400) + `"}`)
	for i := range 40 {
		fmt.Fprintf(&messages, `,{"role":%q,"content":[{"type":"text","text":"%s"}]}`, []string{"user", "assistant"}[i%2], strings.Repeat("words ", 180))
	}
	messages.WriteString("]")
	body := Body{Messages: []byte(messages.String())}
	claude := body
	claude.Metadata = []byte(`{"user_id":"{\"device_id\":\"d\",\"session_id\":\"` + uuid + `\"}"}`)
	header := http.Header{"User-Agent": {"x"}, "Content-Type": {"application/json"}, "Accept": {"*/*"}, "X-Request-Id": {"1"}}
	named := header.Clone()
	named.Set("X-Session-ID", "abc")
	codex := body
	codex.PromptCacheKey = []byte(`"` + uuid + `"`)
	fromCodex := header.Clone()
	fromCodex.Set("session-id", uuid)
	for name, run := range map[string]func() Keys{
		"claude":  func() Keys { return From(header, claude, "scope") },
		"header":  func() Keys { return From(named, body, "scope") },
		"codex":   func() Keys { return From(fromCodex, codex, "scope") },
		"opening": func() Keys { return From(header, body, "scope") },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if run().Primary.IsZero() {
					b.Fatal("no session")
				}
			}
		})
	}
}

// BenchmarkFrom_LongMessage is the opening of one message of 256 KB.
func BenchmarkFrom_LongMessage(b *testing.B) {
	body := Body{Messages: []byte(`[{"role":"user","content":"` + strings.Repeat(`some \"code\"\n and more words `, 8500) + `"}]`)}
	b.ReportAllocs()
	for b.Loop() {
		if From(nil, body, "scope").Primary.IsZero() {
			b.Fatal("no session")
		}
	}
}
