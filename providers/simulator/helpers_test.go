package simulator

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"
	"go.uber.org/goleak"

	"github.com/understudyhq/understudy/internal/sse"
	"github.com/understudyhq/understudy/providers"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// options has two credentials and two models.
func options() Options {
	return Options{
		Credentials: []Credential{{ID: "one", Account: "acme"}, {ID: "two", Key: "second-key"}},
		Models:      []string{"big", "small"},
	}
}

func withFaults(faults ...Fault) Options {
	o := options()
	o.Credentials[0].Faults = faults
	return o
}

// answer is a whole answer. body is what came before err.
type answer struct {
	status int
	header http.Header
	body   string
	err    error // of reading the body
}

// request returns a POST with credential one's key.
func request(path, body string) *http.Request {
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "http://simulator"+path, strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	r.Header.Set("Authorization", "Bearer one")
	return r
}

func do(t *testing.T, u *Upstream, r *http.Request) answer {
	t.Helper()
	response, err := u.Transport().RoundTrip(r)
	require.NoError(t, err)
	body, err := io.ReadAll(response.Body)
	require.NoError(t, response.Body.Close())
	return answer{response.StatusCode, response.Header, string(body), err}
}

func post(t *testing.T, u *Upstream, path, body string) answer {
	t.Helper()
	a := do(t, u, request(path, body))
	require.NoError(t, a.err)
	return a
}

// ask posts and returns the answer, which has to be a success.
func ask(t *testing.T, u *Upstream, path, body string) gjson.Result {
	t.Helper()
	a := post(t, u, path, body)
	require.Equal(t, http.StatusOK, a.status, a.body)
	require.True(t, gjson.Valid(a.body), a.body)
	return gjson.Parse(a.body)
}

// events posts and returns the data of the events of the answer.
func events(t *testing.T, u *Upstream, path, body string) []gjson.Result {
	t.Helper()
	a := post(t, u, path, body)
	require.Equal(t, http.StatusOK, a.status, a.body)
	return parseEvents(t, a.body)
}

func parseEvents(t *testing.T, stream string) []gjson.Result {
	t.Helper()
	var (
		s   sse.Scanner
		all []gjson.Result
	)
	collect := func(e sse.Event) error {
		if string(e.Data) == "[DONE]" {
			return nil
		}
		if !gjson.ValidBytes(e.Data) {
			return fmt.Errorf("no JSON: %q", e.Data)
		}
		data := gjson.ParseBytes(e.Data)
		if len(e.Name) > 0 && string(e.Name) != data.Get("type").Str {
			return fmt.Errorf("event %q has type %q", e.Name, data.Get("type").Str)
		}
		all = append(all, data)
		return nil
	}
	require.NoError(t, s.Feed([]byte(stream), collect))
	require.True(t, s.AtBoundary(), "the stream ends within an event")
	return all
}

// dialog is how one format says the same things as the others.
type dialog struct {
	format providers.Format
	path   string
	// stream is put into the body, or, when it begins with a slash, takes the place of path.
	stream string
	// body returns a request with turns, user and model in turn.
	body func(stream string, turns ...string) string
	// text is the path of a plain answer's text, delta that of an event's.
	text, delta string
}

func dialogs() []dialog {
	return []dialog{
		{
			format: providers.OpenAIChat,
			path:   "/v1/chat/completions",
			stream: `"stream":true,"stream_options":{"include_usage":true},`,
			body: func(stream string, turns ...string) string {
				return `{"model":"big",` + stream + `"messages":[` + messageList("user", "assistant", turns) + `]}`
			},
			text: "choices.0.message.content", delta: "choices.0.delta.content",
		},
		{
			format: providers.OpenAIResponses,
			path:   "/v1/responses",
			stream: `"stream":true,`,
			body: func(stream string, turns ...string) string {
				return `{"model":"big",` + stream + `"input":[` + messageList("user", "assistant", turns) + `]}`
			},
			text: "output.0.content.0.text", delta: "delta",
		},
		{
			format: providers.Anthropic,
			path:   "/v1/messages",
			stream: `"stream":true,`,
			body: func(stream string, turns ...string) string {
				return `{"model":"big","max_tokens":1000000,` + stream + `"messages":[` + messageList("user", "assistant", turns) + `]}`
			},
			text: "content.0.text", delta: "delta.text",
		},
		{
			format: providers.Gemini,
			path:   "/v1beta/models/big:generateContent",
			stream: "/v1beta/models/big:streamGenerateContent?alt=sse",
			body: func(_ string, turns ...string) string {
				var list []string
				for i, turn := range turns {
					speaker := []string{"user", "model"}[i%2]
					list = append(list, fmt.Sprintf(`{"role":"%s","parts":[{"text":%s}]}`, speaker, quote(turn)))
				}
				return `{"contents":[` + strings.Join(list, ",") + `]}`
			},
			text: "candidates.0.content.parts.0.text", delta: "candidates.0.content.parts.0.text",
		},
	}
}

func messageList(user, model string, turns []string) string {
	var list []string
	for i, turn := range turns {
		speaker := []string{user, model}[i%2]
		list = append(list, fmt.Sprintf(`{"role":"%s","content":%s}`, speaker, quote(turn)))
	}
	return strings.Join(list, ",")
}

// say returns the text and the usage of the plain answer to turns.
func (d dialog) say(t *testing.T, u *Upstream, turns ...string) (string, providers.Usage) {
	t.Helper()
	a := ask(t, u, d.path, d.body("", turns...))
	usage, ok := providers.ReadUsage(d.format, []byte(a.Raw))
	require.True(t, ok, a.Raw)
	return a.Get(d.text).Str, usage
}

// streamRequest makes the request for a streamed answer to turns.
func (d dialog) streamRequest(turns ...string) (path, body string) {
	if strings.HasPrefix(d.stream, "/") {
		return d.stream, d.body("", turns...)
	}
	return d.path, d.body(d.stream, turns...)
}

// hear returns the text, piece by piece, and the usage of the streamed answer to turns.
func (d dialog) hear(t *testing.T, u *Upstream, turns ...string) ([]string, providers.Usage) {
	t.Helper()
	path, body := d.streamRequest(turns...)
	var (
		pieces []string
		usage  providers.Usage
	)
	for _, e := range events(t, u, path, body) {
		if piece := e.Get(d.delta).Str; piece != "" {
			pieces = append(pieces, piece)
		}
		if seen, ok := providers.ReadUsage(d.format, []byte(e.Raw)); ok {
			usage = usage.Merge(seen)
		}
	}
	return pieces, usage
}
