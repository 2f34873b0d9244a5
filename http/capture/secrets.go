package capture

import (
	"bytes"
	"encoding/json"
	"io"
	"net/url"
	"slices"
	"strings"
)

// mask stands for what is not shown.
const mask = "***"

// minSecretBytes is the shortest secret that is looked for in bodies: to look for less would
// make them unreadable, and hide nothing that could not be guessed.
const minSecretBytes = 4

// isSecretName reports whether a header, a query's pair or a member of that name holds a secret.
func isSecretName(name string) bool {
	name = strings.ToLower(name)
	switch name {
	case "authorization", "proxy-authorization", "cookie", "set-cookie", "key", "x-understudy-debug", "x-codex-turn-state":
		return true
	}
	for _, ending := range [...]string{"api-key", "api_key", "apikey", "token", "secret", "password", "management-key", "-auth", "signature"} {
		if strings.HasSuffix(name, ending) {
			return true
		}
	}
	return false
}

// maskedTarget returns the path and query of a URL, secret pairs masked, all others as they are.
func maskedTarget(u *url.URL) string {
	if u.RawQuery == "" {
		return u.EscapedPath()
	}
	pairs := strings.Split(u.RawQuery, "&")
	for i, pair := range pairs {
		name, _, _ := strings.Cut(pair, "=")
		if plain, err := url.QueryUnescape(name); err != nil || isSecretName(plain) {
			pairs[i] = name + "=" + mask
		}
	}
	return u.EscapedPath() + "?" + strings.Join(pairs, "&")
}

// secrets returns all that must not be written: what was told, and what the client has
// authenticated with, wherever it turns up.
func (e *Exchange) secrets() *secrets {
	s := &secrets{}
	for _, secret := range e.hidden {
		s.add(secret)
	}
	for name, values := range e.request.Header {
		if !isSecretName(name) {
			continue
		}
		for _, value := range values {
			s.add(value)
			if _, token, ok := strings.Cut(value, " "); ok {
				s.add(strings.TrimSpace(token))
			}
		}
	}
	for pair := range strings.SplitSeq(e.request.URL.RawQuery, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if plain, err := url.QueryUnescape(name); err == nil && isSecretName(plain) {
			s.add(value)
			if plain, err := url.QueryUnescape(value); err == nil {
				s.add(plain)
			}
		}
	}
	return s
}

// secrets are texts that must not be written, longest first.
type secrets struct{ list []string }

// add adds a secret in the forms in which it may be met.
func (s *secrets) add(secret string) {
	forms := []string{secret, url.QueryEscape(secret)}
	if quoted, err := json.Marshal(secret); err == nil {
		forms = append(forms, string(quoted[1:len(quoted)-1]))
	}
	for _, form := range forms {
		if len(form) >= minSecretBytes && !slices.Contains(s.list, form) {
			s.list = append(s.list, form)
		}
	}
	slices.SortStableFunc(s.list, func(a, b string) int { return len(b) - len(a) })
}

// writer returns a writer to w that masks the secrets.
func (s *secrets) writer(w io.Writer) *hider {
	h := &hider{w: w}
	for _, secret := range s.list {
		h.secrets = append(h.secrets, []byte(secret))
		h.first[secret[0]] = true
	}
	if len(s.list) > 0 {
		h.longest = len(s.list[0])
	}
	return h
}

// hider passes on what is written to it, with every secret masked, also one that comes in
// several pieces. It must be closed.
type hider struct {
	w       io.Writer
	secrets [][]byte  // longest first
	first   [256]bool // the bytes that one begins with
	longest int
	pending []byte // may be the beginning of a secret
}

// Write is part of io.Writer.
func (h *hider) Write(p []byte) (int, error) {
	h.pending = append(h.pending, p...)
	if err := h.pass(max(0, h.longest-1)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Close passes on the rest. It does not close what is written to.
func (h *hider) Close() error { return h.pass(0) }

// pass passes pending on but for its last bytes, where a secret may have begun that is not whole
// yet.
func (h *hider) pass(keep int) error {
	done, at := 0, 0 // done is written, at is looked at
	for at < len(h.pending)-keep {
		length := h.match(h.pending[at:])
		if length == 0 {
			at++
			continue
		}
		if _, err := h.w.Write(h.pending[done:at]); err != nil {
			return err
		}
		if _, err := io.WriteString(h.w, mask); err != nil {
			return err
		}
		at += length
		done = at
	}
	_, err := h.w.Write(h.pending[done:at])
	h.pending = h.pending[:copy(h.pending, h.pending[at:])]
	return err
}

// match returns the length of the longest secret that p begins with; 0 = none.
func (h *hider) match(p []byte) int {
	if !h.first[p[0]] {
		return 0
	}
	for _, secret := range h.secrets {
		if bytes.HasPrefix(p, secret) {
			return len(secret)
		}
	}
	return 0
}
