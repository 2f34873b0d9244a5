package httpapi

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"github.com/understudyhq/understudy/actors"
	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/internal/admission"
	"github.com/understudyhq/understudy/providers"
)

const managementKey = "correct horse"

// managed returns settings with a management key, hashed if so wanted.
func managed(t *testing.T, hashed, remote bool) config.Live {
	t.Helper()
	l := live()
	l.Management = config.Management{SecretKey: managementKey, AllowRemote: remote}
	if hashed {
		hash, err := bcrypt.GenerateFromPassword([]byte(managementKey), bcrypt.MinCost)
		require.NoError(t, err)
		l.Management.SecretKey = string(hash)
	}
	return l
}

// probe asks with a debug key from an address and returns the answer.
func probe(s *Server, peer, key string, e endpoint) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, e.path, strings.NewReader(e.body))
	r.RemoteAddr = peer
	if key != "" {
		r.Header.Set("X-Understudy-Debug", key)
	}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return w
}

// told returns what an answer says of who served.
func told(w *httptest.ResponseRecorder) string {
	return w.Header().Get("X-Understudy-Credential") + "/" + w.Header().Get("X-Understudy-Attempts")
}

func chatCall() endpoint { return endpoint{providers.OpenAIChat, "/v1/chat/completions", chatBody} }

func TestDebug_TellsWhoServed(t *testing.T) {
	t.Parallel()
	const here = "127.0.0.1:5"
	broken := func(*http.Request) (*http.Response, error) { return nil, errors.New("broken") }
	refused := answer(500, "application/json", `{"error":{"message":"x"}}`)
	for _, e := range endpoints() {
		whole := e
		whole.body = strings.Replace(e.body, `"stream":true,`, "", 1)
		whole.path = strings.Replace(e.path, ":streamGenerateContent?alt=sse", ":generateContent", 1)
		tests := map[string]struct {
			pool *fakePool
			call endpoint
			want string
			code int
		}{
			"whole":                 {newPool(good(e.format)), whole, "a/1", 200},
			"stream":                {newPool(goodStream(e.format)), e, "a/1", 200},
			"whole, second attempt": {newPool(broken, good(e.format)), whole, "b/2", 200},
			"stream, third attempt": {newPool(refused, broken, goodStream(e.format)), e, "c/3", 200},
			"stream is cut":         {newPool(stream(errors.New("cut"), opening(e.format)...)), e, "a/1", 200},
			"error of an upstream":  {newPool(broken, refused), whole, "b/2", 500},
			"no answer":             {newPool(refused, broken), e, "b/2", 502},
			"nobody is there":       {newPool(), whole, "/0", 503},
			"unknown model":         {&fakePool{refuse: &actors.UnknownModelError{Model: "m"}}, e, "/0", 404},
		}
		for name, tt := range tests {
			for _, hashed := range []bool{false, true} {
				s := newTestServer(tt.pool, managed(t, hashed, false))
				w := probe(s, here, managementKey, tt.call)
				require.Equal(t, tt.code, w.Code, "%s %s: %s", e.format, name, w.Body)
				require.Equal(t, tt.want, told(w), "%s %s", e.format, name)
			}
		}
	}
}

func TestDebug_TellsNobodyElse(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		peer, key string
		remote    bool
		secret    bool // one is configured
		want      string
	}{
		"loopback":                    {"127.0.0.1:5", managementKey, false, true, "a/1"},
		"any of 127/8":                {"127.8.9.1:5", managementKey, false, true, "a/1"},
		"IPv6 loopback":               {"[::1]:5", managementKey, false, true, "a/1"},
		"IPv4 in IPv6":                {"[::ffff:127.0.0.1]:5", managementKey, false, true, "a/1"},
		"remote":                      {"192.0.2.1:5", managementKey, false, true, "/"},
		"remote, allowed":             {"192.0.2.1:5", managementKey, true, true, "a/1"},
		"no address":                  {"@", managementKey, false, true, "/"},
		"no address, remote allowed":  {"@", managementKey, true, true, "a/1"},
		"empty address":               {"", managementKey, false, true, "/"},
		"wrong":                       {"127.0.0.1:5", "wrong horse", false, true, "/"},
		"beginning of the key":        {"127.0.0.1:5", managementKey[:5], false, true, "/"},
		"more than the key":           {"127.0.0.1:5", managementKey + "x", false, true, "/"},
		"no key":                      {"127.0.0.1:5", "", false, true, "/"},
		"none is configured":          {"127.0.0.1:5", managementKey, true, false, "/"},
		"none is configured or given": {"127.0.0.1:5", "", true, false, "/"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, hashed := range []bool{false, true} {
				settings := live()
				if tt.secret {
					settings = managed(t, hashed, tt.remote)
				}
				s := newTestServer(newPool(good(providers.OpenAIChat)), settings)
				for range 2 {
					w := probe(s, tt.peer, tt.key, chatCall())
					require.Equal(t, 200, w.Code)
					require.Equal(t, tt.want, told(w), "hashed %t", hashed)
				}
			}
		})
	}
}

