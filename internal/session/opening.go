package session

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/tidwall/gjson"
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
func openingHash(_ http.Header, b Body) (id, fallback string) {
	o := readOpening(b)
	if o.system == "" && o.user == "" {
		return "", ""
	}
	asked := fnvOffset.with("sys:", o.system).with("usr:", o.user)
	if o.assistant == "" {
		return asked.String(), ""
	}
	return asked.with("ast:", o.assistant).String(), asked.String()
}

// opening is the first text of each side of a conversation; empty = none.
type opening struct {
	system, user, assistant string
	items                   int // messages and parts looked at
}

func readOpening(b Body) opening {
	var o opening
	switch {
	case b.Messages != nil || b.System != nil:
		o.readMessages(parse(b.Messages), "content")
		if o.system == "" {
			o.system = o.firstText(parse(b.System))
		}
	case b.Contents != nil || b.SystemInstruction != nil:
		o.system = o.text(member(parse(b.SystemInstruction), "parts"))
		o.readMessages(parse(b.Contents), "parts")
	default:
		o.system = o.text(parse(b.Instructions))
		if input := parse(b.Input); input.IsArray() {
			o.readMessages(input, "content")
		} else {
			o.user = o.text(input)
		}
	}
	return o
}

// readMessages reads messages, whose texts lie in their member content, until both user
// and assistant have spoken: a system message that turns up after that must not change
// the key of a conversation under way.
func (o *opening) readMessages(messages gjson.Result, content string) {
	if !messages.IsArray() {
		return
	}
	messages.ForEach(func(_, message gjson.Result) bool {
		if !o.spend() {
			return false
		}
		if said := o.saidBy(message); said != nil && *said == "" {
			*said = o.text(member(message, content))
		}
		return o.user == "" || o.assistant == ""
	})
}

// saidBy returns where the text of a message belongs, nil for reasoning, tool items and
// roles that do not count.
func (o *opening) saidBy(message gjson.Result) *string {
	if kind := member(message, "type").Str; kind != "" && kind != "message" {
		return nil
	}
	switch member(message, "role").Str {
	case "system", "developer":
		return &o.system
	case "user", "": // Gemini lets the user's role be left out
		return &o.user
	case "assistant", "model":
		return &o.assistant
	default:
		return nil
	}
}

// text returns a content that is a string, or all texts of one that is a list of parts,
// joined by spaces; cut to maxTextBytes.
func (o *opening) text(content gjson.Result) string {
	if !content.IsArray() {
		return cut(content.Str)
	}
	var joined strings.Builder
	content.ForEach(func(_, part gjson.Result) bool {
		text := partText(part)
		if text != "" && joined.Len() > 0 {
			joined.WriteByte(' ')
		}
		joined.WriteString(text)
		return o.spend() && joined.Len() < maxTextBytes
	})
	return cut(joined.String())
}

// firstText returns a content that is a string, or the first text of one that is a list.
func (o *opening) firstText(content gjson.Result) string {
	if !content.IsArray() {
		return cut(content.Str)
	}
	var first string
	content.ForEach(func(_, part gjson.Result) bool {
		first = partText(part)
		return o.spend() && first == ""
	})
	return first
}

// spend counts one message or part and reports whether another may be looked at.
func (o *opening) spend() bool {
	o.items++
	return o.items <= maxItems
}

// partText returns the text of a content part, "" for an image or the like.
func partText(part gjson.Result) string {
	switch member(part, "type").Str {
	case "", "text", "input_text", "output_text":
		return cut(member(part, "text").Str)
	default:
		return ""
	}
}

func cut(text string) string { return text[:min(len(text), maxTextBytes)] }

// fnv1a is a running FNV-1a hash of 64 bits.
type fnv1a uint64

const (
	fnvOffset fnv1a = 14695981039346656037
	fnvPrime  fnv1a = 1099511628211
)

// with goes on with a labelled line of text; an absent text leaves no trace.
func (f fnv1a) with(label, text string) fnv1a {
	if text == "" {
		return f
	}
	return f.write(label).write(text).write("\n")
}

func (f fnv1a) write(s string) fnv1a {
	for i := range len(s) {
		f = (f ^ fnv1a(s[i])) * fnvPrime
	}
	return f
}

// String returns the hash in hexadecimal.
func (f fnv1a) String() string { return fmt.Sprintf("%016x", uint64(f)) }
