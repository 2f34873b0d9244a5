package providers

import "strings"

// maxMessage bounds how much of an error message is searched: what a vendor has to say
// comes first, what it quotes from the prompt later.
const maxMessage = 512

// Searchable returns the part of an error message in which a vendor's own words can be
// looked for: its beginning in lower case, without what stands in quotes. Vendors quote
// what the request said, and a request must not be able to speak for its vendor.
func Searchable(message string) string { return ownWords(message, "") }

// ownWords is Searchable, but for model, which stays if it is quoted.
func ownWords(message, model string) string {
	text := strings.ToLower(message[:min(len(message), maxMessage)])
	var own strings.Builder
	for i := 0; i < len(text); i++ {
		if isQuote(text[i]) && (i == 0 || !isWord(text[i-1])) { // not an apostrophe
			if end := strings.IndexByte(text[i+1:], text[i]); end >= 0 {
				if quoted := text[i+1 : i+1+end]; quoted == strings.ToLower(model) {
					own.WriteString(quoted)
				}
				i += end + 1
				continue
			}
		}
		own.WriteByte(text[i])
	}
	return own.String()
}

func isQuote(c byte) bool { return c == '"' || c == '\'' || c == '`' }

// blamesModel reports whether text says that this account cannot use the model, as
// opposed to a request that asks the model for something it cannot do. It is strict: a
// wrong yes rests the model for everybody, and requests can put words into error texts.
func blamesModel(text, model string) bool {
	if blamesEndpoint(text) {
		return false
	}
	if containsAny(text,
		"model not found", "model not exist", "no such model", "unknown model", "unrecognized model",
		"invalid model id", "invalid model name", "invalid model:", "not a valid model",
		"model is not available",
	) {
		return true
	}
	if !names(text, model) && !containsAny(text, "the model", "this model", "requested model") {
		return false
	}
	return containsAny(text,
		"does not exist", "do not have access", "does not have access", "don't have access",
		"not available for your", "not available to your", "not available on your",
		"not available in your", "not enabled for your", "not supported for your",
		"not supported when using",
		"not available to this account", "not available for this account", "not enabled for this account",
		"not supported for this account", "not available to this organization", "not available for this organization",
	)
}

// blamesEndpoint reports whether text says that the model is served by another endpoint,
// so that other requests for it are fine.
func blamesEndpoint(text string) bool {
	return containsAny(text, "v1/", "endpoint", "not a chat model")
}

// names reports whether model occurs in text as a word: "o3" is not in "proto3".
func names(text, model string) bool {
	model = strings.ToLower(model)
	if model == "" {
		return false
	}
	for from := 0; ; {
		i := strings.Index(text[from:], model)
		if i < 0 {
			return false
		}
		start := from + i
		end := start + len(model)
		if (start == 0 || !isWord(text[start-1])) && (end == len(text) || !isWord(text[end])) {
			return true
		}
		from = start + 1
	}
}

func isWord(c byte) bool {
	return c == '-' || c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 0x80
}

func containsAny(text string, phrases ...string) bool {
	for _, p := range phrases {
		if strings.Contains(text, p) {
			return true
		}
	}
	return false
}
