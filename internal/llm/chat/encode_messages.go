package chat

import (
	"strings"

	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/internal/llm/wire"
)

// messages writes the conversation.
func (e *requestEncoder) messages() {
	e.Name("messages")
	e.Open('[')
	h := historyOf(e.r.Messages)
	all := e.r.Messages
	for i := 0; i < len(all); {
		if all[i].Role == llm.Assistant {
			end := turnEnd(all, i)
			e.assistant(h, all[i:end])
			e.results(h, all[i:end])
			i = end
			continue
		}
		e.said(h, &all[i])
		i++
	}
	e.Close(']')
}

// turnEnd returns where the turn that begins with the assistant's message at i ends. What
// formats of items give as several messages is one here, since calls belong to the words
// before them and thoughts alone are no message.
func turnEnd(all []llm.Message, i int) int {
	end, joined := i+1, partsOfATurn(&all[i])
	for ; end < len(all) && all[end].Role == llm.Assistant && all[end].Name == all[i].Name; end++ {
		joined = joined || partsOfATurn(&all[end])
	}
	if !joined {
		return i + 1
	}
	return end
}

// partsOfATurn reports whether m holds what goes with other parts of a turn.
func partsOfATurn(m *llm.Message) bool {
	for _, p := range m.Parts {
		switch p.(type) {
		case *llm.ToolCall, *llm.Thinking:
			return true
		}
	}
	return false
}

// said writes an instruction or what a user said: all but the results that stand elsewhere.
func (e *requestEncoder) said(h *history, m *llm.Message) {
	role := m.Role
	if role == llm.Developer && e.t.Compatible { // a word of OpenAI's
		role = llm.System
	}
	c := contentEncoder{requestEncoder: e, role: role, name: m.Name}
	for _, p := range m.Parts {
		switch p := p.(type) {
		case *llm.ToolResult:
			if h.orphan(p) {
				c.orphan(p)
			}
		default:
			c.part(p)
		}
	}
	c.finish()
}

// assistant writes a turn of the model. The format's order is thoughts, words, calls. A call
// without a result is left out: the format refuses it, and what the tool would have said is not
// to be invented.
func (e *requestEncoder) assistant(h *history, run []llm.Message) {
	before := len(e.B)
	c := contentEncoder{requestEncoder: e, role: llm.Assistant, name: run[0].Name}
	audio, calls := "", 0
	for i := range run {
		for _, p := range run[i].Parts {
			switch p := p.(type) {
			case *llm.ToolCall:
				if h.answered(p) {
					calls++
				} else {
					e.lose(lostCall)
				}
			case *llm.Media:
				if p.Kind == llm.Audio && p.FileID != "" && p.Origin == llm.Chat {
					audio = p.FileID
					continue
				}
				c.part(p)
			default:
				c.part(p)
			}
		}
	}
	thoughts := thoughtsOf(run)
	e.loseIf(thoughts != "" && !e.t.Compatible, lostThoughts)
	if !e.t.Compatible {
		thoughts = ""
	}
	switch {
	case c.count > 0:
		c.end()
	case calls > 0 || audio != "":
		c.head()
		e.raw("null")
	case thoughts != "":
		c.head()
		e.raw(`""`)
	default: // nothing was said
		e.B = e.B[:before]
		return
	}
	e.optional("reasoning_content", thoughts)
	if audio != "" {
		e.raw(`,"audio":{`)
		e.optional("id", audio)
		e.Close('}')
	}
	e.calls(h, run, calls)
	e.Close('}')
}

// thoughtsOf returns the readable thoughts of a turn.
func thoughtsOf(run []llm.Message) string {
	var list []string
	for i := range run {
		for _, p := range run[i].Parts {
			if t, ok := p.(*llm.Thinking); ok && t.Text != "" {
				list = append(list, t.Text)
			}
		}
	}
	return strings.Join(list, "\n\n")
}

