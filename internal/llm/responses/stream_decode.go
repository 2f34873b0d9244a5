package responses

import (
	"bytes"
	"strings"

	"github.com/understudyhq/understudy/internal/jsonwalk"
	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/internal/llm/wire"
)

// streamDecoder reads one streamed answer. Whole items are read by it too, so that an answer
// is the same whichever way it came.
type streamDecoder struct {
	started, over bool
	id            string
	items         []itemState // in the order in which they began
	next          int         // the index of the next part
	calls         bool        // a tool was called
	refused       bool
	escaped       []byte // of a custom tool's input
}

// maxParts bounds what a stream can make its reader remember.
const maxParts = 10_000

// StreamDecoder reads one streamed answer. Its end marks are response.completed,
// response.incomplete, response.failed and error: without one there is no Finish.
func (Codec) StreamDecoder() llm.StreamDecoder { return &streamDecoder{} }

// Close adds nothing: the end mark has come, or the stream broke off.
func (s *streamDecoder) Close(out []llm.Event) []llm.Event { return out }

// event is a wire event of any type; which members count depends on it.
type event struct {
	OutputIndex  *int      `json:"output_index"`
	ContentIndex int       `json:"content_index"`
	ItemID       wire.Word `json:"item_id"`
	Text         wire.Word `json:"text"`
	Refusal      wire.Word `json:"refusal"`
	Arguments    wire.Word `json:"arguments"`
	Input        wire.Word `json:"input"`
	Name         wire.Word `json:"name"`
	Item         *outItem  `json:"item"`
	Part         *outPart  `json:"part"`
	Response     *response `json:"response"`
}

// Decode appends to out what one wire event says.
func (s *streamDecoder) Decode(out []llm.Event, name, data []byte) ([]llm.Event, error) {
	if len(s.items) > maxParts || s.next > maxParts {
		return out, &llm.DecodeError{Reason: "an answer of too many parts"}
	}
	if s.over || len(data) == 0 || bytes.Equal(bytes.TrimSpace(data), []byte("[DONE]")) {
		return out, nil
	}
	p, ok := look(data)
	if !ok {
		return out, &llm.DecodeError{Reason: "an event is not valid JSON"}
	}
	if p.kind == nil {
		p.kind = name
	}
	switch string(p.kind) {
	case "response.output_text.delta":
		return s.delta(out, &p, llm.TextPart), nil
	case "response.refusal.delta":
		return s.delta(out, &p, llm.RefusalPart), nil
	case "response.reasoning_summary_text.delta":
		return s.thoughtDelta(out, &p, fromSummary), nil
	case "response.reasoning_text.delta":
		return s.thoughtDelta(out, &p, fromContent), nil
	case "response.function_call_arguments.delta":
		return s.argumentsDelta(out, &p, false), nil
	case "response.custom_tool_call_input.delta":
		return s.argumentsDelta(out, &p, true), nil
	case "error":
		return s.fail(out, Codec{}.DecodeError(0, data)), nil
	}
	return s.decode(out, string(p.kind), data)
}

// decode takes the events that come once for each item or answer.
func (s *streamDecoder) decode(out []llm.Event, kind string, data []byte) ([]llm.Event, error) {
	switch kind {
	case "response.created", "response.in_progress", "response.queued", "response.completed", "response.done",
		"response.incomplete", "response.failed", "response.cancelled", "response.output_item.added",
		"response.output_item.done", "response.content_part.added", "response.content_part.done",
		"response.output_text.done", "response.refusal.done", "response.reasoning_summary_text.done",
		"response.reasoning_text.done", "response.function_call_arguments.done", "response.custom_tool_call_input.done":
	default:
		return out, nil
	}
	var e event
	if err := wire.Decode(data, &e); err != nil {
		return out, err
	}
	if e.Response == nil {
		e.Response = &response{}
	}
	switch kind {
	case "response.created", "response.in_progress", "response.queued":
		return s.start(out, e.Response), nil
	case "response.completed", "response.done":
		return s.terminal(out, e.Response, completed), nil
	case "response.incomplete":
		return s.terminal(out, e.Response, incomplete), nil
	case "response.failed", "response.cancelled":
		return s.terminal(out, e.Response, failed), nil
	case "response.output_item.added":
		return s.added(out, &e), nil
	case "response.output_item.done":
		if e.Item == nil {
			return out, nil
		}
		return s.itemDone(out, s.itemOf(e.OutputIndex, []byte(e.Item.ID)), e.Item), nil
	}
	it := s.itemOf(e.OutputIndex, []byte(e.ItemID))
	switch kind {
	case "response.content_part.added", "response.content_part.done":
		if e.Part != nil {
			out = s.partSeen(out, it, e.ContentIndex, e.Part)
		}
	case "response.output_text.done":
		out = s.text(out, it, e.ContentIndex, llm.TextPart, string(e.Text))
	case "response.refusal.done":
		out = s.text(out, it, e.ContentIndex, llm.RefusalPart, string(e.Refusal))
	case "response.function_call_arguments.done":
		out = s.argumentsDone(out, it, &outItem{Name: e.Name, Arguments: e.Arguments}, false)
	case "response.custom_tool_call_input.done":
		out = s.argumentsDone(out, it, &outItem{Name: e.Name, Input: e.Input}, true)
	}
	return out, nil
}

