package e2e

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/internal/fake"
)

// takes3s is an authorization server that is slow.
func takes3s(string, int) fake.Reply { return fake.Reply{FirstDelay: 3 * time.Second} }

func TestRT12_AThousandRequestsOnAnExpiredTokenCauseOneRefresh(t *testing.T) {
	t.Parallel()
	inLogins(t, logins{expired: true, script: takes3s}, func(t *testing.T, r *loginRig) {
		d := dialects()[0]
		n := 0
		began := time.Now()
		r.storm(t, 1000, func() *http.Request {
			n++
			return r.request(http.MethodPost, d.target(n%2 == 0), d.question(n%2 == 0))
		})
		require.Equal(t, 3*time.Second, time.Since(began), "they wait for that one")
		require.Equal(t, 1, r.server.Asked("a"))
		require.Equal(t, 1000, r.upstream.Calls(secretOf("a-1")))
		require.Len(t, r.upstream.Requests(), 1000, "nobody is sent to another one, or with the old token")
		require.Equal(t, "active", r.view("a").Status)
	})
}

func TestRT12_AThousandWhoAreRefusedAtOnceCauseOneRefresh(t *testing.T) {
	t.Parallel()
	inLogins(t, logins{script: takes3s}, func(t *testing.T, r *loginRig) {
		r.server.Expire("a")
		d := dialects()[0]
		r.storm(t, 1000, func() *http.Request { return r.request(http.MethodPost, d.plain, d.question1) })
		require.Equal(t, 1, r.server.Asked("a"))
		require.Equal(t, 1000, r.upstream.Calls(secretOf("a-0")))
		require.Equal(t, 1000, r.upstream.Calls(secretOf("a-1")))
		require.Zero(t, r.upstream.Calls(secretOf("b-0")))
	})
}

func TestRT12_A401IsRepeatedOnTheSameCredential(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		most   int // max-credentials
		status int // of the new token
		want   int
		served []string
		kinds  string
	}{
		"it is served":           {1, 0, 200, []string{"a-0", "a-1"}, "[a:success]"},
		"no other one is left":   {1, 500, 500, []string{"a-0", "a-1"}, "[a:transient]"},
		"it was not another one": {2, 500, 200, []string{"a-0", "a-1", "b-0"}, "[a:transient b:success]"},
	} {
		for _, stream := range []bool{false, true} {
			t.Run(fmt.Sprint(name, "/", stream), func(t *testing.T) {
				t.Parallel()
				refused := func(login string, _ fake.Request) int {
					if login == "a" {
						return tt.status
					}
					return 0
				}
				inLogins(t, logins{refused: refused, adjust: func(c *config.Config) { c.Retry.MaxCredentials = tt.most }}, func(t *testing.T, r *loginRig) {
					r.server.Expire("a")
					got := r.ask(dialects()[0], stream, "X-Request-Id", "one")
					require.Equal(t, tt.want, got.status)
					require.Equal(t, tt.served, r.served())
					require.Equal(t, 1, r.server.Asked("a"))
					r.settle()
					var kinds []string
					for _, attempt := range r.record("one").Attempts {
						kinds = append(kinds, fmt.Sprintf("%s:%s", attempt.Credential, attempt.Outcome))
					}
					require.Equal(t, tt.kinds, fmt.Sprint(kinds))
				})
			})
		}
	}
}

func TestRT13_ASecond401FailsOverOnce(t *testing.T) {
	t.Parallel()
	for _, stream := range []bool{false, true} {
		t.Run(fmt.Sprint(stream), func(t *testing.T) {
			t.Parallel()
			refused := func(login string, _ fake.Request) int {
				if login == "a" {
					return http.StatusUnauthorized
				}
				return 0
			}
			inLogins(t, logins{refused: refused, adjust: func(c *config.Config) { c.Retry.Rounds = 3 }}, func(t *testing.T, r *loginRig) {
				for range 5 {
					require.Equal(t, http.StatusOK, r.ask(dialects()[0], stream).status)
					r.settle()
				}
				require.Equal(t, []string{"a-0", "a-1", "b-0", "b-0", "b-0", "b-0", "b-0"}, r.served())
				require.Equal(t, 1, r.server.Asked("a"), "no loop")
				require.Equal(t, "unauthorized", r.view("a").Status)
			})
		})
	}
}

