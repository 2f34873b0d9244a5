package tap

import (
	"bytes"

	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy/internal/sse"
	"github.com/understudyhq/understudy/providers"
)

// meaning is what one event of a streamed answer stands for.
type meaning int

const (
	handshake meaning = iota // nothing that the client waits for
	payload                  // part of the answer
	last                     // part of the answer, and its end
	end                      // the answer's end and nothing else
	failed                   // the upstream's own error
)

// meaningOf reads one event in the words of its format. What it does not know is payload.
func meaningOf(f providers.Format, e sse.Event) meaning {
	switch f {
	case providers.OpenAIResponses:
		return responsesMeaning(eventType(e))
	case providers.Anthropic:
		return anthropicMeaning(eventType(e))
	case providers.Gemini:
		return geminiMeaning(e.Data)
	default:
		return chatMeaning(e)
	}
}

func chatMeaning(e sse.Event) meaning {
	switch {
	case string(e.Data) == "[DONE]":
		return end
	case string(e.Name) == "error", hasError(e.Data):
		return failed
	default:
		return payload
	}
}

func responsesMeaning(kind string) meaning {
	switch kind {
	case "response.created", "response.in_progress", "response.queued", "keepalive":
		return handshake
	case "response.completed", "response.incomplete", "response.done":
		return last
	case "response.failed", "error":
		return failed
	default:
		return payload
	}
}

func anthropicMeaning(kind string) meaning {
	switch kind {
	case "message_start", "ping":
		return handshake
	case "message_stop":
		return last
	case "error":
		return failed
	default:
		return payload
	}
}

// geminiMeaning: an answer is over with a finish reason, or with the reason why its prompt
// was blocked. More chunks may follow all the same.
func geminiMeaning(data []byte) meaning {
	switch {
	case hasError(data):
		return failed
	case bytes.Contains(data, []byte(`"finishReason"`)) && hasFinishReason(data),
		bytes.Contains(data, []byte(`"blockReason"`)) && gjson.GetBytes(data, "promptFeedback.blockReason").Exists():
		return last
	default:
		return payload
	}
}

func hasFinishReason(data []byte) bool {
	for _, reason := range gjson.GetBytes(data, "candidates.#.finishReason").Array() {
		if reason.Type == gjson.String {
			return true
		}
	}
	return false
}

// hasError reports whether an event's data is an object with an error in it. Looking for
// the bytes first keeps the price for all other events low.
func hasError(data []byte) bool {
	if !bytes.Contains(data, []byte(`"error"`)) {
		return false
	}
	e := gjson.GetBytes(data, "error")
	return e.Exists() && e.Type != gjson.Null
}

// eventType returns the event's name. Some upstreams give it in the data only.
func eventType(e sse.Event) string {
	if len(e.Name) > 0 {
		return string(e.Name)
	}
	return gjson.GetBytes(e.Data, "type").String()
}

// RefusalBody returns the error of an event stream as the body of a plain answer.
func RefusalBody(f providers.Format, data []byte) []byte {
	if f != providers.OpenAIResponses {
		return bytes.Clone(data)
	}
	raw := data // the bare error event is the error itself
	for _, path := range [...]string{"response.error", "error"} {
		if e := gjson.GetBytes(data, path); e.IsObject() {
			raw = []byte(e.Raw)
			break
		}
	}
	return append(append([]byte(`{"error":`), raw...), '}')
}

// RefusalStatus returns the status that an upstream would have answered with, had it failed
// before its stream began.
func RefusalStatus(f providers.Format, o providers.Outcome, data []byte) int {
	if code := gjson.GetBytes(data, "error.code"); code.Type == gjson.Number && 400 <= code.Num && code.Num < 600 {
		return int(code.Num)
	}
	switch o.Kind {
	case providers.RequestFault:
		return 400
	case providers.Unauthorized:
		return 401
	case providers.Forbidden:
		return 403
	case providers.ModelUnsupported:
		return 404
	case providers.RateLimited, providers.WindowExhausted, providers.OutOfFunds:
		return 429
	case providers.Overloaded:
		if f == providers.Anthropic {
			return 529
		}
		return 503
	default:
		return 500
	}
}
