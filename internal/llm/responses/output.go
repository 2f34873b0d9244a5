package responses

import (
	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/internal/llm/wire"
)

// output is an item of an answer in the making.
type output struct {
	kind      outputKind
	id        string
	callID    string
	name      string // of a tool, its own
	namespace string
	text      []byte // words, thoughts, arguments or input, so far
	encrypted string // of a thought
	redacted  bool   // there is no readable text to it
	media     *llm.Media
}

type outputKind uint8

const (
	words outputKind = iota
	refusal
	thought
	function
	custom
	picture
	nothing // what the format has no word for
)

// Statuses of items and responses.
const (
	inProgress = "in_progress"
	completed  = "completed"
	incomplete = "incomplete"
	failed     = "failed"
)

// item makes the item of a part that begins. index is where it stands in the output.
func (r *reply) item(e llm.Event, index int) output {
	o := output{kind: kindOf(e), redacted: e.Redacted, media: e.Media}
	switch o.kind {
	case words, refusal:
		o.id = r.itemID("msg_", index)
	case thought:
		o.id = r.itemID("rs_", index)
	case picture:
		o.id = r.itemID("ig_", index)
	case function:
		o.callID = e.ID
		if o.callID == "" {
			o.callID = r.itemID("call_", index)
		}
		o.id = r.itemID("fc_", index)
		o.name = e.Name
		if t := r.Request.ToolNamed(e.Name, maxNameBytes, 128); t != nil {
			o.name, o.namespace = ownName(t), t.Namespace
			if t.Kind == llm.Custom {
				o.kind = custom
				o.id = r.itemID("ctc_", index)
			}
		}
		if o.name == "" { // the model's slip: clients expect something to call
			o.name = "unnamed"
		}
	}
	return o
}

func kindOf(e llm.Event) outputKind {
	switch e.Part {
	case llm.ThinkingPart:
		return thought
	case llm.RefusalPart:
		return refusal
	case llm.ToolCallPart:
		return function
	case llm.MediaPart:
		switch {
		case e.Media == nil:
			return nothing
		case e.Media.Kind == llm.Image && e.Media.Data != "":
			return picture
		case e.Media.URL != "":
			return words
		default:
			return nothing
		}
	default:
		return words
	}
}

// itemID is the same for the same answer.
func (r *reply) itemID(prefix string, index int) string {
	return llm.SafeID(prefix+r.suffix, maxIDBytes-4) + "_" + digits(index)
}

// append appends the item. The text of a function call is its arguments as they are: what
// is missing was added before.
func (o *output) append(dst []byte, status string) []byte {
	w := wire.Writer{B: append(dst, '{')}
	w.Plain("id", o.id)
	switch o.kind {
	case words, refusal:
		w.Plain("type", "message")
		w.Plain("status", status)
		w.Plain("role", "assistant")
		w.Name("content")
		w.B = append(w.B, '[')
		if status != inProgress {
			w.B = o.content(w.B, string(o.text))
		}
		w.B = append(w.B, ']')
	case thought:
		w.Plain("type", "reasoning")
		w.Name("summary")
		w.B = append(w.B, '[')
		if len(o.text) > 0 && status != inProgress {
			w.B = o.content(w.B, string(o.text))
		}
		w.B = append(w.B, ']')
		if o.encrypted != "" && status != inProgress {
			w.Text("encrypted_content", o.encrypted)
		}
	case function, custom:
		o.call(&w, status)
	case picture:
		w.Plain("type", "image_generation_call")
		w.Plain("status", status)
		if status == inProgress {
			w.Null("result")
		} else {
			w.Text("result", o.media.Data)
			w.Plain("output_format", pictureFormat(o.media.MIME))
		}
	}
	w.Close('}')
	return w.B
}

func (o *output) call(w *wire.Writer, status string) {
	text := string(o.text)
	if status == inProgress {
		text = ""
	}
	if o.kind == custom {
		w.Plain("type", "custom_tool_call")
		w.Plain("status", status)
		w.Text("input", text)
	} else {
		w.Plain("type", "function_call")
		w.Plain("status", status)
		w.Text("arguments", text)
	}
	w.Text("call_id", o.callID)
	w.Text("name", o.name)
	if o.namespace != "" {
		w.Text("namespace", o.namespace)
	}
}

// content appends a part of a message's content or of a summary, with a text.
func (o *output) content(dst []byte, text string) []byte {
	w := wire.Writer{B: append(dst, '{')}
	switch o.kind {
	case refusal:
		w.Plain("type", "refusal")
		w.Text("refusal", text)
	case thought:
		w.Plain("type", "summary_text")
		w.Text("text", text)
	default:
		w.Plain("type", "output_text")
		w.Literal("annotations", "[]")
		w.Literal("logprobs", "[]")
		w.Text("text", text)
	}
	w.Close('}')
	return w.B
}

// pictureFormat is a MIME type in the word of the vendor's image tool.
func pictureFormat(mime string) string {
	switch mime {
	case "image/jpeg", "image/jpg":
		return "jpeg"
	case "image/webp":
		return "webp"
	default:
		return "png"
	}
}

// pictureMIME is the reverse of pictureFormat.
func pictureMIME(format string) string {
	if format == "" {
		return "image/png"
	}
	return "image/" + format
}
