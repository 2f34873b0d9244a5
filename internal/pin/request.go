package pin

import "net/http"

// Body holds the members of a request body that may name state, as raw, valid JSON; nil =
// absent.
type Body struct {
	PreviousResponseID []byte // previous_response_id, a string
	Thread             []byte // thread, an object with a previous_message_id
	Conversation       []byte // conversation, a string or an object with an id
}

// Of returns the state that a request needs, at most one of each kind: the previous
// response, the thread's previous message, the conversation, the turn. What does not count
// is left out as if it were absent; nil = none. The ids do not share memory with b.
func Of(h http.Header, b Body) []Pin {
	var pins []Pin
	add := func(k Kind, id string) {
		if id != "" {
			pins = append(pins, Pin{Kind: k, ID: id})
		}
	}
	add(Response, idIn(b.PreviousResponseID))
	add(Thread, idIn(member(b.Thread, "previous_message_id")))
	add(Conversation, idOrMember(b.Conversation, "id"))
	add(Turn, TurnState(h))
	return pins
}

// TurnState returns the state of a turn of Codex that the headers of a request or an answer
// hold, the first one that counts; "" = none. Names are in canonical form, as net/http has
// them.
func TurnState(h http.Header) string {
	for _, value := range h["X-Codex-Turn-State"] {
		if state := valid(value, maxTurnStateBytes); state != "" {
			return state
		}
	}
	return ""
}
