package messages

import (
	"strconv"
	"strings"
	"unicode"
)

// generation is which of the vendor's models a name means, 4.6 as {4, 6}. The format has two
// dialects, and the vendor refuses the wrong one: models up to 4.5 think within a budget,
// later ones by effort, and since 4.7 there is no sampling. The zero value is a name that
// tells nothing; such a request is said in the older dialect, and its upstream decides.
type generation struct{ major, minor int }

// generationOf reads a name of any of the clouds that serve the vendor's models, such as
// claude-opus-4-6, claude-3-7-sonnet-20250219 or anthropic.claude-opus-4-6-v1:0.
func generationOf(model string) generation {
	_, rest, ok := strings.Cut(strings.ToLower(model), "claude")
	if !ok {
		return generation{}
	}
	words := strings.FieldsFunc(rest, func(c rune) bool { return !unicode.IsLetter(c) && !unicode.IsDigit(c) })
	for i, word := range words {
		major, ok := shortNumber(word)
		if !ok {
			continue
		}
		g := generation{major: major}
		if i+1 < len(words) {
			g.minor, _ = shortNumber(words[i+1])
		}
		return g
	}
	return generation{}
}

// shortNumber reads a number that is no date.
func shortNumber(word string) (int, bool) {
	if len(word) > 2 {
		return 0, false
	}
	n, err := strconv.Atoi(word)
	return n, err == nil
}

func (g generation) known() bool { return g != generation{} }

// since4 reports whether a model is known to be of generation 4.minor or a later one.
func (g generation) since4(minor int) bool {
	return g.major > 4 || g.major == 4 && g.minor >= minor
}

// longestAnswer is the greatest max_tokens that a model with budgets takes; 0 = not known.
func (g generation) longestAnswer(model string) int64 {
	switch {
	case !g.known():
		return 0
	case strings.Contains(strings.ToLower(model), "opus") && !g.since4(5):
		return 32_000
	default:
		return 64_000
	}
}