func TestRT13_ARefreshThatFailsFailsOverAndRecovers(t *testing.T) {
	t.Parallel()
	for name, trouble := range map[string]fake.Reply{
		"500":          {Status: 500, Body: []byte("upstream connect error: " + clientSecret)},
		"no token":     {Status: 200, Body: []byte(`{"token_type":"Bearer"}`)},
		"not JSON":     {Status: 200, Body: []byte("<html>" + clientSecret)},
		"a redirect":   {Status: 302, Header: http.Header{"Location": {"http://upstream.test/?" + clientSecret}}},
		"too much":     {Status: 200, Body: make([]byte, 1<<20)},
		"wrong client": {Status: 401, Body: []byte(`{"error":"invalid_client","error_description":"` + clientSecret + `"}`)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			down := time.Date(2000, 1, 1, 0, 0, 20, 0, time.UTC) // until then; tries after 0, 5, 15 and 35 s
			script := func(login string, _ int) fake.Reply {
				if login == "a" && time.Now().Before(down) {
					return trouble
				}
				return fake.Reply{}
			}
			inLogins(t, logins{script: script}, func(t *testing.T, r *loginRig) {
				r.server.Expire("a")
				for range 3 {
					require.Equal(t, http.StatusOK, r.ask(dialects()[0], false).status)
					r.settle()
				}
				require.Equal(t, []string{"a-0", "b-0", "b-0", "b-0"}, r.served())
				require.Equal(t, "unauthorized", r.view("a").Status)
				time.Sleep(30 * time.Second)
				asked := r.server.Asked("a")
				require.Equal(t, http.StatusOK, r.ask(dialects()[0], false).status)
				require.Equal(t, "b-0", r.served()[4])
				require.Equal(t, asked, r.server.Asked("a"), "between two tries nobody asks")
				time.Sleep(6 * time.Second)
				require.Equal(t, "active", r.view("a").Status, "it recovers by itself")
				require.Equal(t, http.StatusOK, r.ask(dialects()[0], false).status)
				require.Equal(t, "a-1", r.served()[5])
			})
		})
	}
}

// Of two requests at the same time one gets the login whose server hangs. It waits for that
// server's time, half a minute, and is then served by the other login; the other request
// does not notice.
func TestRT13_AServerThatNeverAnswersHoldsOnlyThoseWhoNeedIt(t *testing.T) {
	t.Parallel()
	script := func(login string, _ int) fake.Reply { return fake.Reply{Hang: login == "a"} }
	inLogins(t, logins{expired: true, script: script, adjust: inTurn}, func(t *testing.T, r *loginRig) {
		began := time.Now()
		var open []<-chan answer
		for range 2 {
			open = append(open, r.sendLater(r.request(http.MethodPost, "/v1/chat/completions", `{"model":"m"}`)))
		}
		r.settle()
		require.Equal(t, []string{"b-1"}, r.served())
		for _, got := range open {
			require.Equal(t, http.StatusOK, (<-got).status)
		}
		require.Equal(t, 30*time.Second, time.Since(began))
		require.Equal(t, []string{"b-1", "a-0", "b-1"}, r.served())
		require.Equal(t, "unauthorized", r.view("a").Status)
	})
}

func TestRT14_WithoutARefreshTokenNobodyIsAsked(t *testing.T) {
	t.Parallel()
	files := map[string]string{
		"0.yaml": "provider: openai\napi-key: " + secretOf("0"),
		"1.yaml": "provider: openai\noauth: {token-url: \"http://auth.test/token\", access-token: " + secretOf("1") + "}",
	}
	inLogins(t, logins{names: []string{"a"}, files: files}, func(t *testing.T, r *loginRig) {
		for range 2 {
			require.Equal(t, http.StatusOK, r.ask(dialects()[0], false).status)
			r.settle()
		}
		require.Equal(t, []string{"0", "1", "a-0", "a-0"}, r.served())
		require.Equal(t, "unauthorized", r.view("0").Status)
		require.Equal(t, "unauthorized", r.view("1").Status)
		require.Zero(t, r.server.Asked("a"))
	})
}

