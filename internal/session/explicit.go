package session

import (
	"net/http"
	"strings"

	"github.com/tidwall/gjson"
)

// claudeID finds Claude Code's session, in metadata.user_id or else in its header.
func claudeID(h http.Header, b Body) (id, _ string) {
	if id = claudeSession(metadataUser(b)); id == "" {
		id = headerID(h, "X-Claude-Code-Session-Id")
	}
	return id, ""
}

// sessionHeader finds the id that a client sent for this very purpose.
func sessionHeader(h http.Header, _ Body) (id, _ string) {
	return headerID(h, "X-Session-Id"), ""
}

// userID finds metadata.user_id, whatever its form.
func userID(_ http.Header, b Body) (id, _ string) {
	return valid(metadataUser(b)), ""
}

// conversationID finds the conversation that the body names or describes.
func conversationID(_ http.Header, b Body) (id, _ string) {
	conversation := parse(b.Conversation)
	if conversation.IsObject() {
		conversation = member(conversation, "id")
	}
	if id = valid(conversation.Str); id == "" {
		id = valid(parse(b.ConversationID).Str)
	}
	return id, ""
}

// metadataUser returns metadata.user_id, or "" if it is absent or no string.
func metadataUser(b Body) string { return member(parse(b.Metadata), "user_id").Str }

// claudeSession returns the session in a user id of Claude Code, or "" if it is none:
// a JSON text with a session_id (however long the text), or, in older versions,
// "user_…_account_…_session_" with a UUID at its end.
func claudeSession(user string) string {
	if text := strings.TrimSpace(user); strings.HasPrefix(text, "{") && strings.HasSuffix(text, "}") {
		return valid(member(gjson.Parse(text), "session_id").Str)
	}
	const marker = "_session_"
	at := strings.LastIndex(user, marker)
	if at < 0 || valid(user) == "" {
		return ""
	}
	if uuid := strings.TrimSpace(user[at+len(marker):]); isUUID(uuid) {
		return uuid
	}
	return ""
}

// isUUID reports whether s has the form 8-4-4-4-12 of hexadecimal digits.
func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		switch i {
		case 8, 13, 18, 23:
			if s[i] != '-' {
				return false
			}
		default:
			if !strings.Contains("0123456789abcdefABCDEF", s[i:i+1]) {
				return false
			}
		}
	}
	return true
}
