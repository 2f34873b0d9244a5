package session

import (
	"fmt"
	"sync"

	"github.com/understudyhq/understudy/internal/jsonwalk"
)

// Bounds of what is read of an opening. They are part of the hash's definition: a text cut
// elsewhere makes another key.
const (
	// maxTextBytes of each text count. Many sessions of one agent share their first
	// kilobytes, so less would merge them.
	maxTextBytes = 64 << 10
	// maxItems messages and content parts are looked at, lest a body of a million empty
	// ones cost more than its scan. Conversations grow at their end: keys stay stable.
	maxItems = 4096
)

// openingHash recognises a conversation that nobody named by how it began. Before the
// assistant's first text there is only a hash of the rest; later that is the fallback, so
// that turn 2 inherits what turn 1 was bound to.
func openingHash(b Body) (id, fallback string) {
	o := readOpening(b)
	if o.system == nil && o.user == nil {
		return "", ""
	}
	scratch := scratches.Get().(*[]byte)
	defer scratches.Put(scratch)
	asked := fnvOffset.with("sys:", o.system, scratch).with("usr:", o.user, scratch)
	if o.assistant == nil {
		return asked.String(), ""
	}
	return asked.with("ast:", o.assistant, scratch).String(), asked.String()
}

// scratches are where texts are unescaped before they are hashed.
var scratches = sync.Pool{New: func() any { return new([]byte) }}

// text is the parts of one text, each the inside of a JSON string, none empty; nil = absent.
type text [][]byte

// opening is the first text of each side of a conversation.
type opening struct {
	system, user, assistant text
	items                   int // messages and parts looked at
}

func readOpening(b Body) opening {
	var o opening
	switch {
	case b.Messages != nil || b.System != nil:
		o.readMessages(b.Messages, "content")
		if o.system == nil {
			o.system = o.text(b.System, 1)
		}
	case b.Contents != nil || b.SystemInstruction != nil:
		if w := (jsonwalk.Walk{JSON: b.SystemInstruction}); w.Enter('{') {
			w.Members(func(name, value []byte) {
				if string(name) == "parts" {
					o.system = o.text(value, maxItems)
				}
			})
		}
		o.readMessages(b.Contents, "parts")
	default:
		o.system = o.text(b.Instructions, maxItems)
		if jsonwalk.IsArray(b.Input) {
			o.readMessages(b.Input, "content")
		} else {
			o.user = o.text(b.Input, 1)
		}
	}
	return o
}

// readMessages reads messages, whose texts lie in their member content, until both user
// and assistant have spoken: a system message that turns up after that must not change
// the key of a conversation under way.
func (o *opening) readMessages(messages []byte, content string) {
	w := jsonwalk.Walk{JSON: messages}
	if !w.Enter('[') {
		return
	}
	for o.spend() && (o.user == nil || o.assistant == nil) {
		if !w.Enter('{') {
			if w.Next() == nil {
				return
			}
			continue // no message
		}
		var kind, role, said []byte
		w.Members(func(name, value []byte) {
			switch string(name) {
			case "type":
				kind = jsonwalk.Inner(value)
			case "role":
				role = jsonwalk.Inner(value)
			case content:
				said = value
			}
		})
		if len(role) == 0 && content == "parts" {
			role = []byte("user") // Gemini lets the user's role be left out
		}
		if by := o.saidBy(string(kind), string(role)); by != nil && *by == nil {
			*by = o.text(said, maxItems)
		}
	}
}

// saidBy returns where the text of a message belongs, nil for reasoning, tool items and
// roles that do not count.
func (o *opening) saidBy(kind, role string) *text {
	if kind != "" && kind != "message" {
		return nil
	}
	switch role {
	case "system", "developer":
		return &o.system
	case "user":
		return &o.user
	case "assistant", "model":
		return &o.assistant
	default:
		return nil
	}
}

// text returns a content that is a string, or the first most texts of one that is a list
// of parts.
func (o *opening) text(content []byte, most int) text {
	w := jsonwalk.Walk{JSON: content}
	if !w.Enter('[') {
		return text(nil).and(jsonwalk.Inner(content))
	}
	var t text
	for total := 0; o.spend() && total < maxTextBytes && len(t) < most; {
		var found []byte
		if w.Enter('{') {
			found = partText(&w)
		} else if w.Next() == nil {
			return t
		}
		t, total = t.and(found), total+len(found)/maxEscape
	}
	return t
}

// maxEscape is how many bytes of JSON stand for one byte of text at the most.
const maxEscape = 6

// and returns t with another part, unless that is empty.
func (t text) and(part []byte) text {
	if len(part) == 0 {
		return t
	}
	return append(t, part)
}

// spend counts one message or part and reports whether it may be looked at.
func (o *opening) spend() bool {
	o.items++
	return o.items <= maxItems
}

// partText returns the text of the content part that was entered, nothing for an image or
// the like.
func partText(w *jsonwalk.Walk) []byte {
	var kind, found []byte
	w.Members(func(name, value []byte) {
		switch string(name) {
		case "type":
			kind = jsonwalk.Inner(value)
		case "text":
			found = jsonwalk.Inner(value)
		}
	})
	switch string(kind) {
	case "", "text", "input_text", "output_text":
		return found
	default:
		return nil
	}
}

// fnv1a is a running FNV-1a hash of 64 bits.
type fnv1a uint64

const (
	fnvOffset fnv1a = 14695981039346656037
	fnvPrime  fnv1a = 1099511628211
)

// with goes on with a labelled line of text, whose parts are joined by spaces and of which
// maxTextBytes count; an absent text leaves no trace. scratch is overwritten.
func (f fnv1a) with(label string, t text, scratch *[]byte) fnv1a {
	if t == nil {
		return f
	}
	line := (*scratch)[:0]
	line = append(line, label...)
	limit := len(line) + maxTextBytes
	for i, part := range t {
		if i > 0 && len(line) < limit {
			line = append(line, ' ')
		}
		line = jsonwalk.Unescape(line, part, limit)
	}
	line = append(line, '\n')
	*scratch = line
	return f.write(line)
}

func (f fnv1a) write(line []byte) fnv1a {
	for _, c := range line {
		f = (f ^ fnv1a(c)) * fnvPrime
	}
	return f
}

// String returns the hash in hexadecimal.
func (f fnv1a) String() string { return fmt.Sprintf("%016x", uint64(f)) }
