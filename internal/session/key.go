// Package session recognises the conversation a request belongs to. It is a pure
// function over headers and the parts of the body that the one pass over it has found.
package session

import "encoding/hex"

// Key names one conversation of one client on one model: a hash, so that neither the
// client's key nor its ids are kept or printed. The zero Key means no session.
type Key [16]byte

// IsZero reports whether k names no session.
func (k Key) IsZero() bool { return k == Key{} }

// String returns k in hexadecimal, or "" for no session.
func (k Key) String() string {
	if k.IsZero() {
		return ""
	}
	return hex.EncodeToString(k[:])
}

// Source says what a session was recognised by.
type Source string

// Keys are the names of one request's session.
type Keys struct {
	// Primary is the key bindings are stored under; zero = no session.
	Primary Key
	// Fallback is tried when Primary is not bound yet: an opening hash without the
	// assistant's text, so that turn 2 inherits turn 1's binding. Zero = none.
	Fallback Key
	// Source is what both were made of; empty without a session.
	Source Source
	// IDs are all the ids that the request gives its conversation, the most specific one
	// first, if there are several; else nil. Primary is one of them.
	IDs []ID
}

// ID is one of several names of one conversation.
type ID struct {
	Key Key
	// Rank says what the id was found in: a lower rank is more specific. Two ids of one rank
	// in one conversation contradict each other, unless a lower rank binds them together.
	Rank uint8
}
