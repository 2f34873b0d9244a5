package pin

import "github.com/understudyhq/understudy/internal/jsonwalk"

// FromResponse returns the ids of the response and of the conversation that data tells of;
// "" = none. data is a whole answer of the Responses API, or that of an event which holds
// the response. Of what is no valid JSON it makes something. Nothing returned shares memory
// with data.
func FromResponse(data []byte) (response, conversation string) {
	answer := objectIn(data, "response")
	return idIn(member(answer, "id")), idOrMember(member(answer, "conversation"), "id")
}

// FromItem returns the keys of the encrypted contents in data: that of an event with one
// item (response.output_item.done), a whole answer of the Responses API, or that of an
// event which holds the response. nil = none, which costs next to nothing if the word is not
// in there. Of what is no valid JSON it makes something.
func FromItem(data []byte) []Key {
	if !mayBeEncrypted(data) {
		return nil
	}
	var keys []Key
	if content := jsonwalk.Inner(member(member(data, "item"), "encrypted_content")); len(content) > 0 {
		keys = append(keys, contentKey(content))
	}
	for _, found := range encrypted(member(objectIn(data, "response"), "output")) {
		keys = append(keys, found.Key)
	}
	return keys
}

// FromMessage returns the id of the Anthropic message that data tells of; "" = none. data is
// a whole answer, or that of a message_start. Of what is no valid JSON it makes something.
// The id does not share memory with data.
func FromMessage(data []byte) string { return idIn(member(objectIn(data, "message"), "id")) }

// objectIn returns the member name of an event's data if it is an object, else the data:
// then they are the object.
func objectIn(data []byte, name string) []byte {
	inside := member(data, name)
	if w := (jsonwalk.Walk{JSON: inside}); w.Enter('{') {
		return inside
	}
	return data
}
