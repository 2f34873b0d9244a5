// Package session recognises the conversation a request belongs to. It is a pure
// function over headers and the parts of the body that the one pass over it has found.
package session

import (
	"crypto/sha256"
	"encoding/hex"
)

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

// on returns the key of k's session on another model; no session stays none.
func (k Key) on(model string) Key {
	if k.IsZero() {
		return k
	}
	var scratch [scratchBytes]byte
	text := append(scratch[:0], "model\x00"...)
	text = append(text, k[:]...)
	sum := sha256.Sum256(append(text, model...))
	return Key(sum[:len(Key{})])
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

// For returns the keys of the same session on another model, as a request has them that is
// served by a fallback model. Equal keys and models give equal keys, different ones never;
// keys that are zero stay so. They are not the keys of a request that names that model
// itself, and k's own model gets other keys than k.
func (k Keys) For(model string) Keys {
	k.Primary, k.Fallback = k.Primary.on(model), k.Fallback.on(model)
	if k.IDs != nil {
		ids := make([]ID, len(k.IDs))
		for i, id := range k.IDs {
			ids[i] = ID{Key: id.Key.on(model), Rank: id.Rank}
		}
		k.IDs = ids
	}
	return k
}

// ID is one of several names of one conversation.
type ID struct {
	Key Key
	// Rank says what the id was found in: a lower rank is more specific. Two ids of one rank
	// in one conversation contradict each other, unless a lower rank binds them together.
	Rank uint8
}
