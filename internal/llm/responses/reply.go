package responses

import (
	"bytes"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/internal/llm/wire"
)

// reply is what all the objects and items of one answer have in common.
type reply struct {
	llm.Reply
	id     string // of the response
	suffix string // what the ids of its items share
	model  string
	echo   []byte // the members that repeat the request
}

// responsePrefix begins the id of a response.
const responsePrefix = "resp_"

// begin fixes what an answer is called.
func (r *reply) begin(id, model string) {
	switch {
	case strings.HasPrefix(id, responsePrefix):
		r.suffix = id[len(responsePrefix):]
	case id != "":
		r.suffix = id
	case r.ID != "":
		r.suffix = r.ID
	default:
		r.suffix = llm.NewID("", model, r.Request.Model)
	}
	r.suffix = llm.SafeID(r.suffix, maxIDBytes-len(responsePrefix))
	r.id = responsePrefix + r.suffix
	r.model = model
	if r.model == "" {
		r.model = r.Request.Model
	}
	r.echo = r.echoed()
}

// wantsEncrypted reports whether the client keeps reasoning itself.
func (r *reply) wantsEncrypted() bool {
	q := r.Request
	return q.Store != nil && !*q.Store || slices.Contains(q.Include, encryptedContent)
}

// state is how far a response has come.
type state struct {
	status     string
	incomplete string       // why; empty = it is not
	failure    *llm.Failure // nil = none
	usage      *llm.Usage   // nil = not known yet
}

// response appends the object that stands for the whole answer; output is its items.
func (r *reply) response(dst, output []byte, s state) []byte {
	w := wire.Writer{B: dst}
	w.B = append(w.B, '{')
	w.Plain("id", r.id)
	w.Plain("object", "response")
	created := int64(0)
	if !r.CreatedAt.IsZero() {
		created = r.CreatedAt.Unix()
	}
	w.Int("created_at", created)
	w.Plain("status", s.status)
	w.Name("error")
	if s.failure == nil {
		w.B = append(w.B, "null"...)
	} else {
		w.B = append(w.B, '{')
		w.Text("code", errorCode(s.failure))
		w.Text("message", s.failure.Message)
		w.Close('}')
	}
	w.Name("incomplete_details")
	if s.incomplete == "" {
		w.B = append(w.B, "null"...)
	} else {
		w.B = append(w.B, `{"reason":"`+s.incomplete+`"}`...)
	}
	w.Text("model", r.model)
	w.Name("output")
	w.B = append(w.B, '[')
	w.B = append(w.B, output...)
	w.B = append(w.B, ']', ',')
	w.B = append(w.B, r.echo...)
	w.Name("usage")
	w.B = appendUsage(w.B, s.usage)
	w.Close('}')
	return w.B
}

// appendUsage appends usage in this format's sums: as in the canonical form, what is part of
// a count is in it.
func appendUsage(dst []byte, u *llm.Usage) []byte {
	if u == nil {
		return append(dst, "null"...)
	}
	w := wire.Writer{B: append(dst, '{')}
	w.Int("input_tokens", u.Input)
	w.Name("input_tokens_details")
	w.B = append(w.B, '{')
	w.Int("cached_tokens", u.CacheRead)
	w.Int("cache_write_tokens", u.CacheWrite)
	w.Close('}')
	w.Int("output_tokens", u.Output)
	w.Name("output_tokens_details")
	w.B = append(w.B, '{')
	w.Int("reasoning_tokens", u.Reasoning)
	w.Close('}')
	w.Int("total_tokens", u.Total())
	w.Close('}')
	return w.B
}

// echoed returns the members of a response that repeat the request, on one line.
func (r *reply) echoed() []byte {
	q := r.Request
	w := wire.Writer{B: make([]byte, 0, 1024)}
	w.B = append(w.B, '{')
	w.Bool("background", false)
	w.TextOrNull("instructions", leading(q.Messages))
	intOrNull(&w, "max_output_tokens", q.MaxTokens)
	w.Null("max_tool_calls")
	w.Bool("parallel_tool_calls", q.Parallel == nil || *q.Parallel)
	w.TextOrNull("previous_response_id", q.PreviousResponseID)
	w.TextOrNull("prompt_cache_key", q.CacheKey)
	w.Name("reasoning")
	w.B = append(w.B, '{')
	w.TextOrNull("effort", string(q.Reasoning.AsLevel()))
	w.TextOrNull("summary", q.Reasoning.Summary)
	w.Close('}')
	w.TextOrNull("safety_identifier", q.UserID)
	tier := q.ServiceTier
	if tier == "" {
		tier = "default"
	}
	w.Text("service_tier", tier)
	w.Bool("store", q.Store == nil || *q.Store)
	floatOr(&w, "temperature", q.Sampling.Temperature)
	echoFormat(&w, &q.Output)
	echoTools(&w, q)
	w.Int("top_logprobs", valueOr(q.Sampling.TopLogProbs, 0))
	floatOr(&w, "top_p", q.Sampling.TopP)
	w.Plain("truncation", "disabled")
	w.Null("user")
	w.Name("metadata")
	w.B = append(w.B, '{')
	names := make([]string, 0, len(q.Metadata))
	for name := range q.Metadata {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		w.Next()
		w.B = wire.AppendMember(w.B, name, q.Metadata[name])
	}
	w.Close('}')
	w.Close('}')
	return bytes.TrimSuffix(bytes.TrimPrefix(oneLine(w.B), []byte("{")), []byte("}"))
}

