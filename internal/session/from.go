package session

import (
	"cmp"
	"crypto/sha256"
	"net/http"
	"slices"
)

// Sources, strongest first.
const (
	SourceClaude         Source = "claude"   // Claude Code's id, from the body or its header
	SourceHeader         Source = "header"   // X-Session-ID
	SourceCodex          Source = "codex"    // the headers of Codex and compatible clients
	SourceAffinity       Source = "affinity" // the headers of other clients and gateways
	SourcePromptCacheKey Source = "pck"      // the body's prompt_cache_key
	SourceSession        Source = "session"  // the body's session id
	SourceUser           Source = "user"     // metadata.user_id of any other form than Claude Code's
	SourceConversation   Source = "conv"     // the body's conversation
	SourceSocket         Source = "socket"   // the WebSocket connection it came over
	SourceOpening        Source = "msg"      // a hash of the opening messages
)

// Body holds the members of a request body that may tell its session, as raw, valid JSON;
// nil = absent.
type Body struct {
	Metadata                     []byte
	PromptCacheKey               []byte // prompt_cache_key
	SessionID, CamelSessionID    []byte // session_id, sessionId
	Request                      []byte // request, whose session_id counts
	Conversation, ConversationID []byte // conversation, conversation_id
	Messages, System             []byte // OpenAI chat, Anthropic
	Contents, SystemInstruction  []byte // Gemini
	Input, Instructions          []byte // OpenAI Responses
	// Socket is the gateway's own id of the WebSocket connection that the request came over;
	// empty = none.
	Socket string
}

// From recognises the session of a request, by the strongest source that names one. Equal
// requests have equal keys; different scopes never share one, so scope must tell apart
// whatever must not share a binding: the client's key and the model (without its suffix).
func From(h http.Header, b Body, scope string) Keys {
	if keys := explicit(h, b, scope); keys.Source != "" {
		return keys
	}
	if id := valid(b.Socket); id != "" {
		return Keys{Primary: keyOf(scope, SourceSocket, id), Source: SourceSocket}
	}
	id, fallback := openingHash(b)
	if id == "" {
		return Keys{}
	}
	keys := Keys{Primary: keyOf(scope, SourceOpening, id), Source: SourceOpening}
	if fallback != "" {
		keys.Fallback = keyOf(scope, SourceOpening, fallback)
	}
	return keys
}

// explicit returns the keys of the ids that a request gives its conversation, at most one
// from each source.
func explicit(h http.Header, b Body, scope string) Keys {
	// In the order of strength. How specific an id is goes by the same order, but for the
	// cache key: conversations may share one, and must stay apart then.
	sources := [...]struct {
		name Source
		rank uint8
	}{
		{SourceClaude, 1},
		{SourceHeader, 2},
		{SourceCodex, 3},
		{SourceAffinity, 4},
		{SourcePromptCacheKey, 8},
		{SourceSession, 5},
		{SourceUser, 6},
		{SourceConversation, 7},
	}
	s := newSignals(h, b)
	var keys Keys
	var found [len(sources)]ID
	n := 0
	for _, source := range sources {
		id := s.id(source.name)
		if id == "" {
			continue
		}
		found[n] = ID{Key: keyOf(scope, source.name, id), Rank: source.rank}
		if n++; n == 1 {
			keys.Primary, keys.Source = found[0].Key, source.name
		}
	}
	if n > 1 {
		keys.IDs = slices.Clone(found[:n])
		slices.SortFunc(keys.IDs, func(a, b ID) int { return cmp.Compare(a.Rank, b.Rank) })
	}
	return keys
}

// scratchBytes is room for nearly any scope and id, so that hashing them allocates nothing.
const scratchBytes = 512

// keyOf hashes an id found by source. No id holds a NUL, so the last one ends the scope.
func keyOf(scope string, source Source, id string) Key {
	var scratch [scratchBytes]byte
	text := append(scratch[:0], scope...)
	text = append(text, 0)
	text = append(text, source...)
	text = append(text, ':')
	sum := sha256.Sum256(append(text, id...))
	return Key(sum[:len(Key{})])
}