func TestCD19_ALoginThatHasEndedIsUnauthorizedAndAnotherOneServes(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		expired bool
		served  []string
	}{
		"ahead of any request": {true, []string{"b-1", "b-1", "b-1", "b-1", "a-1"}},
		"by a 401":             {false, []string{"a-0", "b-0", "b-0", "b-0", "b-0", "a-1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inLogins(t, logins{expired: tt.expired, ended: "a"}, func(t *testing.T, r *loginRig) {
				r.server.Expire("a")
				_, end := r.watch(t)
				defer end()
				for range 3 {
					r.settle()
					require.Equal(t, http.StatusOK, r.ask(dialects()[0], false).status)
				}
				v := r.view("a")
				require.Equal(t, "unauthorized", v.Status)
				require.InDelta(t, 30*time.Minute, time.Until(v.Until), float64(time.Second))
				time.Sleep(29 * time.Minute)
				require.Equal(t, http.StatusOK, r.ask(dialects()[0], false).status)
				require.Equal(t, 1, r.server.Asked("a"), "nobody asks again")

				r.logIn(t, "a", false)
				time.Sleep(time.Second)
				synctest.Wait()
				require.Equal(t, "active", r.view("a").Status, "somebody has logged in anew")
				require.Equal(t, http.StatusOK, r.ask(dialects()[0], false).status)
				require.Equal(t, tt.served, r.served())
			})
		})
	}
}

// What a login writes into its file is no change, rotated refresh token or not; and whoever
// starts from that file goes on where it was.
func TestHR7_TheTokensThatALoginHasWrittenAreNoChange(t *testing.T) {
	t.Parallel()
	inLogins(t, logins{names: []string{"a"}}, func(t *testing.T, r *loginRig) {
		changes, end := r.watch(t)
		defer end()
		for n := range 5 {
			r.server.Expire("a")
			require.Equal(t, http.StatusOK, r.ask(dialects()[0], false).status)
			time.Sleep(2 * time.Second)
			require.Empty(t, changes())
			require.Equal(t, n+1, r.server.Asked("a"))
		}
		text, err := os.ReadFile(r.file("a"))
		require.NoError(t, err)
		require.Contains(t, string(text), r.server.Newest("a"))
		require.NotZero(t, r.load(t).Providers[0].Credentials[0].OAuth.ExpiresAt)
		r.logIn(t, "a", false)
		time.Sleep(2 * time.Second)
		require.Equal(t, "[providers[openai].credentials[a].oauth changed]", fmt.Sprint(changes()), "that was somebody else")
	})
}

// The assertion and the private key that signs it bear no mark; both are guarded by the rig.
func TestSecrets_OfAServiceAccountAreNeverShown(t *testing.T) {
	t.Parallel()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	block := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	robot, err := json.Marshal(map[string]any{"provider": "openai", "service-account": map[string]string{
		"type": "service_account", "project_id": "home", "client_email": "robot@home.iam.gserviceaccount.example",
		"private_key": block, "token_uri": "http://auth.test/token",
	}})
	require.NoError(t, err)
	script := func(_ string, n int) fake.Reply {
		if n < 3 {
			return fake.Reply{Status: 500}
		}
		return fake.Reply{}
	}
	l := logins{names: []string{"z"}, signer: "robot", script: script, files: map[string]string{"robot.json": string(robot)}}
	inLogins(t, l, func(t *testing.T, r *loginRig) {
		r.server.Login("robot")
		r.server.Expire("robot")
		require.Equal(t, http.StatusOK, r.ask(dialects()[0], false).status)
		time.Sleep(time.Minute)
		require.Equal(t, http.StatusOK, r.ask(dialects()[0], false).status)
		require.Equal(t, secretOf("robot-1"), r.lastRequest().Key)
		require.True(t, shown.knows(strings.Split(block, "\n")[9]), "the key is guarded")
	})
}
