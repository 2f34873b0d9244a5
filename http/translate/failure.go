package translate

import (
	"net/http"
	"regexp"
	"strings"

	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/providers"
)

// Failure reads an upstream's error for a client of another format: the body of an answer with
// a status, or the data of an event in a stream (status 0).
func Failure(from, to providers.Format, status int, body []byte) *llm.Failure {
	f := codec(from).DecodeError(status, body)
	if from == providers.Gemini && to != providers.Gemini {
		f.Code = strings.ToLower(f.Code) // others write their codes that way
	}
	if isOverflow(f) {
		sayOverflow(to, f)
	}
	return f
}

// codeOverflow is OpenAI's code for a conversation that is too long.
const codeOverflow = "context_length_exceeded"

// overflow finds in the words of each vendor that a conversation is too long for its model.
var overflow = regexp.MustCompile(`(?i)prompt is too long|exceed context limit|exceeds the context window|maximum context length|input token count.{0,40} exceeds the maximum`)

func isOverflow(f *llm.Failure) bool {
	if f.Code == codeOverflow {
		return true
	}
	refused := f.Status == http.StatusBadRequest || f.Status == http.StatusRequestEntityTooLarge
	return refused && f.Code == "" && overflow.MatchString(f.Message)
}

// sayOverflow makes an overflow known to agents, which shorten the conversation then: those of
// OpenAI's formats go by the code, those of Anthropic's by the words that a message begins with.
func sayOverflow(to providers.Format, f *llm.Failure) {
	const begins = "prompt is too long"
	f.Code = codeOverflow
	if to == providers.Anthropic && !strings.Contains(strings.ToLower(f.Message), begins) {
		f.Message = begins + ": " + f.Message
	}
}
