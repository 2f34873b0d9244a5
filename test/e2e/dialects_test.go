package e2e

import (
	"bytes"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/internal/fake"
	"github.com/understudyhq/understudy/providers"
)

// dialect is one way in which clients and upstreams talk. Gemini has two: its streams are
// events or one JSON array.
type dialect struct {
	name   string
	format providers.Format
	kind   string // of the provider that speaks it
	array  bool

	plain, streamed       string // targets
	question1, questionN  string // bodies, for a plain and for a streamed answer
	keyHeader, keyPrefix  string // where its SDK puts the key
	errorCode, errorClass string // paths in an error body: the gateway's code, the format's class
}

func dialects() []dialect {
	const (
		chat     = `{"model":"m","messages":[{"role":"user","content":"hi"}]}`
		response = `{"model":"m","input":"hi"}`
		message  = `{"model":"m","max_tokens":64,"messages":[{"role":"user","content":"hi"}]}`
		content  = `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`
	)
	gemini := dialect{
		name: "gemini", format: providers.Gemini, kind: config.KindGemini,
		plain: "/v1beta/models/m:generateContent", streamed: "/v1beta/models/m:streamGenerateContent?alt=sse",
		question1: content, questionN: content, keyHeader: "X-Goog-Api-Key",
		errorCode: "error.details.0.reason", errorClass: "error.status",
	}
	array := gemini
	array.name, array.array, array.streamed = "gemini array", true, "/v1beta/models/m:streamGenerateContent"
	return []dialect{
		{
			name: "chat", format: providers.OpenAIChat, kind: config.KindOpenAI,
			plain: "/v1/chat/completions", streamed: "/v1/chat/completions",
			question1: chat, questionN: streaming(chat), keyHeader: "Authorization", keyPrefix: "Bearer ",
			errorCode: "error.code", errorClass: "error.type",
		},
		{
			name: "responses", format: providers.OpenAIResponses, kind: config.KindOpenAI,
			plain: "/v1/responses", streamed: "/v1/responses",
			question1: response, questionN: streaming(response), keyHeader: "Authorization", keyPrefix: "Bearer ",
			errorCode: "error.code", errorClass: "error.type",
		},
		{
			name: "messages", format: providers.Anthropic, kind: config.KindAnthropic,
			plain: "/v1/messages", streamed: "/v1/messages",
			question1: message, questionN: streaming(message), keyHeader: "X-Api-Key",
			errorCode: "error.code", errorClass: "error.type",
		},
		gemini,
		array,
	}
}

// native asks the model of the dialect's own vendor, where others have it too.
func (d dialect) native() dialect {
	body := strings.NewReplacer(`"model":"m"`, `"model":"`+d.kind+`/m"`)
	path := strings.NewReplacer("/models/m:", "/models/"+d.kind+"/m:")
	d.plain, d.streamed = path.Replace(d.plain), path.Replace(d.streamed)
	d.question1, d.questionN = body.Replace(d.question1), body.Replace(d.questionN)
	return d
}

// formats returns one dialect for each format.
func formats() []dialect { return dialects()[:4] }

func streaming(body string) string { return strings.Replace(body, "{", `{"stream":true,`, 1) }

func (d dialect) target(stream bool) string {
	if stream {
		return d.streamed
	}
	return d.plain
}

func (d dialect) question(stream bool) string {
	if stream {
		return d.questionN
	}
	return d.question1
}

// good is a whole answer of three words.
func (d dialect) good(stream bool) fake.Reply {
	reply := fake.Answer(string(d.format), stream, 3)
	if stream && d.array {
		return asArray(reply)
	}
	return reply
}

// want is what a client reads of good.
func (d dialect) want(stream bool) string {
	reply := d.good(stream)
	if stream {
		return string(bytes.Join(reply.Chunks, nil))
	}
	return string(reply.Body)
}

