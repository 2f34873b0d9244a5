package chat

import (
	"strconv"
	"strings"

	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/internal/llm/wire"
)

// DecodeAnswer implements llm.Codec. An answer is read as a stream of one chunk.
func (Codec) DecodeAnswer(body []byte) ([]llm.Event, error) {
	var in opening
	if err := wire.Decode(body, &in); err != nil {
		return nil, err
	}
	a := newAssembly()
	a.whole = true
	switch {
	case isError(in.Error): // with a status of success, as some upstreams do
		return a.fail([]llm.Event{{Kind: llm.Start, ID: string(in.ID), Model: string(in.Model)}}, body), nil
	case len(in.Choices) == 0:
		return nil, &llm.DecodeError{Path: "choices", Reason: "there is no answer in it"}
	}
	return a.finish(a.take(nil, &in)), nil
}

// EncodeAnswer implements llm.Codec. Words of a kind are one text, whatever stood between
// them. An answer that broke off is not told as a whole one but as its error.
func (Codec) EncodeAnswer(dst []byte, a *llm.Answer, r llm.Reply) []byte {
	if a.Failure != nil {
		return appendFailure(dst, a.Failure)
	}
	w := answerWriter{writer: writerTo(append(dst, '{')), customs: customsOf(r.Request)}
	w.Text("id", answerID(a.ID, r))
	w.raw(`,"object":"chat.completion"`)
	w.Int("created", r.CreatedAt.Unix())
	w.Text("model", modelOf(a.Model, r))
	w.raw(`,"choices":[{"index":0,"message":{"role":"assistant"`)
	calls, refused := w.message(a, r)
	w.raw(`},"logprobs":null`)
	w.Text("finish_reason", wordOf(a.Reason, calls, refused))
	w.raw(`}],"usage":`)
	w.B = appendUsage(w.B, &a.Usage)
	w.Close('}')
	return w.B
}

// answerID returns the answer's id: the upstream's or the reply's.
func answerID(id string, r llm.Reply) string {
	if id != "" {
		return id
	}
	return "chatcmpl-" + r.ID
}

func modelOf(model string, r llm.Reply) string {
	if model != "" {
		return model
	}
	return r.Request.Model
}

type answerWriter struct {
	writer
	customs map[string]bool
	count   int           // calls so far
	signed  *llm.Thinking // directly before the call
}

func (w *answerWriter) message(a *llm.Answer, r llm.Reply) (calls, refused bool) {
	var content, thoughts, refusal strings.Builder
	var media []*llm.Media
	for _, p := range a.Parts {
		switch p := p.(type) {
		case *llm.Text:
			content.WriteString(p.Text)
		case *llm.Thinking:
			thoughts.WriteString(p.Text)
		case *llm.Refusal:
			refusal.WriteString(p.Text)
		case *llm.Media:
			media = append(media, p)
		}
	}
	w.TextOrNull("content", content.String())
	w.TextOrNull("refusal", refusal.String())
	w.optional("reasoning_content", thoughts.String())
	w.media(media, answerID(a.ID, r))
	w.calls(a, r)
	return w.count > 0, refusal.Len() > 0
}

func (w *answerWriter) calls(a *llm.Answer, r llm.Reply) {
	id := answerID(a.ID, r)
	last := len(a.Parts) - 1
	for last >= 0 && saysNothing(a.Parts[last]) {
		last--
	}
	for i, p := range a.Parts {
		if saysNothing(p) {
			continue
		}
		switch p := p.(type) {
		case *llm.Thinking:
			w.signed = p
		case *llm.ToolCall:
			if w.count == 0 {
				w.Name("tool_calls")
				w.Open('[')
			}
			name, args := clientName(r.Request, p.Name), p.Arguments
			if args == "" && !w.customs[name] && !(i == last && cutShort(a.Reason)) {
				args = "{}"
			}
			w.Open('{')
			w.callMembers(callID(p.ID, id, w.count), name, args)
			w.Close('}')
			w.signed = nil
			w.count++
		default:
			w.signed = nil
		}
	}
	if w.count > 0 {
		w.Close(']')
	}
}

