package session

import (
	"crypto/sha256"
	"net/http"
	"strings"
	"unicode"
)

// Sources, strongest first.
const (
	SourceClaude       Source = "claude" // Claude Code's id, from the body or its header
	SourceHeader       Source = "header" // X-Session-ID
	SourceUser         Source = "user"   // metadata.user_id of any other form
	SourceConversation Source = "conv"   // the body's conversation
	SourceOpening      Source = "msg"    // a hash of the opening messages
)

// maxIDBytes is the length up to which an explicit id counts.
const maxIDBytes = 256

// Body holds the members of a request body that may tell its session, as raw, valid JSON;
// nil = absent.
type Body struct {
	Metadata, Conversation, ConversationID []byte
	Messages, System                       []byte // OpenAI chat, Anthropic
	Contents, SystemInstruction            []byte // Gemini
	Input, Instructions                    []byte // OpenAI Responses
}

// From recognises the session of a request, by the strongest source that names one. Equal
// requests have equal keys; different scopes never share one, so scope must tell apart
// whatever must not share a binding: the client's key and the model.
func From(h http.Header, b Body, scope string) Keys {
	sources := [...]struct {
		name Source
		find func(http.Header, Body) (id, fallback string)
	}{
		{SourceClaude, claudeID},
		{SourceHeader, sessionHeader},
		{SourceUser, userID},
		{SourceConversation, conversationID},
		{SourceOpening, openingHash},
	}
	for _, source := range sources {
		id, fallback := source.find(h, b)
		if id == "" {
			continue
		}
		keys := Keys{Primary: keyOf(scope, source.name, id), Source: source.name}
		if fallback != "" {
			keys.Fallback = keyOf(scope, source.name, fallback)
		}
		return keys
	}
	return Keys{}
}

// keyOf hashes an id found by source. No id holds a NUL, so the last one ends the scope.
func keyOf(scope string, source Source, id string) Key {
	sum := sha256.Sum256([]byte(scope + "\x00" + string(source) + ":" + id))
	return Key(sum[:len(Key{})])
}

// valid returns id without surrounding blanks, or "" if it does not count: it holds a
// control character, nothing else, or more than maxIDBytes.
func valid(id string) string {
	if strings.ContainsFunc(id, unicode.IsControl) {
		return ""
	}
	if id = strings.TrimSpace(id); len(id) > maxIDBytes {
		return ""
	}
	return id
}

// headerID returns the first valid value of the header name, given in canonical form.
// Headers that did not pass through net/http may be there under other spellings: those
// come after the canonical one, and the first in the alphabet counts.
func headerID(h http.Header, name string) string {
	if id := firstValid(h[name]); id != "" {
		return id
	}
	found, id := "", ""
	for spelling, values := range h {
		if !strings.EqualFold(spelling, name) || (id != "" && spelling > found) {
			continue
		}
		if v := firstValid(values); v != "" {
			found, id = spelling, v
		}
	}
	return id
}

func firstValid(values []string) string {
	for _, v := range values {
		if id := valid(v); id != "" {
			return id
		}
	}
	return ""
}
