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

// nameLimit bounds the names of functions in bytes, as Google does.
const nameLimit = 64

// toolName is a function's name in Google's alphabet, which beside that of the others has dots
// and colons. Clients are given their own names back.
func toolName(name string) string {
	plain := strings.Map(func(r rune) rune {
		if r == '.' || r == ':' {
			return '_'
		}
		return r
	}, name)
	if llm.SafeID(plain, nameLimit) == plain {
		return name
	}
	return llm.SafeID(name, nameLimit)
}

// clientName returns how the client calls a function: upstreams of other formats know some by
// a shorter or plainer name, of at most 64 or 128 characters.
func clientName(r *llm.Request, name string) string {
	if r == nil {
		return name
	}
	if t := r.ToolNamed(name, nameLimit, 128); t != nil {
		return t.Name
	}
	return name
}

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
