package translate

import (
	"bytes"
	"strconv"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/internal/llm/messages"
	"github.com/understudyhq/understudy/providers"
)

// HasMarks reports whether a client's body may hold signatures that the gateway has marked,
// because another format's upstream has made them.
func HasMarks(body []byte) bool { return bytes.Contains(body, []byte(llm.MarkPrefix)) }

// DropMarks returns a client's body without the thoughts and signatures that are marked: an
// upstream of the client's own format would refuse them. body is not changed.
func DropMarks(f providers.Format, body []byte) []byte {
	switch f {
	case providers.Anthropic:
		if out, changed := messages.DropMarked(body); changed {
			return out
		}
		return body
	case providers.OpenAIResponses:
		return dropMarkedItems(body)
	case providers.Gemini:
		return dropMarkedMembers(body, "contents", "parts", "thoughtSignature", "thought_signature")
	default:
		return dropMarkedMembers(body, "messages", "tool_calls", "extra_content")
	}
}

// dropMarkedItems takes out items of reasoning whose content is marked.
func dropMarkedItems(body []byte) []byte {
	items := gjson.GetBytes(body, "input").Array()
	for i := len(items) - 1; i >= 0; i-- {
		if marked(items[i].Get("encrypted_content")) {
			body = without(body, "input."+strconv.Itoa(i))
		}
	}
	return body
}

// dropMarkedMembers takes members out of what an array of arrays holds, if they are marked.
func dropMarkedMembers(body []byte, outer, inner string, members ...string) []byte {
	for i, o := range gjson.GetBytes(body, outer).Array() {
		for j, p := range o.Get(inner).Array() {
			for _, name := range members {
				if marked(p.Get(name)) {
					body = without(body, outer+"."+strconv.Itoa(i)+"."+inner+"."+strconv.Itoa(j)+"."+name)
				}
			}
		}
	}
	return body
}

func marked(v gjson.Result) bool { return v.Exists() && HasMarks([]byte(v.Raw)) }

// without returns body without what is at path, which is there.
func without(body []byte, path string) []byte {
	out, err := sjson.DeleteBytes(body, path)
	if err != nil { // a path of plain names and numbers that gjson has found
		return body
	}
	return out
}
