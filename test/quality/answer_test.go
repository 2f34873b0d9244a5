package quality

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy/internal/sse"
	"github.com/understudyhq/understudy/providers"
)

// ending is how a request ended for its client.
type ending string

const (
	served  ending = "served"
	refused ending = "refused" // an error in place of an answer
	told    ending = "told"    // the answer broke off with an error event of its format
	untold  ending = "untold"  // the answer broke off and nothing said so
)

// answer is what a client got.
type answer struct {
	ending ending
	detail string // status and body, or what broke
	name   string // that the upstream gave it; see simulator.Record
	said   string // the message or items to send along next time, as JSON
	usage  providers.Usage
}

// send makes one request and reads the whole answer.
func send(ctx context.Context, client *http.Client, s source, id, body string) answer {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://gateway.test"+s.path(), strings.NewReader(body))
	if err != nil {
		return answer{ending: untold, detail: err.Error()}
	}
	s.setHeader(req.Header, id)
	resp, err := client.Do(req)
	if err != nil {
		return answer{ending: untold, detail: err.Error()}
	}
	defer resp.Body.Close()
	whole, err := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusOK {
		return answer{ending: refused, detail: resp.Status + " " + string(whole)}
	}
	return s.read(whole, err)
}

// read takes a streamed answer apart. broken is what ended it, if it is not whole.
func (s source) read(stream []byte, broken error) answer {
	a := answer{ending: untold, detail: "the stream ended without its end mark"}
	if broken != nil {
		a.detail = broken.Error()
	}
	var (
		scanner sse.Scanner
		text    strings.Builder
	)
	err := scanner.Feed(stream, func(e sse.Event) error {
		if string(e.Data) == "[DONE]" {
			a.end(served, "")
			return nil
		}
		if !gjson.ValidBytes(e.Data) {
			return errors.New("an event is no JSON")
		}
		data := gjson.ParseBytes(e.Data)
		if u, ok := providers.ReadUsage(s.format, e.Data); ok {
			a.usage = a.usage.Merge(u)
		}
		s.take(&a, &text, data)
		return nil
	})
	if err != nil {
		a.ending, a.detail = untold, err.Error()
	}
	if a.said == "" {
		a.said = `{"role":"assistant","content":` + quote(text.String()) + `}`
	}
	return a
}

// take adds one event to the answer.
func (s source) take(a *answer, text *strings.Builder, e gjson.Result) {
	for _, path := range []string{"id", "message.id", "response.id"} {
		if _, name, ok := strings.Cut(e.Get(path).Str, "resp_"); ok {
			a.name = name
		} else if _, name, ok := strings.Cut(e.Get(path).Str, "msg_"); ok {
			a.name = name
		} else if _, name, ok := strings.Cut(e.Get(path).Str, "chatcmpl-"); ok {
			a.name = name
		}
	}
	switch kind := e.Get("type").Str; {
	case kind == "error", kind == "response.failed", kind == "" && e.Get("error").IsObject():
		a.end(told, e.Raw)
	case kind == "message_stop":
		a.end(served, "")
	case kind == "response.completed":
		a.end(served, "")
		output := e.Get("response.output").Raw
		a.said = output[1 : len(output)-1]
	case kind == "response.output_text.delta":
		text.WriteString(e.Get("delta").Str)
	default:
		text.WriteString(e.Get("choices.0.delta.content").Str + e.Get("delta.text").Str)
	}
}

// end notes how the answer ended. The first word counts.
func (a *answer) end(how ending, detail string) {
	if a.ending == untold {
		a.ending, a.detail = how, detail
	}
}
