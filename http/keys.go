package httpapi

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"net/url"
	"strings"

	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/providers"
)

// clientKey is one configured client key, without the key itself.
type clientKey struct {
	name   string
	digest [sha256.Size]byte
	models []string // globs; empty = all
}

// allows reports whether the key may use the model, named as the client names it.
func (k *clientKey) allows(model string) bool {
	return len(k.models) == 0 || providers.MatchAny(k.models, model)
}

// keyring checks client keys, in time that depends neither on how many there are nor on
// how much of a wrong key is right: it looks digests up, never keys.
type keyring struct {
	byDigest map[[sha256.Size]byte]*clientKey
	open     *clientKey // who everybody is when no keys are configured; else nil
}

func newKeyring(keys []config.APIKey) keyring {
	if len(keys) == 0 {
		return keyring{open: &clientKey{}}
	}
	ring := keyring{byDigest: make(map[[sha256.Size]byte]*clientKey, len(keys))}
	for _, k := range keys {
		digest := sha256.Sum256([]byte(k.Key))
		ring.byDigest[digest] = &clientKey{name: k.Name, digest: digest, models: k.Models}
	}
	return ring
}

// find returns the client's key, or nil if it gave no right one. A client may give several
// keys in several places: one right one is enough.
func (k keyring) find(r *http.Request) *clientKey {
	if k.open != nil {
		return k.open
	}
	for _, value := range r.Header["Authorization"] {
		if scheme, token, ok := strings.Cut(value, " "); ok && strings.EqualFold(scheme, "Bearer") {
			if found := k.lookup(strings.TrimSpace(token)); found != nil {
				return found
			}
		}
	}
	for _, name := range [...]string{"X-Api-Key", "X-Goog-Api-Key"} {
		for _, value := range r.Header[name] {
			if found := k.lookup(value); found != nil {
				return found
			}
		}
	}
	for pair := range strings.SplitSeq(r.URL.RawQuery, "&") {
		if value, ok := keyPair(pair); ok {
			if found := k.lookup(value); found != nil {
				return found
			}
		}
	}
	return nil
}

func (k keyring) lookup(key string) *clientKey {
	digest := sha256.Sum256([]byte(key))
	found := k.byDigest[digest]
	if found == nil || subtle.ConstantTimeCompare(found.digest[:], digest[:]) != 1 {
		return nil
	}
	return found
}

// keyPair returns the value of a query's pair if the pair is a key.
func keyPair(pair string) (value string, ok bool) {
	name, value, _ := strings.Cut(pair, "=")
	if !isKeyName(name) {
		return "", false
	}
	if plain, err := url.QueryUnescape(value); err == nil {
		value = plain
	}
	return value, true
}

func isKeyName(name string) bool {
	if strings.IndexByte(name, '%') < 0 {
		return name == "key"
	}
	plain, err := url.QueryUnescape(name)
	return err == nil && plain == "key"
}

// hasKeyPair reports whether a raw query holds a client key.
func hasKeyPair(query string) bool {
	for pair := range strings.SplitSeq(query, "&") {
		if _, ok := keyPair(pair); ok {
			return true
		}
	}
	return false
}

// withoutKey returns a raw query without its client keys; all other pairs stay as they
// are, in their order.
func withoutKey(query string) string {
	if !hasKeyPair(query) {
		return query
	}
	kept := make([]string, 0, strings.Count(query, "&"))
	for pair := range strings.SplitSeq(query, "&") {
		if _, ok := keyPair(pair); !ok {
			kept = append(kept, pair)
		}
	}
	return strings.Join(kept, "&")
}
