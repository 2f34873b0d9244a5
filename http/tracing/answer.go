package tracing

import (
	"github.com/tidwall/gjson"
	semconv "go.opentelemetry.io/otel/semconv/v1.41.0"

	"github.com/understudyhq/understudy/providers"
)

// maxModelBytes bounds the name that an upstream gives its model.
const maxModelBytes = 256

// Answered looks for the name of the model that has answered, in a whole answer or in the data
// of an event.
func (a *Attempt) Answered(f providers.Format, body []byte) {
	if a == nil || a.model {
		return
	}
	if name := modelOf(f, body); name != "" {
		a.model = true
		a.span.SetAttributes(semconv.GenAIResponseModel(name))
	}
}

// modelOf returns the model that an answer of a format, or an event of one, names; empty if
// it names none. body need not be valid.
func modelOf(f providers.Format, body []byte) string {
	paths := []string{"model"}
	switch f {
	case providers.OpenAIResponses:
		paths = []string{"response.model", "model"}
	case providers.Anthropic:
		paths = []string{"message.model", "model"}
	case providers.Gemini:
		paths = []string{"modelVersion"}
	}
	for _, path := range paths {
		if r := gjson.GetBytes(body, path); r.Type == gjson.String && len(r.Str) <= maxModelBytes {
			return r.Str
		}
	}
	return ""
}