// opening is a stream that has begun, and how many bytes of it come before its end.
func (d dialect) opening() (reply fake.Reply, pieces int, sent string) {
	reply = d.good(true)
	pieces = len(reply.Chunks)/2 + 1
	return reply, pieces, string(bytes.Join(reply.Chunks[:pieces], nil))
}

// overloaded is the event with which an upstream tells in a stream that it is overloaded.
func (d dialect) overloaded() []byte {
	switch d.format {
	case providers.OpenAIResponses:
		return []byte("event: response.failed\n" + `data: {"type":"response.failed","sequence_number":2,"response":{"id":"resp_fake","object":"response","status":"failed","error":{"code":"server_is_overloaded","message":"Too much."},"output":[]}}` + "\n\n")
	case providers.Anthropic:
		return []byte("event: error\n" + `data: {"type":"error","error":{"type":"overloaded_error","message":"Too much."}}` + "\n\n")
	case providers.Gemini:
		element := `{"error":{"code":503,"message":"Too much.","status":"UNAVAILABLE"}}`
		if d.array {
			return []byte("[" + element + "]")
		}
		return []byte("data: " + element + "\r\n\r\n")
	default:
		return []byte(`data: {"error":{"message":"Too much.","type":"service_unavailable_error","param":null,"code":"server_is_overloaded"}}` + "\n\n")
	}
}

// handshake is the events of a good stream before its first payload; nil = it has none.
func (d dialect) handshake() [][]byte {
	chunks := d.good(true).Chunks
	switch d.format {
	case providers.OpenAIResponses:
		return chunks[:2] // response.created, response.in_progress
	case providers.Anthropic:
		return [][]byte{chunks[0], chunks[2]} // message_start, ping
	default:
		return nil
	}
}

// asArray makes one JSON array of a stream of events.
func asArray(reply fake.Reply) fake.Reply {
	var chunks [][]byte
	for i, chunk := range reply.Chunks {
		element := bytes.TrimSuffix(bytes.TrimPrefix(chunk, []byte("data: ")), []byte("\r\n\r\n"))
		opening := ",\n"
		if i == 0 {
			opening = "["
		}
		chunks = append(chunks, append([]byte(opening), element...))
	}
	return fake.Reply{Header: http.Header{"Content-Type": {"application/json"}}, Chunks: append(chunks, []byte("]"))}
}

// answerTo is an upstream that serves everybody, in whatever dialect it is asked.
func answerTo(r fake.Request) fake.Reply {
	d, ok := dialectOf(r)
	switch {
	case !ok:
		return fake.Reply{Header: http.Header{"Content-Type": {"application/json"}}, Body: []byte(`{"of":"` + r.Path + `"}`)}
	case d.format == providers.Gemini:
		return d.good(strings.Contains(r.Path, ":stream"))
	default:
		return d.good(gjson.GetBytes(r.Body, "stream").Bool())
	}
}

// dialectOf tells in which dialect an upstream was asked to generate; false = for
// something else.
func dialectOf(r fake.Request) (dialect, bool) {
	all := dialects()
	switch {
	case r.Path == "/v1/chat/completions":
		return all[0], true
	case r.Path == "/v1/responses":
		return all[1], true
	case r.Path == "/v1/messages":
		return all[2], true
	case strings.HasSuffix(r.Path, ":generateContent"), strings.Contains(r.RawQuery, "alt=sse"):
		return all[3], true
	case strings.HasSuffix(r.Path, ":streamGenerateContent"):
		return all[4], true
	default:
		return dialect{}, false
	}
}

// first makes the credential a answer with reply; everybody else answers well.
func first(reply fake.Reply) func(fake.Request) fake.Reply {
	return func(r fake.Request) fake.Reply {
		if r.Key == secretOf("a") {
			return reply
		}
		return answerTo(r)
	}
}

// saying is an upstream that says the same to everybody until it is told what to say next.
type saying struct{ reply atomic.Pointer[fake.Reply] }

func (s *saying) say(reply fake.Reply) fake.Reply {
	s.reply.Store(&reply)
	return reply
}

func (s *saying) script(fake.Request) fake.Reply { return *s.reply.Load() }
