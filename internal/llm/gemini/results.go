package gemini

import (
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/understudyhq/understudy/internal/llm"
)

// result writes a tool's result in its place. Those of the calls just made are written
// together when the content after them begins; others have been written already.
func (t *turns) result(p *llm.ToolResult) error {
	if t.paired[p] != nil {
		t.lost.when(p.Cache != nil, lostCache)
		t.open("user")
		return nil
	}
	return t.orphan(p)
}

// orphan writes a result that no call goes before, which Google refuses, as words.
func (t *turns) orphan(p *llm.ToolResult) error {
	name := p.Name
	if name == "" {
		name = p.ID
	}
	lead := "Result of the tool " + name + ":"
	if p.Failed {
		lead = "Error of the tool " + name + ":"
	}
	said, media := t.split(p)
	t.say("user", strings.TrimSuffix(lead+"\n"+said, "\n"))
	for _, m := range media {
		if err := t.part("user", m); err != nil {
			return err
		}
	}
	return nil
}

// results writes those of the owed calls, in the order of the calls.
func (t *turns) results() {
	var beside []*llm.Media
	for _, call := range t.owed {
		if answer := t.answers[call]; answer != nil {
			beside = append(beside, t.response(call, answer)...)
		}
	}
	t.owed = t.owed[:0]
	for _, m := range beside {
		if t.err == nil {
			t.err = t.part("user", m)
		}
	}
}

// response writes one result and returns the media that have no place in it.
func (t *turns) response(call *llm.ToolCall, r *llm.ToolResult) (beside []*llm.Media) {
	said, media := t.split(r)
	t.begin()
	t.member(`"functionResponse":`)
	t.raw("{")
	if call.ID != "" {
		t.str(`"id":`, llm.SafeID(call.ID, idLimit))
	}
	t.str(`"name":`, toolName(call.Name))
	t.member(`"response":`)
	t.outcome(said, r)
	within := false
	for _, m := range media {
		// Older models take no media in a result, and no model takes addresses there.
		if t.model == legacy || m.Data == "" && m.Text == "" {
			beside = append(beside, m)
			continue
		}
		if !within {
			within = true
			t.member(`"parts":`)
			t.raw("[")
		}
		t.begin()
		if err := t.media(m); err != nil && t.err == nil {
			t.err = err
		}
		t.raw("}")
	}
	if within {
		t.raw("]")
	}
	t.raw("}}")
	return beside
}

// outcome writes what the tool said as an object: by Google's convention its member output
// is the result and error is why there is none; without them the object is the result.
func (t *turns) outcome(said string, r *llm.ToolResult) {
	var value []byte
	if r.Structured && isValue([]byte(said)) {
		value = []byte(said)
	}
	if jsontext.Value(value).Kind() == '{' && !r.Failed {
		t.value(value)
		return
	}
	t.raw("{")
	if r.Failed {
		t.member(`"error":`)
	} else {
		t.member(`"output":`)
	}
	if value != nil {
		t.value(value)
	} else {
		t.str("", said)
	}
	t.raw("}")
}

// split returns a result's words, a line each, and its media.
func (t *turns) split(r *llm.ToolResult) (said string, media []*llm.Media) {
	var words []string
	for _, p := range r.Content {
		switch p := p.(type) {
		case *llm.Text:
			t.lost.when(p.Cache != nil, lostCache)
			if p.Text != "" {
				words = append(words, p.Text)
			}
		case *llm.Media:
			media = append(media, p)
		default:
			t.lost.add(lostOpaque)
		}
	}
	if len(words) == 1 {
		return words[0], media
	}
	return strings.Join(words, "\n"), media
}