// saysNothing reports whether a part is left out of answers.
func saysNothing(p llm.Part) bool {
	switch p := p.(type) {
	case *llm.Text:
		return p.Text == ""
	case *llm.Refusal:
		return p.Text == ""
	case *llm.Thinking:
		return p.Text == "" && p.Signature == ""
	default:
		return false
	}
}

// clientName returns how the client calls a tool: some formats' upstreams know it by a
// shorter or plainer name, of at most 64 or 128 characters. A call that the model has given no
// name gets one, since clients look it up.
func clientName(r *llm.Request, name string) string {
	if name == "" {
		return "unnamed_tool"
	}
	if t := r.ToolNamed(name, 64, 128); t != nil {
		return t.Name
	}
	return name
}

// callID returns a call's id, or one made of where it stands.
func callID(id, answer string, place int) string {
	if id != "" {
		return id
	}
	return llm.NewID("call_", answer, strconv.Itoa(place))
}

// callMembers writes a call's members but its index.
func (w *answerWriter) callMembers(id, name, args string) {
	w.Text("id", id)
	if w.customs[name] {
		w.raw(`,"type":"custom","custom":{`)
		w.Text("name", name)
		w.Text("input", wire.UnwrapInput(args))
	} else {
		w.raw(`,"type":"function","function":{`)
		w.Text("name", name)
		w.Text("arguments", args)
	}
	w.Close('}')
	w.signature()
}

// signature writes the signature that belongs to the call, for the client to keep: Gemini's
// where Google's documentation has it, others marked. Thoughts with words are told as
// words, and their signatures are not the call's.
func (w *answerWriter) signature() {
	s := w.signed
	if s == nil || s.Text != "" || s.Signature == "" {
		return
	}
	if s.Origin == llm.Gemini && !s.Redacted {
		w.raw(`,"extra_content":{"google":{"thought_signature":`)
		w.str(s.Signature)
		w.raw("}}")
		return
	}
	w.raw(`,"extra_content":{"understudy":{"signature":`)
	w.str(llm.Mark(s.Signature, s.Origin, llm.Chat))
	if s.Redacted {
		w.raw(`,"redacted":true`)
	}
	w.raw("}}")
}

// media writes images as gateways of this format agree on, and one sound as OpenAI does.
func (w *answerWriter) media(list []*llm.Media, id string) {
	images := 0
	for _, m := range list {
		if m.Kind != llm.Image || m.Data == "" && m.URL == "" {
			continue
		}
		if images == 0 {
			w.Name("images")
			w.Open('[')
		}
		w.image(m, images)
		images++
	}
	if images > 0 {
		w.Close(']')
	}
	for _, m := range list {
		if m.Kind == llm.Audio && m.Data != "" {
			w.audio(m, id)
			return
		}
	}
}

func (w *answerWriter) image(m *llm.Media, place int) {
	w.Open('{')
	w.raw(`"type":"image_url"`)
	w.Int("index", int64(place))
	w.raw(`,"image_url":{"url":`)
	if m.Data != "" {
		w.B = appendDataURL(w.B, mimeOf(m), m.Data)
	} else {
		w.str(m.URL)
	}
	w.raw("}}")
}

func (w *answerWriter) audio(m *llm.Media, id string) {
	w.Name("audio")
	w.Open('{')
	w.Text("id", llm.NewID("audio_", id))
	w.Text("data", m.Data)
	w.raw(`,"expires_at":0,"transcript":""}`) // nobody keeps it
}

// appendUsage appends u in the format's sums: prompt and completion include what their
// details count.
func appendUsage(dst []byte, u *llm.Usage) []byte {
	w := writerTo(dst)
	w.Open('{')
	w.Int("prompt_tokens", u.Input)
	w.Int("completion_tokens", u.Output)
	w.Int("total_tokens", u.Total())
	w.raw(`,"prompt_tokens_details":{`)
	w.Int("cached_tokens", u.CacheRead)
	if u.CacheWrite > 0 {
		w.Int("cache_write_tokens", u.CacheWrite)
	}
	w.raw(`},"completion_tokens_details":{`)
	w.Int("reasoning_tokens", u.Reasoning)
	w.raw("}}")
	return w.B
}
