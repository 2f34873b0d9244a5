package responses

import (
	"bytes"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/understudyhq/understudy/internal/llm"
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
	w := writer{dst}
	w.b = append(w.b, '{')
	w.plain("id", r.id)
	w.plain("object", "response")
	created := int64(0)
	if !r.CreatedAt.IsZero() {
		created = r.CreatedAt.Unix()
	}
	w.int("created_at", created)
	w.plain("status", s.status)
	w.name("error")
	if s.failure == nil {
		w.b = append(w.b, "null"...)
	} else {
		w.b = append(w.b, '{')
		w.text("code", errorCode(s.failure))
		w.text("message", s.failure.Message)
		w.close('}')
	}
	w.name("incomplete_details")
	if s.incomplete == "" {
		w.b = append(w.b, "null"...)
	} else {
		w.b = append(w.b, `{"reason":"`+s.incomplete+`"}`...)
	}
	w.text("model", r.model)
	w.name("output")
	w.b = append(w.b, '[')
	w.b = append(w.b, output...)
	w.b = append(w.b, ']', ',')
	w.b = append(w.b, r.echo...)
	w.name("usage")
	w.b = appendUsage(w.b, s.usage)
	w.close('}')
	return w.b
}

// appendUsage appends usage in this format's sums: as in the canonical form, what is part of
// a count is in it.
func appendUsage(dst []byte, u *llm.Usage) []byte {
	if u == nil {
		return append(dst, "null"...)
	}
	w := writer{append(dst, '{')}
	w.int("input_tokens", u.Input)
	w.name("input_tokens_details")
	w.b = append(w.b, '{')
	w.int("cached_tokens", u.CacheRead)
	w.int("cache_write_tokens", u.CacheWrite)
	w.close('}')
	w.int("output_tokens", u.Output)
	w.name("output_tokens_details")
	w.b = append(w.b, '{')
	w.int("reasoning_tokens", u.Reasoning)
	w.close('}')
	w.int("total_tokens", u.Total())
	w.close('}')
	return w.b
}

// echoed returns the members of a response that repeat the request, on one line.
func (r *reply) echoed() []byte {
	q := r.Request
	w := writer{make([]byte, 0, 1024)}
	w.b = append(w.b, '{')
	w.bool("background", false)
	text, _ := instructions(q.Messages)
	w.textOrNull("instructions", text)
	intOrNull(&w, "max_output_tokens", q.MaxTokens)
	w.null("max_tool_calls")
	w.bool("parallel_tool_calls", q.Parallel == nil || *q.Parallel)
	w.textOrNull("previous_response_id", q.PreviousResponseID)
	w.textOrNull("prompt_cache_key", q.CacheKey)
	w.name("reasoning")
	w.b = append(w.b, '{')
	w.textOrNull("effort", string(q.Reasoning.AsLevel()))
	w.textOrNull("summary", q.Reasoning.Summary)
	w.close('}')
	w.textOrNull("safety_identifier", q.UserID)
	tier := q.ServiceTier
	if tier == "" {
		tier = "default"
	}
	w.text("service_tier", tier)
	w.bool("store", q.Store == nil || *q.Store)
	floatOr(&w, "temperature", q.Sampling.Temperature)
	echoFormat(&w, &q.Output)
	echoTools(&w, q)
	w.int("top_logprobs", valueOr(q.Sampling.TopLogProbs, 0))
	floatOr(&w, "top_p", q.Sampling.TopP)
	w.plain("truncation", "disabled")
	w.null("user")
	w.name("metadata")
	w.b = append(w.b, '{')
	names := make([]string, 0, len(q.Metadata))
	for name := range q.Metadata {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		w.next()
		w.b = appendMember(w.b, name, q.Metadata[name])
	}
	w.close('}')
	w.close('}')
	return bytes.TrimSuffix(bytes.TrimPrefix(oneLine(w.b), []byte("{")), []byte("}"))
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

func intOrNull(w *writer, name string, v *int64) {
	if v == nil {
		w.null(name)
		return
	}
	w.int(name, *v)
}

// floatOr writes a setting whose default is 1.
func floatOr(w *writer, name string, v *float64) {
	if v == nil {
		w.literal(name, "1")
		return
	}
	w.float(name, *v)
}

func echoFormat(w *writer, o *llm.Output) {
	w.name("text")
	w.open('{')
	switch o.Kind {
	case llm.OutputJSON:
		w.literal("format", `{"type":"json_object"}`)
	case llm.OutputSchema:
		w.name("format")
		w.open('{')
		w.plain("type", "json_schema")
		w.text("name", o.Name)
		w.textOrNull("description", o.Description)
		w.raw("schema", o.Schema)
		w.bool("strict", o.Strict != nil && *o.Strict)
		w.close('}')
	default:
		w.literal("format", `{"type":"text"}`)
	}
	verbosity := o.Verbosity
	if verbosity == "" {
		verbosity = "medium"
	}
	w.text("verbosity", verbosity)
	w.close('}')
}

func echoTools(w *writer, q *llm.Request) {
	e := encoder{writer: *w, r: q}
	if c := &q.Choice; c.Mode == llm.ChoiceDefault && len(c.Allowed) == 0 {
		e.plain("tool_choice", "auto")
	} else {
		e.choice()
	}
	e.name("tools")
	e.open('[')
	for i := 0; i < len(q.Tools); {
		i += e.echoTool(q.Tools[i:])
	}
	e.close(']')
	*w = e.writer
}

// echoTool writes a tool as the client has defined it; tools of one namespace that follow
// each other go together. It returns how many it has written.
func (e *encoder) echoTool(tools []llm.Tool) int {
	t := &tools[0]
	if t.Namespace == "" || t.Kind != llm.Function && t.Kind != llm.Custom {
		e.echoOne(t, t.Name)
		return 1
	}
	e.open('{')
	e.plain("type", "namespace")
	e.text("name", t.Namespace)
	e.plain("description", "")
	e.name("tools")
	e.open('[')
	n := 0
	for n < len(tools) && tools[n].Namespace == t.Namespace {
		e.echoOne(&tools[n], ownName(&tools[n]))
		n++
	}
	e.close(']')
	e.close('}')
	return n
}

func (e *encoder) echoOne(t *llm.Tool, name string) {
	if t.Kind != llm.Function {
		if len(t.Raw) > 0 {
			e.next()
			e.b = append(e.b, t.Raw...)
		}
		return
	}
	e.open('{')
	e.plain("type", "function")
	e.text("name", name)
	e.textOrNull("description", t.Description)
	e.raw("parameters", t.Schema)
	if t.Strict == nil {
		e.null("strict")
	} else {
		e.bool("strict", *t.Strict)
	}
	e.close('}')
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
