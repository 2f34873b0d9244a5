package fake

import (
	"encoding/json"
	"net/http"
	"strconv"
	"sync"
)

// Authority is an OAuth authorization server for tests. Its logins have numbered tokens,
// and it replaces the refresh token with every answer. Fill its fields before use.
//
// A refresh token that was replaced is taken as well, until the one that came
// in its place has been used: servers that rotate do so, because answers get lost. One that
// is older than that ends its login, for it must have been stolen.
type Authority struct {
	// Prefix is what every token begins with.
	Prefix string
	// ExpiresIn is how many seconds an access token is said to be good for; 0 = an hour.
	ExpiresIn int
	// Signer is the login that signed assertions, as of service accounts, are taken for;
	// "" = none are taken. They are not verified.
	Signer string
	// Script says what is wrong with the answer to the nth request, from 1, of a login. A
	// reply without a status and a body delays the answer, if at all. nil = nothing is wrong.
	Script func(login string, n int) Reply

	mu     sync.Mutex
	logins map[string]*login
	access map[string]string // good access tokens: whose
	owners map[string]string // of refresh tokens, whether good or not
}

// login is one login as the server knows it.
type login struct {
	asked, issued int
	current       string // the newest refresh token
	before        string // the one that current has come in place of; "" = current is the first
	ended         bool
}

// Login makes a login and returns its first tokens, whose number is 0. If there is one
// already, somebody has logged in anew: its numbers go on, and its refresh tokens do not.
func (a *Authority) Login(name string) (access, refresh string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.logins == nil {
		a.logins, a.access, a.owners = map[string]*login{}, map[string]string{}, map[string]string{}
	}
	l := a.logins[name]
	if l == nil {
		l = &login{issued: -1}
		a.logins[name] = l
	}
	l.before, l.ended = "", false
	return a.issue(name, l)
}

// issue makes the next tokens of a login.
func (a *Authority) issue(name string, l *login) (access, refresh string) {
	l.issued++
	access = a.Prefix + name + "-" + strconv.Itoa(l.issued)
	l.current = a.Prefix + "refresh-" + name + "-" + strconv.Itoa(l.issued)
	a.access[access], a.owners[l.current] = name, name
	return access, l.current
}

// Expire makes the access tokens of a login that there are so far bad ones.
func (a *Authority) Expire(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for token, owner := range a.access {
		if owner == name {
			delete(a.access, token)
		}
	}
}

// Revoke ends a login: its refresh tokens are no good any more.
func (a *Authority) Revoke(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.logins[name].ended = true
}

// Owner returns whose access token it is; "" if it is not a good one.
func (a *Authority) Owner(access string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.access[access]
}

// Asked returns how many requests there were for a login.
func (a *Authority) Asked(name string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.logins[name].asked
}

// Newest returns the refresh token that was handed out last.
func (a *Authority) Newest(name string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.logins[name].current
}

// Takes reports whether a refresh token would be taken now.
func (a *Authority) Takes(refresh string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.takes(refresh)
}

func (a *Authority) takes(refresh string) bool {
	l := a.logins[a.owners[refresh]]
	return l != nil && !l.ended && (refresh == l.current || refresh == l.before)
}

// ServeHTTP is the token endpoint.
func (a *Authority) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	refresh, name := r.PostFormValue("refresh_token"), a.Signer
	signed := r.PostFormValue("assertion") != ""
	a.mu.Lock()
	if !signed {
		name = a.owners[refresh]
	}
	n := 0
	if l := a.logins[name]; l != nil {
		l.asked++
		n = l.asked
	}
	a.mu.Unlock()
	if a.Script != nil {
		trouble := a.Script(name, n)
		if trouble.Status != 0 || len(trouble.Body)+len(trouble.Chunks) > 0 || trouble.Hang || trouble.Reset {
			send(w, r, trouble)
			return
		}
		wait(r, trouble.FirstDelay)
	}
	send(w, r, a.renew(name, refresh, signed))
}

// renew answers with new tokens if the present ones are good.
func (a *Authority) renew(name, refresh string, signed bool) Reply {
	a.mu.Lock()
	defer a.mu.Unlock()
	l := a.logins[name]
	if l == nil || l.ended || !signed && !a.takes(refresh) {
		if l != nil {
			l.ended = true
		}
		return Reply{Status: http.StatusBadRequest, Header: contentType("application/json"), Body: []byte(`{"error":"invalid_grant","error_description":"Token has been expired or revoked: ` + refresh + `"}`)}
	}
	if !signed {
		l.before = refresh
	}
	expiresIn := a.ExpiresIn
	if expiresIn == 0 {
		expiresIn = 3600
	}
	access, next := a.issue(name, l)
	answer := map[string]any{"access_token": access, "token_type": "Bearer", "expires_in": expiresIn}
	if !signed {
		answer["refresh_token"] = next
	}
	body, _ := json.Marshal(answer) //nolint:errchkjson // strings and numbers
	return Reply{Header: contentType("application/json"), Body: body}
}
