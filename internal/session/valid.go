package session

import (
	"net/http"
	"strings"
	"unicode"
)

// maxIDBytes is the length up to which an explicit id counts.
const maxIDBytes = 256

// valid returns id without surrounding blanks, or "" if it does not count: it holds a
// control character, nothing else, or more than maxIDBytes.
func valid(id string) string {
	if strings.ContainsFunc(id, unicode.IsControl) {
		return ""
	}
	if id = strings.TrimSpace(id); len(id) > maxIDBytes {
		return ""
	}
	return id
}

// stringID returns the id that a raw JSON value is, "" if it is no string or does not count.
func stringID(raw []byte) string {
	if len(raw) == 0 {
		return ""
	}
	return valid(parse(raw).Str)
}

func firstValid(values []string) string {
	for _, v := range values {
		if id := valid(v); id != "" {
			return id
		}
	}
	return ""
}

// headers finds ids in headers.
type headers struct {
	http.Header
	odd bool // some did not pass through net/http: their spelling is not canonical
}

func newHeaders(h http.Header) headers {
	for name := range h {
		if http.CanonicalHeaderKey(name) != name {
			return headers{h, true}
		}
	}
	return headers{h, false}
}

// first returns the id under the first of names, given in canonical form, that has one.
func (h headers) first(names ...string) string {
	for _, name := range names {
		id := firstValid(h.Header[name])
		if id == "" && h.odd {
			id = h.spelled(name)
		}
		if id != "" {
			return id
		}
	}
	return ""
}

// spelled returns the first valid value of a header under other spellings than the
// canonical one; the first spelling in the alphabet counts.
func (h headers) spelled(name string) string {
	found, id := "", ""
	for spelling, values := range h.Header {
		if len(spelling) != len(name) || !strings.EqualFold(spelling, name) || (id != "" && spelling > found) {
			continue
		}
		if v := firstValid(values); v != "" {
			found, id = spelling, v
		}
	}
	return id
}
