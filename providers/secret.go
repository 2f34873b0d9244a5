package providers

import (
	"crypto/subtle"
	"fmt"
	"log/slog"
)

// Secret is a value that must not be printed. Every way of formatting, logging or
// encoding one yields "***" (or nothing for an empty one); only Reveal gives it out. The
// zero Secret is empty. Compare with Equal: == compares identity.
type Secret struct {
	// value is behind a pointer because fmt calls no methods on unexported fields: there
	// it prints an address instead of the secret. nil = empty.
	value *string
}

// NewSecret wraps s.
func NewSecret(s string) Secret {
	if s == "" {
		return Secret{}
	}
	return Secret{value: &s}
}

// Reveal returns the secret itself. Call it only where it is put on the wire or compared.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// Empty reports whether there is no secret.
func (s Secret) Empty() bool { return s.value == nil }

// Equal reports whether both hold the same secret, in time that does not tell how much of
// them agrees.
func (s Secret) Equal(other Secret) bool {
	return subtle.ConstantTimeCompare([]byte(s.Reveal()), []byte(other.Reveal())) == 1
}

// String masks the secret.
func (s Secret) String() string {
	if s.Empty() {
		return ""
	}
	return "***"
}

// GoString masks the secret for %#v.
func (s Secret) GoString() string { return s.String() }

// Format masks the secret for every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// LogValue masks the secret in logs.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText masks the secret in JSON, YAML and text encodings.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
