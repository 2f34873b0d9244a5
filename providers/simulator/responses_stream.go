package simulator

import (
	"strconv"

	"github.com/understudyhq/understudy/providers/simulator/prompt"
)

// responseStream numbers the events and the items of one streamed response.
type responseStream struct {
	x    *exchange
	next int // event
	item int
}

func (x *exchange) streamResponse(q question, r prompt.Reply, items []object) {
	x.startStream(eventStream)
	s := &responseStream{x: x}
	s.send("response.created", object{"response": x.response(q.prompt, "in_progress", []object{})})
	s.send("response.in_progress", object{"response": x.response(q.prompt, "in_progress", []object{})})
	for i, item := range items {
		s.item = i
		switch item["type"] {
		case "message":
			s.message(r, item)
		case "function_call":
			s.call(r, item)
		default:
			s.begin(item)
			s.end(item)
		}
	}
	final := x.finalResponse(q.prompt, r, items)
	x.keep(q.before, q.input, final)
	s.send("response."+final["status"].(string), object{"response": final})
}

func (s *responseStream) message(r prompt.Reply, item object) {
	at := func(o object) object {
		o["item_id"], o["output_index"], o["content_index"] = item["id"], s.item, 0
		return o
	}
	s.begin(s.x.outputItem(r, "in_progress"))
	s.send("response.content_part.added", at(object{"part": outputText("")}))
	s.deltas("response.output_text.delta", at(object{"logprobs": []any{}}), r)
	s.send("response.output_text.done", at(object{"text": r.Text, "logprobs": []any{}}))
	s.send("response.content_part.done", at(object{"part": outputText(r.Text)}))
	s.end(item)
}

func (s *responseStream) call(r prompt.Reply, item object) {
	at := func(o object) object {
		o["item_id"], o["output_index"] = item["id"], s.item
		return o
	}
	s.begin(s.x.outputItem(r, "in_progress"))
	s.deltas("response.function_call_arguments.delta", at(object{}), r)
	s.send("response.function_call_arguments.done", at(object{"name": r.Call.Name, "arguments": r.Call.Args}))
	s.end(item)
}

func (s *responseStream) begin(item object) {
	s.send("response.output_item.added", object{"output_index": s.item, "item": item})
}

func (s *responseStream) end(item object) {
	s.send("response.output_item.done", object{"output_index": s.item, "item": item})
}

func (s *responseStream) send(name string, data object) {
	data["type"], data["sequence_number"] = name, s.next
	s.next++
	s.x.event(name, data)
}

// deltas sends an answer piece by piece.
func (s *responseStream) deltas(name string, data object, r prompt.Reply) {
	data["type"], data["delta"], data["sequence_number"] = name, hole, hole
	t := newTemplate(name, data)
	for piece := range r.Pieces() {
		s.x.fill(t, quote(piece), strconv.Itoa(s.next))
		s.next++
	}
}