func (e *requestEncoder) calls(h *history, run []llm.Message, n int) {
	var signed *llm.Thinking // directly before the call
	if n > 0 {
		e.Name("tool_calls")
		e.Open('[')
	}
	for i := range run {
		for _, p := range run[i].Parts {
			call, isCall := p.(*llm.ToolCall)
			isCall = isCall && h.answered(call)
			if isCall {
				e.call(call, signed)
			}
			e.loseIf(signed != nil && !isCall, lostSignature)
			signed = nil
			if t, ok := p.(*llm.Thinking); ok && t.Signature != "" {
				signed = t
			}
		}
	}
	e.loseIf(signed != nil, lostSignature)
	if n > 0 {
		e.Close(']')
	}
}

// call writes a call, and the signature before it if the upstream's own format carried it.
func (e *requestEncoder) call(call *llm.ToolCall, signed *llm.Thinking) {
	e.loseIf(call.Cache != nil, lostCache)
	e.Open('{')
	e.Text("id", llm.SafeID(call.ID, maxIDLength))
	if e.customs[call.Name] {
		e.raw(`,"type":"custom","custom":{`)
		e.Text("name", toolName(call.Name))
		e.Text("input", wire.UnwrapInput(call.Arguments))
	} else {
		e.raw(`,"type":"function","function":{`)
		e.Text("name", toolName(call.Name))
		e.Name("arguments")
		if call.Arguments == "" {
			e.raw(`"{}"`)
		} else {
			e.str(call.Arguments)
		}
	}
	e.Close('}')
	switch {
	case signed == nil:
	case signed.Origin == llm.Chat && signed.Text == "" && !signed.Redacted && e.t.Compatible:
		e.raw(`,"extra_content":{"google":{"thought_signature":`)
		e.str(signed.Signature)
		e.raw("}}")
	default:
		e.lose(lostSignature)
	}
	e.Close('}')
}

// results writes the results of a turn's calls, directly after it. OpenAI takes pictures
// only from users, compatible upstreams in results too; other media go to a user's message
// for both.
func (e *requestEncoder) results(h *history, run []llm.Message) {
	var attached []attachment
	for _, r := range h.resultsOf(run) {
		c := contentEncoder{requestEncoder: e, role: "tool", callID: llm.SafeID(r.ID, maxIDLength)}
		e.loseIf(r.Failed, lostFailed)
		e.loseIf(r.Cache != nil, lostCache)
		moved := 0
		for _, p := range spelledOut(r.Content) {
			m, isMedia := p.(*llm.Media)
			inPlace := !isMedia || m.Kind == llm.File && m.Text != "" || m.Kind == llm.Image && e.t.Compatible
			if inPlace {
				c.part(p)
				continue
			}
			attached = append(attached, attachment{c.callID, m})
			moved++
		}
		if c.count == 0 && moved > 0 {
			c.text("The result is in the message after the results.")
		}
		if c.count == 0 {
			c.head()
			e.raw(`""}`)
			continue
		}
		c.finish()
	}
	e.attachments(attached)
}

// attachment is a medium that cannot stand in the result it belongs to.
type attachment struct {
	call  string
	media *llm.Media
}

func (e *requestEncoder) attachments(list []attachment) {
	if len(list) == 0 {
		return
	}
	c := contentEncoder{requestEncoder: e, role: llm.User}
	for i, a := range list {
		if i == 0 || list[i-1].call != a.call {
			c.text("From the result of the tool call " + a.call + ":")
		}
		c.part(a.media)
	}
	c.finish()
}

// orphan says a result whose call is not in the history, which the format refuses, in
// words.
func (c *contentEncoder) orphan(r *llm.ToolResult) {
	name := r.Name
	if name == "" {
		name = "call " + r.ID
	}
	c.loseIf(r.Failed, lostFailed)
	c.loseIf(r.Cache != nil, lostCache)
	c.text("Result of the tool " + name + ":")
	for _, p := range spelledOut(r.Content) {
		c.part(p)
	}
}
