package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/internal/fake"
)

// clientSecret is what logins' files give for their program.
const clientSecret = upstreamMark + "of-the-program"

// logins says what a loginRig is made of besides its setup.
type logins struct {
	names   []string                               // files of logins; default a, b
	expired bool                                   // the tokens in the files are
	ended   string                                 // the login that has ended
	files   map[string]string                      // more files
	script  func(login string, n int) fake.Reply   // of the authorization server
	refused func(login string, q fake.Request) int // status for a good token; 0 = it is served
	signer  string                                 // the login of service accounts
	adjust  func(*config.Config)
}

// loginRig is a rig whose credentials are logins in files, in a bubble. Its upstream serves
// those whose token the authorization server knows, and checks that a token is in its file
// before it is used.
type loginRig struct {
	*rig

	server *fake.Authority
	main   string // the configuration file
}

func inLogins(t *testing.T, l logins, f func(t *testing.T, r *loginRig)) {
	t.Helper()
	if l.names == nil {
		l.names = []string{"a", "b"}
	}
	r := &loginRig{server: &fake.Authority{Prefix: upstreamMark, Script: l.script, Signer: l.signer}, main: filepath.Join(t.TempDir(), "config.yaml")}
	require.NoError(t, os.Mkdir(filepath.Dir(r.file("x")), 0o700))
	for _, name := range l.names {
		r.logIn(t, name, l.expired)
		if name == l.ended {
			r.server.Revoke(name)
		}
	}
	for name, text := range l.files {
		require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(r.file("x")), name), []byte(text), 0o600))
	}
	upstream := func(q fake.Request) fake.Reply {
		owner := r.server.Owner(q.Key)
		if owner == "" {
			return refusal(http.StatusUnauthorized)
		}
		if owner != l.signer {
			r.requireKept(t, owner, q.Key)
		}
		if l.refused != nil {
			if status := l.refused(owner, q); status != 0 {
				return refusal(status)
			}
		}
		return answerTo(q)
	}
	around := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			if q.URL.Host == "auth.test" {
				if assertion := q.PostFormValue("assertion"); assertion != "" {
					shown.add(assertion)
				}
				r.server.ServeHTTP(w, q)
				return
			}
			next.ServeHTTP(w, q)
		})
	}
	adjust := func(c *config.Config) {
		*c = *r.load(t)
		if l.adjust != nil {
			l.adjust(c)
		}
	}
	inBubble(t, setup{script: upstream, around: around, adjust: adjust}, func(t *testing.T, inner *rig) {
		r.rig = inner
		f(t, r)
	})
}

// file returns the path of a login's file.
func (r *loginRig) file(name string) string {
	return filepath.Join(filepath.Dir(r.main), "credentials", name+".yaml")
}

// logIn makes a login and writes its file, as somebody who logs in anew does.
func (r *loginRig) logIn(t *testing.T, name string, expired bool) {
	t.Helper()
	access, refresh := r.server.Login(name)
	expiresAt := "null"
	if expired {
		expiresAt = "1999-12-31T00:00:00Z" // bubbles begin a day later
		r.server.Expire(name)
	}
	text := fmt.Sprintf("provider: openai # mine\noauth:\n  token-url: http://auth.test/token\n  client-id: app\n  client-secret: %s\n  refresh-token: %s\n  access-token: %s\n  expires-at: %s\n",
		clientSecret, refresh, access, expiresAt)
	require.NoError(t, os.WriteFile(r.file(name), []byte(text), 0o600))
}

// load reads the configuration anew.
func (r *loginRig) load(t *testing.T) *config.Config {
	t.Helper()
	text := fmt.Sprintf(`
credentials-dir: credentials
api-keys: [{key: %s, name: one}]
routing: {strategy: fill-first}
retry: {rounds: 0, max-wait: 0s}
providers: [{name: openai, kind: openai, base-url: "http://upstream.test/v1", models: [m]}]
`, clientKey)
	require.NoError(t, os.WriteFile(r.main, []byte(text), 0o600))
	loaded, err := config.LoadAll(r.main, os.LookupEnv)
	require.NoError(t, err)
	require.Empty(t, loaded.Bad)
	return loaded.Config
}

// requireKept checks that a login's file has the token that is being used, or a newer one,
// with the newest refresh token, and that nobody else can read it. It may be called from any
// goroutine.
func (r *loginRig) requireKept(t *testing.T, name, access string) {
	if strings.HasSuffix(access, "-0") {
		return // it is from there
	}
	text, err := os.ReadFile(r.file(name))
	info, errOfInfo := os.Stat(r.file(name))
	switch {
	case err != nil || errOfInfo != nil:
		t.Error(err, errOfInfo)
	case !strings.Contains(string(text), access) || !strings.Contains(string(text), r.server.Newest(name)) || !strings.Contains(string(text), "# mine"):
		t.Errorf("%s is used before it is kept in\n%s", access, text)
	case info.Mode().Perm() != 0o600:
		t.Errorf("a file with tokens has mode %v", info.Mode())
	}
}

// watch applies what changes in the files, as the program does, and returns what has changed
// since it was last asked. end stops it.
func (r *loginRig) watch(t *testing.T) (changes func() []config.Change, end func()) {
	t.Helper()
	source := config.NewSource(r.main, os.LookupEnv)
	_, err := source.Load()
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	var all []config.Change // only one goroutine at a time runs in what reads and writes it
	go func() {
		defer close(ended)
		source.Watch(ctx, nil, func(loaded *config.Loaded, err error) {
			if err != nil {
				t.Error(err)
				return
			}
			applied, err := r.gateway.Apply(loaded.Config)
			if err != nil {
				t.Error(err)
			}
			all = append(all, applied...)
		})
	}()
	changes = func() []config.Change {
		synctest.Wait()
		news := all
		all = nil
		return news
	}
	return changes, func() { cancel(); <-ended }
}