// oneLine takes the blanks out of JSON that a client may have written over many lines: an
// event's data is one.
func oneLine(b []byte) []byte {
	if bytes.IndexByte(b, '\n') < 0 && bytes.IndexByte(b, '\r') < 0 {
		return b
	}
	v := jsontext.Value(b)
	if err := v.Compact(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)); err != nil {
		return []byte("{}") // cannot be: every piece of it has been decoded
	}
	return v
}

func valueOr(v *int64, otherwise int64) int64 {
	if v == nil {
		return otherwise
	}
	return *v
}

func intOrNull(w *wire.Writer, name string, v *int64) {
	if v == nil {
		w.Null(name)
		return
	}
	w.Int(name, *v)
}

// floatOr writes a setting whose default is 1.
func floatOr(w *wire.Writer, name string, v *float64) {
	if v == nil {
		w.Literal(name, "1")
		return
	}
	w.Float(name, *v)
}

func echoFormat(w *wire.Writer, o *llm.Output) {
	w.Name("text")
	w.Open('{')
	switch o.Kind {
	case llm.OutputJSON:
		w.Literal("format", `{"type":"json_object"}`)
	case llm.OutputSchema:
		w.Name("format")
		w.Open('{')
		w.Plain("type", "json_schema")
		w.Text("name", o.Name)
		w.TextOrNull("description", o.Description)
		w.Raw("schema", o.Schema)
		w.Bool("strict", o.Strict != nil && *o.Strict)
		w.Close('}')
	default:
		w.Literal("format", `{"type":"text"}`)
	}
	verbosity := o.Verbosity
	if verbosity == "" {
		verbosity = "medium"
	}
	w.Text("verbosity", verbosity)
	w.Close('}')
}

func echoTools(w *wire.Writer, q *llm.Request) {
	e := encoder{Writer: *w, r: q}
	if c := &q.Choice; c.Mode == llm.ChoiceDefault && len(c.Allowed) == 0 {
		e.Plain("tool_choice", "auto")
	} else {
		e.choice()
	}
	e.Name("tools")
	e.Open('[')
	for i := 0; i < len(q.Tools); {
		i += e.echoTool(q.Tools[i:])
	}
	e.Close(']')
	*w = e.Writer
}

// echoTool writes a tool as the client has defined it; tools of one namespace that follow
// each other go together. It returns how many it has written.
func (e *encoder) echoTool(tools []llm.Tool) int {
	t := &tools[0]
	if t.Namespace == "" || t.Kind != llm.Function && t.Kind != llm.Custom {
		e.echoOne(t, t.Name)
		return 1
	}
	e.Open('{')
	e.Plain("type", "namespace")
	e.Text("name", t.Namespace)
	e.Plain("description", "")
	e.Name("tools")
	e.Open('[')
	n := 0
	for n < len(tools) && tools[n].Namespace == t.Namespace {
		e.echoOne(&tools[n], ownName(&tools[n]))
		n++
	}
	e.Close(']')
	e.Close('}')
	return n
}

func (e *encoder) echoOne(t *llm.Tool, name string) {
	if t.Kind != llm.Function {
		if len(t.Raw) > 0 {
			e.Next()
			e.B = append(e.B, t.Raw...)
		}
		return
	}
	e.Open('{')
	e.Plain("type", "function")
	e.Text("name", name)
	e.TextOrNull("description", t.Description)
	e.Raw("parameters", t.Schema)
	if t.Strict == nil {
		e.Null("strict")
	} else {
		e.Bool("strict", *t.Strict)
	}
	e.Close('}')
}

// errorCode is a failure's word out of those that the format knows.
func errorCode(f *llm.Failure) string {
	switch {
	case f.Code != "":
		return f.Code
	case f.Status == 429:
		return "rate_limit_exceeded"
	case f.Status == 400:
		return "invalid_prompt"
	default:
		return "server_error"
	}
}
