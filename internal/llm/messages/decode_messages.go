package messages

import (
	"slices"
	"strings"

	"github.com/understudyhq/understudy/internal/llm"
)

// The tag in which a system message in the middle of a conversation becomes a user's.
const (
	reminderOpen  = "<system-reminder>"
	reminderClose = "</system-reminder>"
)

func (r *reader) system() error {
	r.instructions = nil
	return r.content(func(p llm.Part) { r.instructions = append(r.instructions, p) })
}

func (r *reader) messages() error {
	r.out.Messages, r.leading, r.passing = nil, nil, nil
	return r.array(r.message)
}

func (r *reader) message() error {
	if r.dec.PeekKind() != '{' {
		return r.unexpected("an object")
	}
	var (
		m       llm.Message
		role    string
		clearAt string
		effort  string
	)
	err := r.object(func(name []byte) error {
		switch string(name) {
		case "role":
			return r.text(&role)
		case "content":
			m.Parts = nil
			return r.content(func(p llm.Part) { m.Parts = append(m.Parts, p) })
		case "clear_at":
			return r.text(&clearAt)
		case "output_config":
			return r.messageEffort(&effort)
		default:
			return r.unknown("messages.", name)
		}
	})
	if err != nil {
		return err
	}
	switch role {
	case "user":
		r.pass()
		m.Role = llm.User
	case "assistant":
		m.Role = llm.Assistant
	case "system", "developer":
		return r.instruction(m, effort, clearAt == "next_user_message")
	default:
		return r.fail("role must be user, assistant or system")
	}
	r.out.Messages = append(r.out.Messages, m)
	return nil
}

func (r *reader) messageEffort(effort *string) error {
	return r.object(func(name []byte) error {
		if string(name) == "effort" {
			return r.text(effort)
		}
		return r.unknown("messages.output_config.", name)
	})
}

// instruction takes a system message among the others. Before all others it is what system
// says; later it is a reminder in the place of a user message. Its effort holds from there on.
func (r *reader) instruction(m llm.Message, effort string, passes bool) error {
	if effort != "" {
		r.efforts.turn = effort
	}
	if len(m.Parts) == 0 {
		return nil
	}
	if len(r.out.Messages) == 0 {
		r.leading = append(r.leading, m.Parts...)
		return nil
	}
	m.Role = llm.User
	for _, p := range m.Parts {
		if t, ok := p.(*llm.Text); ok && !strings.HasPrefix(t.Text, reminderOpen) {
			t.Text = reminderOpen + "\n" + t.Text + "\n" + reminderClose
		}
	}
	if passes {
		r.passing = append(r.passing, len(r.out.Messages))
	}
	r.out.Messages = append(r.out.Messages, m)
	return nil
}

// pass drops the system messages that were meant for the turn that ends here: the vendor
// does not show them to the model any more.
func (r *reader) pass() {
	for _, i := range slices.Backward(r.passing) {
		r.out.Messages = slices.Delete(r.out.Messages, i, i+1)
	}
	r.passing = nil
}

// lead puts the instructions before the conversation.
func (r *reader) lead() {
	parts := slices.Concat(r.instructions, r.leading)
	if len(parts) == 0 {
		return
	}
	system := llm.Message{Role: llm.System, Parts: parts}
	r.out.Messages = slices.Insert(r.out.Messages, 0, system)
}

// content reads text, or blocks. Empty text is no part.
func (r *reader) content(add func(llm.Part)) error {
	switch r.dec.PeekKind() {
	case '"':
		var t llm.Text
		err := r.text(&t.Text)
		if t.Text != "" {
			add(&t)
		}
		return err
	case '[', 'n':
		return r.array(func() error {
			p, err := r.block()
			if p != nil {
				add(p)
			}
			return err
		})
	default:
		return r.unexpected("text or an array of blocks")
	}
}
