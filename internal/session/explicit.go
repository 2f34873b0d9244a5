package session

import (
	"net/http"
	"strings"

	"github.com/tidwall/gjson"
)

// signals is what a request may name its conversation by. The methods after id return the
// id of one source each, "" if the request has none that counts.
type signals struct {
	headers
	body          Body
	userID        string // metadata.user_id
	claudeSession string // the session in it, if it has a form of Claude Code's
}

func newSignals(h http.Header, b Body) signals {
	user := member(parse(b.Metadata), "user_id").Str
	return signals{headers: newHeaders(h), body: b, userID: user, claudeSession: claudeSession(user)}
}

// id returns the id found by an explicit source. (A table of functions would make a
// request's signals escape to the heap.)
func (s *signals) id(source Source) string {
	switch source {
	case SourceClaude:
		return s.claude()
	case SourceHeader:
		return s.first("X-Session-Id")
	case SourceCodex:
		return s.first("Session-Id", "Session_id", "Thread-Id", "Conversation_id")
	case SourceAffinity:
		return s.first("X-Session-Affinity", "X-Opencode-Session", "X-Task-Id", "X-Roo-Task-Id", "X-Amp-Thread-Id", "X-Litellm-Session-Id")
	case SourcePromptCacheKey:
		return stringID(s.body.PromptCacheKey)
	case SourceSession:
		return s.session()
	case SourceUser:
		return s.user()
	case SourceConversation:
		return s.conversation()
	default:
		return ""
	}
}

func (s *signals) claude() string {
	if s.claudeSession != "" {
		return s.claudeSession
	}
	return s.first("X-Claude-Code-Session-Id")
}

func (s *signals) session() string {
	if id := stringID(s.body.SessionID); id != "" {
		return id
	}
	if id := stringID(s.body.CamelSessionID); id != "" {
		return id
	}
	return valid(member(parse(s.body.Request), "session_id").Str)
}

func (s *signals) user() string {
	if s.claudeSession != "" {
		return "" // told already, by claude
	}
	return valid(s.userID)
}

func (s *signals) conversation() string {
	conversation := parse(s.body.Conversation)
	if conversation.IsObject() {
		conversation = member(conversation, "id")
	}
	if id := valid(conversation.Str); id != "" {
		return id
	}
	return stringID(s.body.ConversationID)
}

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
