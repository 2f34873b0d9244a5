// Package gemini is the codec of Gemini's generateContent, streamGenerateContent and
// countTokens, as the Gemini API and Vertex AI speak it.
package gemini

import (
	"strings"

	"github.com/understudyhq/understudy/internal/llm"
)

// Codec implements llm.Codec for Gemini. The zero value is ready.
type Codec struct{}

var _ llm.Codec = Codec{}

// idLimit bounds the ids of calls in bytes. Google names no limit; this is the tightest of
// the other vendors.
const idLimit = 64

// generation is what a model's name tells about the dialect that it takes.
type generation uint8

const (
	unknown generation = iota // no name of Google's: said as the client said it
	legacy                    // Gemini 1 and 2: thinking by budget, media beside tool results
	modern                    // Gemini 3 and later: thinking by level, media in tool results
)

// generationOf reads a model's name, with or without the path before it.
func generationOf(model string) generation {
	name := model[strings.LastIndexByte(model, '/')+1:]
	switch {
	case !strings.HasPrefix(name, "gemini-"):
		return unknown
	case strings.HasPrefix(name, "gemini-1"), strings.HasPrefix(name, "gemini-2"):
		return legacy
	default:
		return modern
	}
}
