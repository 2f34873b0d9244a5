package quality

import (
	"fmt"
	"net/http"

	"github.com/understudyhq/understudy/providers"
)

// source is one way in which clients let a conversation be recognised.
type source struct {
	name   string
	format providers.Format
	// off turns affinity off.
	off bool
	// header returns a header of a session's requests; nil = none.
	header func(id string) (name, value string)
	// members are more members of their bodies, each with a comma behind it.
	members func(id string) string
}

func sources() []source {
	header := func(name string) func(string) (string, string) {
		return func(id string) (string, string) { return name, id }
	}
	member := func(form string) func(string) string {
		return func(id string) string { return fmt.Sprintf(form, id) + "," }
	}
	return []source{
		{
			name: "claude", format: providers.Anthropic,
			members: member(`"metadata":{"user_id":"{\"device_id\":\"d\",\"account_uuid\":\"\",\"session_id\":\"%s\"}"}`),
		},
		{name: "header", format: providers.OpenAIChat, header: header("X-Session-ID")},
		{
			// Codex stores nothing and sends its reasoning along, which one account alone can read.
			name: "codex", format: providers.OpenAIResponses, header: header("session-id"),
			members: member(`"store":false,"include":["reasoning.encrypted_content"],"prompt_cache_key":"%s"`),
		},
		{name: "affinity", format: providers.OpenAIChat, header: header("X-Session-Affinity")},
		{name: "pck", format: providers.OpenAIChat, members: member(`"prompt_cache_key":"%s"`)},
		{name: "session", format: providers.OpenAIChat, members: member(`"session_id":"%s"`)},
		{name: "user", format: providers.OpenAIChat, members: member(`"metadata":{"user_id":"%s"}`)},
		{name: "conv", format: providers.OpenAIResponses, members: member(`"conversation_id":"%s"`)},
		{name: "msg", format: providers.OpenAIChat},
		{name: "none", format: providers.OpenAIChat, off: true},
	}
}

// sourcesNow returns those of this run.
func sourcesNow() []source {
	var some []source
	for _, s := range sources() {
		if *full || s.name == "claude" || s.name == "header" || s.name == "msg" {
			some = append(some, s)
		}
	}
	return some
}

func (s source) path() string {
	switch s.format {
	case providers.Anthropic:
		return "/v1/messages"
	case providers.OpenAIResponses:
		return "/v1/responses"
	default:
		return "/v1/chat/completions"
	}
}

func (s source) setHeader(h http.Header, id string) {
	h.Set("Content-Type", "application/json")
	if s.format == providers.Anthropic {
		h.Set("Anthropic-Version", "2023-06-01")
	}
	if s.header != nil {
		h.Set(s.header(id))
	}
}

// instructions are the same for every session, as an agent's are.
const instructions = `"You are an agent that works on a large repository. Read before you write, run the tests, be brief."`

// body returns a request with a conversation, whose messages are JSON with commas between.
// limit bounds the answer; no answer is so long. It tells requests with one conversation apart.
func (s source) body(id, messages string, limit int) string {
	members := ""
	if s.members != nil {
		members = s.members(id)
	}
	switch s.format {
	case providers.Anthropic:
		return fmt.Sprintf(`{"model":"m","stream":true,"max_tokens":%d,%s"system":%s,"messages":[%s]}`,
			limit, members, instructions, messages)
	case providers.OpenAIResponses:
		return fmt.Sprintf(`{"model":"m","stream":true,"max_output_tokens":%d,%s"instructions":%s,"input":[%s]}`,
			limit, members, instructions, messages)
	default:
		return fmt.Sprintf(`{"model":"m","stream":true,"stream_options":{"include_usage":true},"max_tokens":%d,%s`+
			`"messages":[{"role":"system","content":%s},%s]}`, limit, members, instructions, messages)
	}
}
