package messages

import (
	"strconv"
	"strings"

	"github.com/understudyhq/understudy/internal/llm"
)

// view is how a client sees an answer, by what it has asked.
type view struct {
	reply llm.Reply
	// hidden says that the client does not want to read thoughts. Their signatures it gets
	// all the same: the next request may need them.
	hidden bool
}

func newView(r llm.Reply) view {
	rs := r.Request.Reasoning
	return view{reply: r, hidden: rs.Off() || rs.Show != nil && !*rs.Show}
}

// id names the answer: as its upstream does, or by the reply's name.
func (v *view) id(of string) string {
	switch {
	case of != "":
		return of
	case strings.HasPrefix(v.reply.ID, "msg_"):
		return v.reply.ID
	case v.reply.ID != "":
		return "msg_" + v.reply.ID
	default:
		return llm.NewID("msg_", v.reply.Request.Model)
	}
}

func (v *view) model(of string) string {
	if of == "" {
		return v.reply.Request.Model
	}
	return of
}

// callID is a tool call's id in the format's alphabet, or one made of the answer's and the
// number of its part.
func (v *view) callID(of string, part int) string {
	if of == "" {
		return llm.NewID("toolu_", v.reply.ID, strconv.Itoa(part))
	}
	return llm.SafeID(of, idLimit)
}

// unnamed is what a call is called that its upstream has given no name.
const unnamed = "unnamed_tool"

// toolName is what the client calls a tool. Upstreams see a name that fits their alphabet
// and length; the client gets its own back.
func (v *view) toolName(of string) string {
	if of == "" {
		return unnamed
	}
	tools := v.reply.Request.Tools
	for i := range tools {
		if tools[i].Name == of {
			return of
		}
	}
	for i := range tools {
		if name := tools[i].Name; llm.SafeID(name, chatNameLimit) == of || llm.SafeID(name, nameLimit) == of {
			return name
		}
	}
	return of
}

// chatNameLimit is how long a tool's name may be in the other vendors' formats.
const chatNameLimit = 64

// instead is what stands for a medium in an answer, where the format has words only.
func instead(m *llm.Media) string {
	if m == nil {
		return ""
	}
	if m.URL != "" {
		return m.URL
	}
	return "[" + describe(m) + ", which this format cannot show]"
}
