package memory

import "slices"

// Conversations are the conversation objects of an upstream. Each belongs to the account
// that named it first. They are safe for concurrent use.
type Conversations struct{ all *shelf[conversation] }

type conversation struct {
	owner      *Account
	transcript []string
}

// NewConversations returns none.
func NewConversations() Conversations { return Conversations{newShelf[conversation]()} }

// Open returns what was said in a conversation so far, as JSON. It reports false if the
// conversation is another account's.
func (c Conversations) Open(id string, by *Account) ([]string, bool) {
	found := conversation{}
	c.all.put(id, func(old conversation, ok bool) (conversation, int) {
		if found = old; !ok {
			found = conversation{owner: by}
		}
		return found, sizeOf(found.transcript)
	})
	return found.transcript, found.owner == by
}

// Add appends what was said to a conversation of by.
func (c Conversations) Add(id string, by *Account, said []string) {
	said = cloned(said)
	c.all.put(id, func(old conversation, ok bool) (conversation, int) {
		if ok && old.owner != by {
			return old, sizeOf(old.transcript)
		}
		// A copy: who has opened it may be reading what was there.
		all := slices.Concat(old.transcript, said)
		return conversation{by, all}, sizeOf(all)
	})
}