// piece is what a delta consists of. Its slices are the event's own.
type piece struct {
	kind, delta, item []byte
	index, content    int // content: of a part or of a summary
	hasIndex          bool
}

// look finds the members of a delta in an event, without decoding the rest; of an event of
// another kind it is enough to find the kind. It reports false for what is no whole object.
func look(data []byte) (p piece, ok bool) {
	w := jsonwalk.Walk{JSON: data}
	if !w.Enter('{') {
		return p, false
	}
	for name := w.Next(); name != nil; name = w.Next() {
		value := w.Next()
		if value == nil {
			return p, false
		}
		switch string(name) {
		case `"type"`:
			p.kind = jsonwalk.Inner(value)
			if !bytes.HasSuffix(p.kind, []byte(".delta")) {
				return p, true // decoded, and so checked, as a whole
			}
		case `"delta"`:
			p.delta = value
		case `"item_id"`:
			p.item = jsonwalk.Inner(value)
		case `"output_index"`:
			p.index, p.hasIndex = number(value)
		case `"content_index"`, `"summary_index"`:
			p.content, _ = number(value)
		}
	}
	end := len(bytes.TrimRight(data, " \t\r\n"))
	return p, w.At == end && data[end-1] == '}'
}

// number reads a small number without a sign.
func number(raw []byte) (n int, ok bool) {
	if len(raw) == 0 || len(raw) > 9 {
		return 0, false
	}
	for _, c := range raw {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}

// text is what a delta's string stands for.
func (p *piece) text() string {
	inner := jsonwalk.Inner(p.delta)
	if bytes.IndexByte(inner, '\\') < 0 {
		return strings.ToValidUTF8(string(inner), "�")
	}
	return strings.ToValidUTF8(string(jsonwalk.Unescape(make([]byte, 0, len(inner)), inner, len(inner))), "�")
}

func (s *streamDecoder) start(out []llm.Event, r *response) []llm.Event {
	if s.started {
		return out
	}
	s.started = true
	s.id = string(r.ID)
	return append(out, llm.Event{Kind: llm.Start, ID: s.id, Model: string(r.Model)})
}

// terminal takes the end of the answer. What of its items has not been streamed comes now.
func (s *streamDecoder) terminal(out []llm.Event, r *response, status string) []llm.Event {
	out = s.start(out, r)
	out = s.missed(out, r.Output)
	if r.Status != "" {
		status = string(r.Status)
	}
	if r.Error.told() || status == failed || status == "cancelled" {
		if status == "cancelled" && !r.Error.told() {
			r.Error.Message = "The answer was cancelled."
		}
		return s.fail(out, r.Error.failure())
	}
	for i := range s.items {
		out = s.endItem(out, &s.items[i])
	}
	s.over = true
	return append(out, llm.Event{Kind: llm.Finish, Reason: s.reason(status, string(r.Incomplete.Reason)), Usage: r.Usage.canonical()})
}

// missed takes the items of the whole answer that have not come to their end by themselves.
func (s *streamDecoder) missed(out []llm.Event, items []outItem) []llm.Event {
	done := 0
	for i := range s.items {
		if s.items[i].done {
			done++
		}
	}
	if done >= len(items) && done > 0 {
		return out
	}
	for i := range items {
		it := s.findItem(&i, nil)
		if it == nil && items[i].ID != "" {
			it = s.findItem(nil, []byte(items[i].ID))
		}
		if it == nil {
			it = s.newItem(&i, []byte(items[i].ID))
		}
		if !it.done {
			out = s.itemDone(out, it, &items[i])
		}
	}
	return out
}

func (s *streamDecoder) fail(out []llm.Event, f *llm.Failure) []llm.Event {
	s.over = true
	return append(out, llm.Event{Kind: llm.Failed, Failure: f})
}

func (s *streamDecoder) reason(status, why string) llm.FinishReason {
	switch {
	case status == incomplete && why == "content_filter":
		return llm.Filtered
	case status == incomplete:
		return llm.Length
	case s.calls:
		return llm.ToolCalls
	case s.refused:
		return llm.Refused
	default:
		return llm.Stop
	}
}
