package responses

import (
	"strings"

	"github.com/understudyhq/understudy/internal/llm"
)

// namespaceMark joins the names of a namespace and of a tool in it.
const namespaceMark = "__"

// flatten is the name of a tool with its namespace.
func flatten(namespace, name string) string {
	if namespace == "" || name == "" {
		return name
	}
	return namespace + namespaceMark + name
}

// ownName is the name of a tool without its namespace.
func ownName(t *llm.Tool) string {
	if t.Namespace == "" {
		return t.Name
	}
	return strings.TrimPrefix(t.Name, t.Namespace+namespaceMark)
}

// redactedMark begins a marked signature whose thought never was readable: the item that
// carries it through the client has no other place for that.
const redactedMark = "redacted:"

// mark is a thought's signature as a client of this format keeps it.
func mark(signature string, origin llm.Format, redacted bool) string {
	if redacted && origin != llm.Responses && signature != "" {
		signature = redactedMark + signature
	}
	return llm.Mark(signature, origin, llm.Responses)
}

// unmark is the reverse of mark.
func unmark(encrypted string) (signature string, origin llm.Format, redacted bool) {
	signature, origin = llm.Unmark(encrypted, llm.Responses)
	if origin != llm.Responses {
		signature, redacted = strings.CutPrefix(signature, redactedMark)
	}
	return signature, origin, redacted
}
