package peek

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

// chatBody is a chat request of about size bytes: prose and code, the members of interest
// after the messages as some SDKs send them.
func chatBody(size int) []byte {
	const paragraph = `The quick brown fox, she said, \"jumps\" over the lazy dog.\n\tfmt.Println(\"found\", n)\n\n` +
		`Nothing else happens in this paragraph that would be of interest to a scanner, but prose goes on like this for a while: ` +
		`it has commas, [brackets], {braces} and now and then a word in other letters, naïveté.\n`
	var b strings.Builder
	b.WriteString(`{"temperature":0.5,"max_tokens":4096,"messages":[{"role":"system","content":"Be brief."}`)
	for role := 0; b.Len() < size; role++ {
		fmt.Fprintf(&b, `,{"role":%q,"content":"%s"}`, []string{"user", "assistant"}[role%2], strings.Repeat(paragraph, 1+min(size, 8000)/2000))
	}
	b.WriteString(`],"model":"gpt-5.5","stream":true,"metadata":{"user_id":"someone"}}`)
	return []byte(b.String())
}

// BenchmarkScan compares the one pass with what it replaces: validating, and finding the
// same members with gjson's fastest way.
func BenchmarkScan(b *testing.B) {
	for _, size := range []int{2 << 10, 50 << 10, 1 << 20} {
		body := chatBody(size)
		text := string(body)
		for _, bench := range []struct {
			name string
			run  func() bool
		}{
			{"peek.Scan", func() bool { _, err := Scan(body); return err == nil }},
			{"peek.Valid", func() bool { return Valid(body) == nil }},
			{"gjson.ValidBytes", func() bool { return gjson.ValidBytes(body) }},
			{"gjson.ForEach", func() bool { return gjsonMembers(text) == 3 }},
			{"json.Valid", func() bool { return json.Valid(body) }},
		} {
			b.Run(fmt.Sprintf("%s/%dKB", bench.name, size>>10), func(b *testing.B) {
				b.SetBytes(int64(len(body)))
				b.ReportAllocs()
				for b.Loop() {
					if !bench.run() {
						b.Fatal("body refused")
					}
				}
			})
		}
	}
}

// gjsonMembers counts the members of interest, without any check.
func gjsonMembers(body string) int {
	found := 0
	gjson.Parse(body).ForEach(func(key, value gjson.Result) bool {
		switch key.Str {
		case "model", "messages", "metadata":
			found++
		}
		return true
	})
	return found
}

func BenchmarkSplice(b *testing.B) {
	body := chatBody(50 << 10)
	r, err := Scan(body)
	if err != nil {
		b.Fatal(err)
	}
	value := AppendString(nil, "another-model")
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst = Splice(dst[:0], body, r.ModelAt, value)
	}
}
