package simulator

import "strconv"

// responseStream numbers the events of one streamed response.
type responseStream struct {
	x    *exchange
	next int
}

func (x *exchange) streamResponse(p *prompt, r reply, item object) {
	x.startStream(eventStream)
	s := &responseStream{x: x}
	s.send("response.created", object{"response": x.response(p, "in_progress", []object{})})
	s.send("response.in_progress", object{"response": x.response(p, "in_progress", []object{})})
	switch item["type"] {
	case "message":
		s.message(r, item)
	case "function_call":
		s.call(r, item)
	default:
		s.send("response.output_item.added", object{"output_index": 0, "item": item})
		s.send("response.output_item.done", object{"output_index": 0, "item": item})
	}
	final := x.finalResponse(p, r, item)
	s.send("response."+final["status"].(string), object{"response": final})
}

func (s *responseStream) message(r reply, item object) {
	at := func(o object) object {
		o["item_id"], o["output_index"], o["content_index"] = item["id"], 0, 0
		return o
	}
	s.send("response.output_item.added", object{"output_index": 0, "item": s.x.outputItem(r, "in_progress")})
	s.send("response.content_part.added", at(object{"part": outputText("")}))
	s.deltas("response.output_text.delta", at(object{"logprobs": []any{}}), r)
	s.send("response.output_text.done", at(object{"text": r.text, "logprobs": []any{}}))
	s.send("response.content_part.done", at(object{"part": outputText(r.text)}))
	s.send("response.output_item.done", object{"output_index": 0, "item": item})
}

func (s *responseStream) call(r reply, item object) {
	at := func(o object) object {
		o["item_id"], o["output_index"] = item["id"], 0
		return o
	}
	s.send("response.output_item.added", object{"output_index": 0, "item": s.x.outputItem(r, "in_progress")})
	s.deltas("response.function_call_arguments.delta", at(object{}), r)
	s.send("response.function_call_arguments.done", at(object{"name": r.call.name, "arguments": r.call.args}))
	s.send("response.output_item.done", object{"output_index": 0, "item": item})
}

func (s *responseStream) send(name string, data object) {
	data["type"], data["sequence_number"] = name, s.next
	s.next++
	s.x.event(name, data)
}

// deltas sends an answer piece by piece.
func (s *responseStream) deltas(name string, data object, r reply) {
	data["type"], data["delta"], data["sequence_number"] = name, hole, hole
	t := newTemplate(name, data)
	for piece := range r.pieces() {
		s.x.fill(t, quote(piece), strconv.Itoa(s.next))
		s.next++
	}
}
