package simulator

import (
	"net/http"

	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy/providers/simulator/memory"
	"github.com/understudyhq/understudy/providers/simulator/refusal"
)

// past is what was said before a Responses request, and where it is known from.
type past struct {
	items        []string // as JSON
	conversation string   // id; empty = none
}

// past finds what the request goes on from: an earlier response, or a conversation.
func (x *exchange) past() (past, *refusal.Failure) {
	previous := x.body.Get("previous_response_id").Str
	conversation := x.body.Get("conversation")
	if conversation.IsObject() {
		conversation = conversation.Get("id")
	}
	switch {
	case previous != "" && conversation.Str != "":
		return past{}, refusal.Invalid("previous_response_id",
			"Mutually exclusive parameters: 'previous_response_id' and 'conversation'.")
	case previous != "":
		t, ok := x.credential.account.Recall(previous)
		if !ok {
			f := refusal.Invalid("previous_response_id", "Previous response with id '"+previous+"' not found.")
			f.Code = "previous_response_not_found"
			return past{}, f
		}
		return past{items: t.Transcript}, nil
	case conversation.Str != "":
		items, ok := x.upstream.conversations.Open(conversation.Str, x.credential.account)
		if !ok {
			return past{}, &refusal.Failure{
				Status: http.StatusNotFound, Param: "conversation", Message: "Conversation with id '" + conversation.Str + "' not found.",
			}
		}
		return past{items: items, conversation: conversation.Str}, nil
	default:
		return past{}, nil
	}
}

// inputItems returns the items of a Responses request as JSON. An input that is a string
// is one message.
func inputItems(input gjson.Result) []string {
	if input.Type == gjson.String {
		return []string{string(marshal(object{"type": "message", "role": "user", "content": input.Str}))}
	}
	var items []string
	input.ForEach(func(_, item gjson.Result) bool {
		items = append(items, item.Raw)
		return true
	})
	return items
}

// keep remembers an answer, and says it in its conversation, before the client knows it.
func (x *exchange) keep(before past, input []string, answer object) {
	output := answer["output"].([]object)
	said := make([]string, len(output))
	for i, item := range output {
		said[i] = string(marshal(item))
	}
	x.credential.account.Remember(x.id("resp_"), memory.Turn{
		Input:      input,
		Answer:     marshal(answer),
		Stored:     x.body.Get("store").Type != gjson.False,
		Background: x.body.Get("background").Bool(),
	}, before.items, said)
	if before.conversation != "" {
		x.upstream.conversations.Add(before.conversation, x.credential.account, append(input, said...))
	}
}

// unreadable refuses input items that hold what another account has encrypted.
func (x *exchange) unreadable(input []string) *refusal.Failure {
	for _, item := range input {
		text := gjson.Get(item, "encrypted_content").Str
		if text == "" || x.credential.account.CanRead(text) {
			continue
		}
		f := refusal.Invalid("", "The encrypted content "+abbreviated(text)+" could not be verified. "+
			"Reason: Encrypted content organization_id did not match the target organization.")
		f.Code = "invalid_encrypted_content"
		return f
	}
	return nil
}

// abbreviated shows both ends of a long text.
func abbreviated(text string) string {
	const shown = 4
	if len(text) <= 2*shown {
		return text
	}
	return text[:shown] + "..." + text[len(text)-shown:]
}