// A bcrypt hash is no password for itself.
func TestDebug_TheHashIsNoKey(t *testing.T) {
	t.Parallel()
	settings := managed(t, true, false)
	s := newTestServer(newPool(good(providers.OpenAIChat)), settings)
	require.Equal(t, "/", told(probe(s, "127.0.0.1:5", settings.Management.SecretKey, chatCall())))
}

// Headers say nothing of where a request comes from.
func TestDebug_BelievesNoHeader(t *testing.T) {
	t.Parallel()
	s := newTestServer(newPool(good(providers.OpenAIChat)), managed(t, false, false))
	w := send(s, "POST", "/v1/chat/completions", chatBody, debugHeader, managementKey, "X-Forwarded-For", "127.0.0.1",
		"X-Real-Ip", "127.0.0.1", "Forwarded", "for=127.0.0.1", "X-Understudy-Attempts", "3")
	require.Equal(t, "/", told(w))
}

func TestDebug_TheKeyReachesNoUpstream(t *testing.T) {
	t.Parallel()
	for _, key := range []string{managementKey, "wrong horse"} {
		var seen http.Header
		pool := newPool(func(r *http.Request) (*http.Response, error) {
			seen = r.Header
			return good(providers.OpenAIChat)(r)
		})
		pool.credentials[0].Headers = []providers.Header{{Name: "X-Copy", Value: providers.NewSecret("$X-Understudy-Debug")}}
		probe(newTestServer(pool, managed(t, false, true)), "127.0.0.1:5", key, chatCall())
		for name, values := range seen {
			require.NotContains(t, strings.Join(values, " "), "horse", name)
		}
	}
}

func TestDebug_MG4_FiveWrongKeysLockAnAddressOut(t *testing.T) {
	t.Parallel()
	for _, hashed := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			settings := managed(t, hashed, true)
			s := newTestServer(newPool(good(providers.OpenAIChat)), settings)
			try := func(peer, key string) string {
				w := probe(s, peer, key, chatCall())
				require.Equal(t, 200, w.Code, "whoever guesses is served all the same")
				return told(w)
			}
			guess := func(n int) {
				for range n {
					require.Equal(t, "/", try("192.0.2.1:5", "wrong horse"))
				}
			}
			guess(4)
			require.Equal(t, "a/1", try("192.0.2.1:6", managementKey), "in a row, they must be")
			guess(4)
			require.Equal(t, "/", try("192.0.2.1:5", ""), "no key is no wrong one")
			require.Equal(t, "a/1", try("192.0.2.1:5", managementKey))
			guess(5)
			require.Equal(t, "/", try("192.0.2.1:7", managementKey))
			require.Equal(t, "a/1", try("192.0.2.2:5", managementKey), "others are not concerned")
			s.Apply(settings)
			require.Equal(t, "/", try("192.0.2.1:5", managementKey), "new settings forget nothing")
			time.Sleep(admission.Pause - time.Second)
			require.Equal(t, "/", try("192.0.2.1:5", managementKey))
			time.Sleep(time.Second)
			require.Equal(t, "a/1", try("192.0.2.1:5", managementKey))
		})
	}
}

// Peers that may not ask at all cannot guess either, and lock nobody out.
func TestDebug_GuessesFromElsewhereAreNotLookedAt(t *testing.T) {
	t.Parallel()
	settings := managed(t, false, false)
	s := newTestServer(newPool(good(providers.OpenAIChat)), settings)
	for range 2 * admission.Tries {
		require.Equal(t, "/", told(probe(s, "192.0.2.1:5", "wrong horse", chatCall())))
	}
	settings.Management.AllowRemote = true
	s.Apply(settings)
	require.Equal(t, "a/1", told(probe(s, "192.0.2.1:5", managementKey, chatCall())))
}
