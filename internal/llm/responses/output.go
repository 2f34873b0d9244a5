package responses

import (
	"github.com/understudyhq/understudy/internal/llm"
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
	o := output{kind: kindOf(e), redacted: e.Redacted}
	switch o.kind {
	case words, refusal:
		o.id = r.itemID("msg_", index)
	case thought:
		o.id = r.itemID("rs_", index)
	case picture:
		o.id = r.itemID("ig_", index)
		o.media = e.Media
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
	w := writer{append(dst, '{')}
	w.plain("id", o.id)
	switch o.kind {
	case words, refusal:
		w.plain("type", "message")
		w.plain("status", status)
		w.plain("role", "assistant")
		w.name("content")
		w.b = append(w.b, '[')
		if status != inProgress {
			w.b = o.content(w.b, string(o.text))
		}
		w.b = append(w.b, ']')
	case thought:
		w.plain("type", "reasoning")
		w.name("summary")
		w.b = append(w.b, '[')
		if len(o.text) > 0 && status != inProgress {
			w.b = o.content(w.b, string(o.text))
		}
		w.b = append(w.b, ']')
		if o.encrypted != "" && status != inProgress {
			w.text("encrypted_content", o.encrypted)
		}
	case function, custom:
		o.call(&w, status)
	case picture:
		w.plain("type", "image_generation_call")
		w.plain("status", status)
		if status == inProgress {
			w.null("result")
		} else {
			w.text("result", o.media.Data)
			w.plain("output_format", pictureFormat(o.media.MIME))
		}
	}
	w.close('}')
	return w.b
}

func (o *output) call(w *writer, status string) {
	text := string(o.text)
	if status == inProgress {
		text = ""
	}
	if o.kind == custom {
		w.plain("type", "custom_tool_call")
		w.plain("status", status)
		w.text("input", text)
	} else {
		w.plain("type", "function_call")
		w.plain("status", status)
		w.text("arguments", text)
	}
	w.text("call_id", o.callID)
	w.text("name", o.name)
	if o.namespace != "" {
		w.text("namespace", o.namespace)
	}
}

// content appends a part of a message's content or of a summary, with a text.
func (o *output) content(dst []byte, text string) []byte {
	w := writer{append(dst, '{')}
	switch o.kind {
	case refusal:
		w.plain("type", "refusal")
		w.text("refusal", text)
	case thought:
		w.plain("type", "summary_text")
		w.text("text", text)
	default:
		w.plain("type", "output_text")
		w.literal("annotations", "[]")
		w.literal("logprobs", "[]")
		w.text("text", text)
	}
	w.close('}')
	return w.b
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
