// Package pin finds what ties a request to one organisation at an upstream: ids of state
// that exists only where it was made, in requests and in the answers that made it. It is
// pure, and keeps nothing; who serves what it finds is decided elsewhere.
//
// Bounds: an id counts if it has 1 KiB at most (a turn state 8 KiB), something but blanks,
// and no control character. Of an array, the first 4096 items are looked at. Members are
// found under their names as they are usually spelled, without escapes.
package pin

import (
	"crypto/sha256"
	"encoding/binary"
	"strings"
	"unicode"

	"github.com/understudyhq/understudy/internal/jsonwalk"
)

// Kind is a kind of state.
type Kind string

// Kinds, and what names them.
const (
	Response     Kind = "response"     // an answer of the Responses API; its id
	Conversation Kind = "conversation" // a conversation object of it; its id
	Thread       Kind = "thread"       // an Anthropic message that a thread may go on from; its id
	Turn         Kind = "turn"         // what x-codex-turn-state holds, whole
	Reasoning    Kind = "reasoning"    // an item's encrypted_content
)

// Bounds; see the package's comment.
const (
	maxIDBytes        = 1 << 10
	maxTurnStateBytes = 8 << 10
	maxItems          = 4096
)

// Key names one piece of state: a hash, never the id itself.
type Key [16]byte

// sampleBytes is how much of each end of an encrypted content goes into its key.
const sampleBytes = 128

// KeyOf hashes a kind and an id. Ids of different kinds never share a key. Of a Reasoning id
// (an encrypted content, which may have megabytes) that is longer than 256 bytes only the
// first and last 128 bytes and the length count: its end is a signature of the rest.
func KeyOf(k Kind, id string) Key { return keyOf(k, id) }

func keyOf[text string | []byte](k Kind, id text) Key {
	var scratch [512]byte
	line := append(scratch[:0], k...)
	line = append(line, 0)
	if n := len(id); k == Reasoning && n > 2*sampleBytes {
		line = append(line, id[:sampleBytes]...)
		line = append(line, id[n-sampleBytes:]...)
		line = binary.BigEndian.AppendUint64(line, uint64(n))
	} else {
		line = append(line, id...)
	}
	sum := sha256.Sum256(line)
	return Key(sum[:len(Key{})])
}

// Pin is one piece of state that a request needs.
type Pin struct {
	Kind Kind
	ID   string
}

// Key returns what p's state is remembered under.
func (p Pin) Key() Key { return KeyOf(p.Kind, p.ID) }

// valid returns id, or "" if it does not count.
func valid(id string, maxBytes int) string {
	if len(id) > maxBytes || strings.TrimSpace(id) == "" || strings.ContainsFunc(id, unicode.IsControl) {
		return ""
	}
	return id
}

// idIn returns a copy of the id that a raw JSON value is, "" if it is no string or does not
// count.
func idIn(raw []byte) string {
	// One byte more than may count is enough to see that there is too much.
	return valid(string(jsonwalk.Unescape(nil, jsonwalk.Inner(raw), maxIDBytes+1)), maxIDBytes)
}

// idOrMember returns the id that a raw JSON value is, or its member name if it is an object.
func idOrMember(raw []byte, name string) string {
	if object := member(raw, name); object != nil {
		return idIn(object)
	}
	return idIn(raw)
}

// member returns the raw value of a member of a raw JSON object, the last one of that name;
// nil = absent, or no object.
func member(raw []byte, name string) []byte {
	w := jsonwalk.Walk{JSON: raw}
	if !w.Enter('{') {
		return nil
	}
	return lastOf(&w, name)
}

// lastOf returns the last member of that name in the object that was entered, and steps out.
func lastOf(w *jsonwalk.Walk, name string) []byte {
	var found []byte
	w.Members(func(key, value []byte) {
		if string(key) == name {
			found = value
		}
	})
	return found
}
