// Package items turns answers in the Responses format, which are not translated, into items
// that a client could send back.
package items

import (
	"strconv"
	"time"

	"github.com/understudyhq/understudy/internal/jsonwalk"
	"github.com/understudyhq/understudy/internal/llm/wire"
	"github.com/understudyhq/understudy/internal/sse"
)

// Append appends the output items of an answer that is not translated to the items of its
// input, without the ids and states that the answer gave them where those
// mean nothing to anybody else, and without what could not be sent back at all: calls without
// what names them, and reasoning that only its maker's memory holds.
func Append(items []byte, output [][]byte) []byte {
	for _, raw := range output {
		kind := memberOf(raw, "type")
		switch {
		case kind == "reasoning" && !hasMember(raw, "encrypted_content"),
			(kind == "function_call" || kind == "custom_tool_call") && (!hasMember(raw, "call_id") || !hasMember(raw, "name")):
			continue
		}
		if len(items) > 0 {
			items = append(items, ',')
		}
		items = appendOutput(items, raw, kind)
	}
	return items
}

// appendOutput appends an output item as an input item.
func appendOutput(dst, raw []byte, kind string) []byte {
	switch kind {
	case "message", "reasoning", "function_call", "custom_tool_call":
	default: // others are known by their ids
		return append(dst, raw...)
	}
	w := jsonwalk.Walk{JSON: raw}
	w.Enter('{')
	out := wire.Writer{B: append(dst, '{')}
	w.Members(func(name, value []byte) {
		switch string(name) {
		case "id", "status":
		default:
			out.Literal(string(name), string(value))
		}
	})
	return append(out.B, '}')
}

func memberOf(raw []byte, name string) string {
	var found []byte
	w := jsonwalk.Walk{JSON: raw}
	w.Enter('{')
	w.Members(func(n, value []byte) {
		if string(n) == name {
			found = jsonwalk.Inner(value)
		}
	})
	return string(found)
}

func hasMember(raw []byte, name string) bool { return memberOf(raw, name) != "" }

// AppendEmpty appends a streamed answer that says nothing: its beginning and its good end.
func AppendEmpty(dst []byte, id, model string, at time.Time) []byte {
	for i, kind := range [...]string{"response.created", "response.completed"} {
		status := "in_progress"
		if i > 0 {
			status = "completed"
		}
		w := wire.Writer{}
		w.Open('{')
		w.Plain("type", kind)
		w.Literal("sequence_number", strconv.Itoa(i))
		w.Name("response")
		w.Open('{')
		w.Text("id", id)
		w.Plain("object", "response")
		w.Literal("created_at", strconv.FormatInt(at.Unix(), 10))
		w.Plain("status", status)
		w.Text("model", model)
		for _, member := range [...][2]string{
			{"error", "null"},
			{"incomplete_details", "null"},
			{"instructions", "null"},
			{"metadata", "{}"},
			{"output", "[]"},
			{"parallel_tool_calls", "true"},
			{"temperature", "null"},
			{"tool_choice", `"auto"`},
			{"tools", "[]"},
			{"top_p", "null"},
			{"usage", `{"input_tokens":0,"input_tokens_details":{"cached_tokens":0},"output_tokens":0,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":0}`},
		} {
			w.Literal(member[0], member[1])
		}
		w.Close('}')
		w.Close('}')
		dst = sse.Append(dst, kind, w.B)
	}
	return dst
}
