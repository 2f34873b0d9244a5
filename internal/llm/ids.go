package llm

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
)

// NewID makes an id of what it is for: the same for the same seeds, and as good as unique
// otherwise. It is prefix and 24 hexadecimal digits.
func NewID(prefix string, seeds ...string) string {
	h := sha256.New()
	var buffer [256]byte // a seed may be a whole conversation, which is not to be copied
	for i, seed := range seeds {
		if i > 0 {
			h.Write([]byte{0})
		}
		for seed != "" {
			n := copy(buffer[:], seed)
			h.Write(buffer[:n])
			seed = seed[n:]
		}
	}
	return prefix + hex.EncodeToString(h.Sum(buffer[:0])[:12])
}

// SafeID returns id in the alphabet that every format takes, letters, digits, - and _, and
// no longer than limit bytes, which must be at least 24. An id that fits is returned as it
// is; another one keeps what it can and gets a digest, so that different ids stay different.
func SafeID(id string, limit int) string {
	if id != "" && len(id) <= limit && strings.IndexFunc(id, unsafe) < 0 {
		return id
	}
	clean := strings.Map(func(r rune) rune {
		if unsafe(r) {
			return '_'
		}
		return r
	}, id)
	sum := sha256.Sum256([]byte(id))
	return clean[:min(len(clean), limit-17)] + "_" + hex.EncodeToString(sum[:8])
}

func unsafe(r rune) bool {
	return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '_')
}

// markText begins every marked signature, before it is encoded. Its length is a multiple of
// three, so that it can be seen in the encoded form too.
const markText = "understudy1:"

// MarkPrefix is how every marked signature begins.
const MarkPrefix = "dW5kZXJzdHVkeTE6"

// Mark returns a signature as a client of another format than its origin's is given it to
// keep, so that it finds its way back and nobody takes it for the format's own. It is valid
// base64. For the origin's own format it is the signature itself.
func Mark(signature string, origin, client Format) string {
	if signature == "" || origin == client {
		return signature
	}
	return base64.StdEncoding.EncodeToString([]byte(markText + string(origin) + ":" + signature))
}

// Unmark returns a signature that a client of a format has sent, and whose it is.
func Unmark(marked string, client Format) (signature string, origin Format) {
	if !strings.HasPrefix(marked, MarkPrefix) {
		return marked, client
	}
	text, err := base64.StdEncoding.DecodeString(marked)
	if err != nil {
		return marked, client
	}
	of, signature, ok := strings.Cut(string(text[len(markText):]), ":")
	if !ok {
		return marked, client
	}
	return signature, Format(of)
}
