package simulator

import (
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func BenchmarkUpstream(b *testing.B) {
	chat := dialogs()[0]
	stream, body := chat.streamRequest("[[words=200]]")
	tests := map[string]struct{ path, body string }{
		"small chat":        {chat.path, chat.body("", "Hello, who are you?")},
		"200 chunk stream":  {stream, body},
		"256 KB chat":       {chat.path, chat.body("", strings.Repeat("word ", 50_000))},
		"Responses":         {dialogs()[1].path, dialogs()[1].body("", "Hello")},
		"Anthropic message": {dialogs()[2].path, dialogs()[2].body("", "Hello")},
		"Gemini content":    {dialogs()[3].path, dialogs()[3].body("", "Hello")},
	}
	for name, tt := range tests {
		b.Run(name, func(b *testing.B) {
			transport := New(options()).Transport()
			b.ReportAllocs()
			for b.Loop() {
				response, err := transport.RoundTrip(request(tt.path, tt.body))
				require.NoError(b, err)
				_, err = io.Copy(io.Discard, response.Body)
				require.NoError(b, err)
				require.NoError(b, response.Body.Close())
			}
		})
	}
}
