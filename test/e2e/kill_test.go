package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy"
	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/internal/fake"
)

// How a test starts this binary as a child that refreshes a login until it is killed: with
// the path of its configuration file, and the address that all its connections lead to.
const (
	childConfig  = "UNDERSTUDY_E2E_CHILD_CONFIG"
	childAddress = "UNDERSTUDY_E2E_CHILD_ADDRESS"
)

// refreshUntilKilled is the child: a gateway whose every request finds its token refused,
// refreshes it, keeps the new one and uses it. It tells of each step in a byte on standard
// output. It returns only if something fails, as when its parent is gone.
func refreshUntilKilled(path string) error {
	loaded, err := config.LoadAll(path, os.LookupEnv)
	if err != nil {
		return err
	}
	if len(loaded.Bad) > 0 {
		return loaded.Bad
	}
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, os.Getenv(childAddress))
	}
	log := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	gateway, err := understudy.New(loaded.Config, understudy.WithLogger(log), understudy.WithTransport(telling{&http.Transport{DialContext: dial}}))
	if err != nil {
		return err
	}
	d := dialects()[0]
	for {
		w := httptest.NewRecorder()
		gateway.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodPost, d.plain, strings.NewReader(d.question1)))
		if w.Code != http.StatusOK {
			return fmt.Errorf("status %d: %s", w.Code, w.Body)
		}
	}
}

// telling tells, in a byte each, of questions and of answers.
type telling struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (t telling) RoundTrip(r *http.Request) (*http.Response, error) {
	_, _ = os.Stdout.WriteString("?")
	resp, err := t.next.RoundTrip(r)
	_, _ = os.Stdout.WriteString("!")
	return resp, err
}

// victim is a login whose program is killed again and again.
type victim struct {
	t      *testing.T
	server *fake.Authority
	main   string
	file   string
	used   atomic.Pointer[string] // the token that was used last
	whole  atomic.Bool            // every token that was used was in the file by then
}

func newVictim(t *testing.T) *victim {
	folder := t.TempDir()
	v := &victim{t: t, server: &fake.Authority{Prefix: upstreamMark}, main: filepath.Join(folder, "config.yaml"), file: filepath.Join(folder, "credentials", "a.yaml")}
	v.whole.Store(true)
	access, refresh := v.server.Login("a")
	v.used.Store(&access)
	v.server.Expire("a")
	require.NoError(t, os.Mkdir(filepath.Dir(v.file), 0o700))
	require.NoError(t, os.WriteFile(v.main, []byte("credentials-dir: credentials\nproviders: [{name: openai, kind: openai, base-url: \"http://upstream.test/v1\", models: [m]}]\n"), 0o600))
	require.NoError(t, os.WriteFile(v.file, fmt.Appendf(nil, "provider: openai # mine\noauth:\n  token-url: http://auth.test/token\n  refresh-token: %s\n  access-token: %s\n", refresh, access), 0o600))
	return v
}

// ServeHTTP is the upstream, which takes every token once, and the authorization server.
func (v *victim) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Host == "auth.test" {
		v.server.ServeHTTP(w, r)
		return
	}
	upstream := fake.New(func(q fake.Request) fake.Reply {
		if v.server.Owner(q.Key) == "" {
			return refusal(http.StatusUnauthorized)
		}
		text, err := os.ReadFile(v.file)
		if err != nil || !bytes.Contains(text, []byte(q.Key+`"`)) {
			v.whole.Store(false)
		}
		v.used.Store(&q.Key)
		v.server.Expire("a")
		return answerTo(q)
	})
	upstream.ServeHTTP(w, r)
}

// kill starts the child, lets it go so many steps and a little further, and kills it. What
// it has sent is served before kill returns, and nothing of it later.
func (v *victim) kill(steps, spins int) {
	v.t.Helper()
	server := httptest.NewServer(v)
	defer server.Close()
	program, err := os.Executable()
	require.NoError(v.t, err)
	child := exec.CommandContext(v.t.Context(), program)
	child.Env = append(os.Environ(), childConfig+"="+v.main, childAddress+"="+server.Listener.Addr().String())
	var log bytes.Buffer
	child.Stderr = &log
	out, err := child.StdoutPipe()
	require.NoError(v.t, err)
	require.NoError(v.t, child.Start())
	_, early := io.ReadFull(out, make([]byte, steps))
	var spun atomic.Int64
	for range spins {
		spun.Add(1)
	}
	killed := child.Process.Kill()
	_ = child.Wait() // it was killed
	inspect(v.t, "output", log.Bytes())
	require.NoError(v.t, early, "it has ended by itself: %s", log.String())
	require.NoError(v.t, killed)
}

// requireKept checks what the child has left and reports whether it is the newest.
func (v *victim) requireKept() (newest bool) {
	v.t.Helper()
	require.True(v.t, v.whole.Load(), "a token was used before it was kept")
	text, err := os.ReadFile(v.file)
	require.NoError(v.t, err)
	loaded, err := config.LoadAll(v.main, os.LookupEnv)
	require.NoError(v.t, err)
	require.Empty(v.t, loaded.Bad, "half a file: %s", text)
	require.Contains(v.t, string(text), "provider: openai # mine\n")
	info, err := os.Stat(v.file)
	require.NoError(v.t, err)
	require.Equal(v.t, os.FileMode(0o600), info.Mode())
	login := loaded.Config.Providers[0].Credentials[0].OAuth
	n := number(v.t, login.AccessToken, upstreamMark+"a-")
	require.Equal(v.t, n, number(v.t, login.RefreshToken, upstreamMark+"refresh-a-"), "half a grant")
	require.GreaterOrEqual(v.t, n, number(v.t, *v.used.Load(), upstreamMark+"a-"), "what was used is not there any more")
	require.True(v.t, v.server.Takes(login.RefreshToken), "the login is lost: there is %d, the newest is %s", n, v.server.Newest("a"))
	return login.RefreshToken == v.server.Newest("a")
}

func number(t *testing.T, token, prefix string) (n int) {
	t.Helper()
	_, err := fmt.Sscanf(token, prefix+"%d", &n)
	require.NoError(t, err, token)
	return n
}

// A process that is killed while it refreshes leaves the old grant or the new one, whole,
// and the login goes on.
//
// What that can mean depends on the server. It replaces the refresh token with each answer.
// An answer that the process dies with, before it has written it, is lost in any case; no
// client can help that. So servers that replace tokens take the former one until the new one
// has been used, and so does this one; it ends the login if a token comes that is older. What
// the gateway has to do is never to use a new token before it is in the file, and never to
// have less in the file than one whole grant: then what is in there is always taken.
func TestKill_AtAnyMomentOfARefreshLosesNoLogin(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it starts a hundred processes")
	}
	const victims, kills = 4, 25
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	var older, refreshes atomic.Int64
	t.Run("victims", func(t *testing.T) {
		for i := range victims {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				random := rand.New(rand.NewPCG(seed, uint64(i)))
				v := newVictim(t)
				for range kills {
					v.kill(1+random.IntN(18), random.IntN(maxSpins)) // a refresh has six steps
					if !v.requireKept() {
						older.Add(1)
					}
				}
				refreshes.Add(int64(v.server.Asked("a")))
			})
		}
	})
	t.Logf("%d kills in %d refreshes; %d left the older grant", victims*kills, refreshes.Load(), older.Load())
	require.Positive(t, older.Load(), "it was never killed between answer and write")
	require.Less(t, older.Load(), int64(victims*kills), "it never got to write")
}

// maxSpins is how far a child may get at most after a step: about as far as the next ones.
const maxSpins = 100_000
