package fake

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// The formats Answer and Error know.
const (
	chat      = "openai-chat"
	responses = "openai-responses"
	anthropic = "anthropic"
	gemini    = "gemini"
)

// Answer returns a successful reply in format ("openai-chat", "openai-responses",
// "anthropic" or "gemini") whose text is so many words. A stream has one chunk per event
// and one event per word, besides those that open and close it. Usage is always 11 tokens
// in, 4 of them cached, and one out per word. It panics on an unknown format.
func Answer(format string, stream bool, words int) Reply {
	text := newText(words)
	if !stream {
		return Reply{Header: contentType("application/json"), Body: []byte(whole(format, text))}
	}
	return Reply{Header: contentType("text/event-stream"), Chunks: events(format, text)}
}

// text is the words of an answer; all but the first begin with a space.
type text []string

func newText(n int) text {
	t := make(text, n)
	for i := range t {
		t[i] = " word" + strconv.Itoa(i+1)
	}
	if n > 0 {
		t[0] = t[0][1:]
	}
	return t
}

func (t text) String() string { return strings.Join(t, "") }

func contentType(value string) http.Header { return http.Header{"Content-Type": {value}} }

func whole(format string, t text) string {
	switch format {
	case chat:
		return fmt.Sprintf(`{"id":"chatcmpl-fake","object":"chat.completion","created":1767225600,"model":"fake","choices":[{"index":0,"message":{"role":"assistant","content":"%s","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":%s}`, t, chatUsage(t))
	case responses:
		return response("completed", "["+message("completed", t.String())+"]", responsesUsage(t))
	case anthropic:
		return fmt.Sprintf(`{"id":"msg_fake","type":"message","role":"assistant","model":"fake","content":[{"type":"text","text":"%s"}],"stop_reason":"end_turn","stop_sequence":null,"usage":%s}`, t, anthropicUsage(len(t)))
	case gemini:
		return candidate(t.String(), t, true)
	default:
		panic("fake: unknown format " + format)
	}
}

func events(format string, t text) [][]byte {
	switch format {
	case chat:
		return chatEvents(t)
	case responses:
		return responsesEvents(t)
	case anthropic:
		return anthropicEvents(t)
	case gemini:
		return geminiEvents(t)
	default:
		panic("fake: unknown format " + format)
	}
}

func chatUsage(t text) string {
	return fmt.Sprintf(`{"prompt_tokens":11,"completion_tokens":%d,"total_tokens":%d,"prompt_tokens_details":{"cached_tokens":4}}`, len(t), 11+len(t))
}

func chatEvents(t text) [][]byte {
	const form = `{"id":"chatcmpl-fake","object":"chat.completion.chunk","created":1767225600,"model":"fake","choices":%s,"usage":%s}`
	choice := func(delta, finish string) []byte {
		return data(fmt.Sprintf(form, `[{"index":0,"delta":`+delta+`,"finish_reason":`+finish+`}]`, "null"))
	}
	chunks := [][]byte{choice(`{"role":"assistant","content":""}`, "null")}
	for _, word := range t {
		chunks = append(chunks, choice(`{"content":"`+word+`"}`, "null"))
	}
	return append(chunks, choice(`{}`, `"stop"`), data(fmt.Sprintf(form, "[]", chatUsage(t))), data("[DONE]"))
}

func responsesUsage(t text) string {
	return fmt.Sprintf(`{"input_tokens":11,"input_tokens_details":{"cached_tokens":4},"output_tokens":%d,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":%d}`, len(t), 11+len(t))
}

func response(status, output, usage string) string {
	return fmt.Sprintf(`{"id":"resp_fake","object":"response","created_at":1767225600,"status":"%s","error":null,"incomplete_details":null,"instructions":null,"metadata":{},"model":"fake","output":%s,"parallel_tool_calls":true,"temperature":1,"tool_choice":"auto","tools":[],"top_p":1,"usage":%s}`, status, output, usage)
}

func message(status, words string) string {
	content := "[]"
	if words != "" {
		content = "[" + outputText(words) + "]"
	}
	return fmt.Sprintf(`{"id":"msg_fake","type":"message","status":"%s","role":"assistant","content":%s}`, status, content)
}

func outputText(words string) string {
	return `{"type":"output_text","text":"` + words + `","annotations":[]}`
}

func responsesEvents(t text) [][]byte {
	var chunks [][]byte
	add := func(kind, rest string) {
		chunks = append(chunks, event(kind, fmt.Sprintf(`{"type":"%s","sequence_number":%d,%s}`, kind, len(chunks), rest)))
	}
	const at = `"item_id":"msg_fake","output_index":0,"content_index":0,`
	add("response.created", `"response":`+response("in_progress", "[]", "null"))
	add("response.in_progress", `"response":`+response("in_progress", "[]", "null"))
	add("response.output_item.added", `"output_index":0,"item":`+message("in_progress", ""))
	add("response.content_part.added", at+`"part":`+outputText(""))
	for _, word := range t {
		add("response.output_text.delta", at+`"delta":"`+word+`"`)
	}
	add("response.output_text.done", at+`"text":"`+t.String()+`"`)
	add("response.content_part.done", at+`"part":`+outputText(t.String()))
	add("response.output_item.done", `"output_index":0,"item":`+message("completed", t.String()))
	add("response.completed", `"response":`+response("completed", "["+message("completed", t.String())+"]", responsesUsage(t)))
	return chunks
}

// anthropicUsage leaves the cached tokens out of input_tokens, as that format does.
func anthropicUsage(output int) string {
	return fmt.Sprintf(`{"input_tokens":7,"cache_creation_input_tokens":0,"cache_read_input_tokens":4,"output_tokens":%d}`, output)
}

func anthropicEvents(t text) [][]byte {
	var chunks [][]byte
	add := func(kind, rest string) {
		chunks = append(chunks, event(kind, `{"type":"`+kind+`"`+rest+`}`))
	}
	add("message_start", `,"message":{"id":"msg_fake","type":"message","role":"assistant","model":"fake","content":[],"stop_reason":null,"stop_sequence":null,"usage":`+anthropicUsage(1)+`}`)
	add("content_block_start", `,"index":0,"content_block":{"type":"text","text":""}`)
	add("ping", "")
	for _, word := range t {
		add("content_block_delta", `,"index":0,"delta":{"type":"text_delta","text":"`+word+`"}`)
	}
	add("content_block_stop", `,"index":0`)
	add("message_delta", `,"delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":`+anthropicUsage(len(t)))
	add("message_stop", "")
	return chunks
}

func candidate(words string, t text, last bool) string {
	finish := ""
	if last {
		finish = `,"finishReason":"STOP"`
	}
	return fmt.Sprintf(`{"candidates":[{"content":{"parts":[{"text":"%s"}],"role":"model"}%s,"index":0}],"usageMetadata":{"promptTokenCount":11,"candidatesTokenCount":%d,"totalTokenCount":%d,"cachedContentTokenCount":4},"modelVersion":"fake","responseId":"fake"}`, words, finish, len(t), 11+len(t))
}

func geminiEvents(t text) [][]byte {
	var chunks [][]byte
	for i, word := range t {
		chunks = append(chunks, []byte("data: "+candidate(word, t[:i+1], false)+"\r\n\r\n"))
	}
	return append(chunks, []byte("data: "+candidate("", t, true)+"\r\n\r\n"))
}

func data(json string) []byte { return []byte("data: " + json + "\n\n") }

func event(name, json string) []byte { return []byte("event: " + name + "\ndata: " + json + "\n\n") }
