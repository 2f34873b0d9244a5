package actors

import (
	"strings"
	"sync"

	"github.com/asynkron/protoactor-go/actor"
)

// Census is how many actors an engine has and what waits for those that every request needs.
type Census struct {
	Actors  map[string]int // by kind: gateway, router, …, credential, model, session
	Waiting map[string]int // messages, by the name of the actor
}

// Census counts the engine's actors. It asks none of them, and its cost grows with how many
// there are: it is for people and for scrapes, not for requests.
func (s *System) Census() Census {
	c := Census{Actors: map[string]int{}, Waiting: s.w.mailboxes.waiting()}
	for _, bucket := range s.w.system.ProcessRegistry.LocalPIDs.LocalPIDs {
		bucket.IterCb(func(id string, _ any) {
			if path, ours := strings.CutPrefix(id, s.w.guardian.Id); ours {
				if kind := kindOf(path); kind != "" {
					c.Actors[kind]++
				}
			}
		})
	}
	return c
}

// kindOf returns what an actor is by its path below the guardian; empty = none of this engine.
func kindOf(path string) string {
	if path == "" {
		return "gateway"
	}
	if path[0] != '/' { // the guardian of another engine, whose name begins like this one's
		return ""
	}
	parent, child, nested := strings.Cut(path[1:], "/")
	switch {
	case !nested:
		return parent
	case parent == "sessions":
		return "session"
	case strings.Contains(child, "/"):
		return "model"
	default:
		return "credential"
	}
}

// mailboxes are those of the actors that every request needs. The zero value has none.
type mailboxes struct {
	mu     sync.Mutex
	byName map[string]actor.Mailbox
}

// watched makes an actor's mailbox one of m's, under a name.
func (m *mailboxes) watched(name string, produce actor.MailboxProducer) actor.PropsOption {
	return actor.WithMailbox(func() actor.Mailbox {
		box := produce()
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.byName == nil {
			m.byName = map[string]actor.Mailbox{}
		}
		m.byName[name] = box
		return box
	})
}

// waiting returns how many messages wait in each.
func (m *mailboxes) waiting() map[string]int {
	m.mu.Lock()
	defer m.mu.Unlock()
	waiting := make(map[string]int, len(m.byName))
	for name, box := range m.byName {
		waiting[name] = box.UserMessageCount()
	}
	return waiting
}
