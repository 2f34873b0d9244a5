package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/internal/fake"
)

// sticky turns affinity over round robin on.
func sticky(c *config.Config) {
	c.Routing.Strategy = config.RoundRobin
	c.Routing.SessionAffinity = true
}

// turn is one request of a conversation. The body's MARK makes the openings of two turns
// differ, so that nothing but an id can hold them together.
type turn struct{ header, value, body string }

// chatTurn is a turn whose body has these members besides the model and its opening.
func chatTurn(members string) turn {
	return turn{body: `{"model":"m","messages":[{"role":"user","content":"MARK"}]` + members + `}`}
}

func headerTurn(header, value string) turn {
	t := chatTurn("")
	t.header, t.value = header, value
	return t
}

func userTurn(userID string) turn {
	text, _ := json.Marshal(userID)
	return chatTurn(`,"metadata":{"user_id":` + string(text) + `}`)
}

// play sends turns one after the other, with different openings, and returns who served.
func (r *rig) play(turns ...turn) []string {
	r.t.Helper()
	before := len(r.upstream.Requests())
	for i, turn := range turns {
		r.settle()
		body := strings.Replace(turn.body, "MARK", fmt.Sprint("opening ", before+i), 1)
		var header []string
		if turn.header != "" {
			header = []string{turn.header, turn.value}
		}
		require.Equal(r.t, http.StatusOK, r.post("/v1/chat/completions", body, header...).status)
	}
	return r.served()[before:]
}

// requireSame checks that all were served by one credential, requireSpread that each was
// served by another.
func requireSame(t *testing.T, ids []string) {
	t.Helper()
	for _, id := range ids {
		require.Equal(t, ids[0], id, "%v", ids)
	}
}

func requireSpread(t *testing.T, ids []string) {
	t.Helper()
	seen := map[string]bool{}
	for _, id := range ids {
		require.False(t, seen[id], "%v", ids)
		seen[id] = true
	}
}

func TestAF1_OneSessionHasOneCredential(t *testing.T) {
	t.Parallel()
	r := start(t, setup{adjust: sticky})
	s := headerTurn("X-Session-ID", "s")
	requireSame(t, r.play(s, s, s, s, s, s, s, s, s, s))
}

func TestAF2_SessionsSpread(t *testing.T) {
	t.Parallel()
	r := start(t, setup{adjust: sticky})
	s1, s2, s3 := headerTurn("X-Session-ID", "s1"), headerTurn("X-Session-ID", "s2"), headerTurn("X-Session-ID", "s3")
	served := r.play(s1, s2, s3)
	requireSpread(t, served)
	require.Equal(t, served, r.play(s1, s2, s3))
	require.Equal(t, []string{served[2], served[0], served[1]}, r.play(s3, s1, s2))
}

func TestAF3_WithoutSessionTheStrategyDecides(t *testing.T) {
	t.Parallel()
	r := start(t, setup{adjust: sticky})
	for range 3 {
		requireSpread(t, r.play(turn{body: `{"model":"m"}`}, turn{body: `{"model":"m"}`}, turn{body: `{"model":"m"}`}))
	}
}

func TestAF27_NewSessionsSpreadEvenly(t *testing.T) {
	t.Parallel()
	r := start(t, setup{adjust: sticky})
	count := map[string]int{}
	for i := range 12 {
		count[r.play(headerTurn("X-Session-ID", fmt.Sprint("s", i)))[0]]++
	}
	require.Equal(t, map[string]int{"a": 4, "b": 4, "c": 4}, count)
}

// Also when they all begin at the same time.
func TestAF27_SessionsThatBeginAtOnceSpreadEvenly(t *testing.T) {
	t.Parallel()
	r := start(t, setup{adjust: sticky})
	n := 0
	one := func() *http.Request {
		n++
		return r.request(http.MethodPost, "/v1/chat/completions", `{"model":"m"}`, "X-Session-ID", fmt.Sprint("s", n%60))
	}
	r.storm(t, 60, one)
	require.Equal(t, map[string]int{"a": 20, "b": 20, "c": 20}, count(r.served()))
	r.storm(t, 240, one)
	require.Equal(t, map[string]int{"a": 100, "b": 100, "c": 100}, count(r.served()))
	of := map[string]string{}
	for i, request := range r.upstream.Requests() {
		session := request.Header.Get("X-Session-ID")
		if of[session] == "" {
			of[session] = r.served()[i]
		}
		require.Equal(t, of[session], r.served()[i], session)
	}
}

// Off is the default.
func TestAffinity_IsOffUnlessTurnedOn(t *testing.T) {
	t.Parallel()
	r := start(t, setup{adjust: func(c *config.Config) { c.Routing.Strategy = config.RoundRobin }})
	s := headerTurn("X-Session-ID", "s")
	requireSpread(t, r.play(s, s, s))
}

func TestAffinity_TwoClientKeysShareNoSession(t *testing.T) {
	t.Parallel()
	r := start(t, setup{adjust: func(c *config.Config) {
		sticky(c)
		c.APIKeys = append(c.APIKeys, config.APIKey{Key: clientMark + "two"}, config.APIKey{Key: clientMark + "three"})
	}})
	say := func(key string) string {
		got := r.post("/v1/chat/completions", `{"model":"m"}`, "X-Session-ID", "s", "Authorization", "Bearer "+clientMark+key)
		require.Equal(t, http.StatusOK, got.status)
		served := r.served()
		return served[len(served)-1]
	}
	one, two, three := say("one"), say("two"), say("three")
	requireSpread(t, []string{one, two, three})
	for range 3 {
		require.Equal(t, []string{three, two, one}, []string{say("three"), say("two"), say("one")})
	}
}

func TestAF25_AReasoningSuffixIsNotAnotherSession(t *testing.T) {
	t.Parallel()
	r := start(t, setup{adjust: sticky})
	var turns []turn
	for _, model := range []string{"m", "m(high)", "m(8192)", "m"} {
		turns = append(turns, withHeader(turn{body: `{"model":"` + model + `"}`}, "X-Session-ID", "s"))
	}
	requireSame(t, r.play(turns...))
}

// The bound credential fails: another one serves in the same request and keeps the session,
// also when the first one is back.
func TestAF23_AFailoverDoesNotBounceBack(t *testing.T) {
	t.Parallel()
	for _, status := range []int{429, 500, 401} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			var failing sync.Map // the key of the credential that fails
			script := func(r fake.Request) fake.Reply {
				if _, fails := failing.Load(r.Key); fails {
					return fake.Error("openai-chat", status)
				}
				return answerTo(r)
			}
			inBubble(t, setup{script: script, adjust: sticky}, func(t *testing.T, r *rig) {
				s := headerTurn("X-Session-ID", "s")
				first := r.play(s, s)[0]
				failing.Store(secretOf(first), true)
				served := r.play(s)
				require.Len(t, served, 2)
				require.Equal(t, first, served[0])
				second := served[1]
				require.NotEqual(t, first, second)
				requireSame(t, append(r.play(s, s), second))
				failing.Clear()
				time.Sleep(31 * time.Minute) // no rest is longer
				if status != 401 {           // that one is only ended by a request that tries
					require.Equal(t, "active", r.view(first).Status)
				}
				requireSame(t, append(r.play(s, s, s), second))
			})
		})
	}
}

func TestAF28_ABindingLivesUntilItsSessionIsSilent(t *testing.T) {
	t.Parallel()
	inBubble(t, setup{adjust: func(c *config.Config) {
		sticky(c)
		c.Routing.SessionAffinityTTL = time.Minute
	}}, func(t *testing.T, r *rig) {
		s := headerTurn("X-Session-ID", "s")
		sessions := func() int {
			snapshot, err := r.gateway.Snapshot(t.Context())
			require.NoError(t, err)
			return snapshot.Sessions
		}
		first := r.play(s)[0]
		for range 5 {
			time.Sleep(59 * time.Second)
			require.Equal(t, []string{first}, r.play(s))
			require.Equal(t, 1, sessions())
		}
		time.Sleep(61 * time.Second)
		require.Zero(t, sessions())
		require.NotEqual(t, []string{first}, r.play(s), "a new session goes to the next one")
	})
}

func TestAF29_ManyRequestsOfOneSessionAtOnce(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]int{"bound": 1, "first burst": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, setup{adjust: sticky})
			for range before {
				r.play(headerTurn("X-Session-ID", "s"))
			}
			r.storm(t, 100, func() *http.Request {
				return r.request(http.MethodPost, "/v1/chat/completions", `{"model":"m"}`, "X-Session-ID", "s")
			})
			require.Len(t, r.served(), 100+before)
			requireSame(t, r.served())
		})
	}
}

func TestAF33_ARequestFaultMovesNoSession(t *testing.T) {
	t.Parallel()
	r := start(t, setup{adjust: sticky, script: func(q fake.Request) fake.Reply {
		if strings.Contains(string(q.Body), "bad") {
			return fake.Error("openai-chat", http.StatusBadRequest)
		}
		return answerTo(q)
	}})
	s := headerTurn("X-Session-ID", "s")
	first := r.play(s)[0]
	got := r.post("/v1/chat/completions", `{"model":"m","x":"bad"}`, "X-Session-ID", "s")
	require.Equal(t, http.StatusBadRequest, got.status)
	requireSame(t, append(r.play(s, s), first))
}

func TestAF43_TheSessionsOfARemovedCredentialAreBoundAnew(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*config.Provider, int){
		"removed":  func(p *config.Provider, i int) { p.Credentials = append(p.Credentials[:i:i], p.Credentials[i+1:]...) },
		"disabled": func(p *config.Provider, i int) { p.Credentials[i].Disabled = true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, setup{adjust: sticky})
			var turns []turn
			for i := range 3 {
				turns = append(turns, headerTurn("X-Session-ID", fmt.Sprint("s", i)))
			}
			before := r.play(turns...)
			for _, id := range before {
				r.bound(id)
			}
			next := r.config()
			change(&next.Providers[0], int(before[0][0]-'a'))
			_, err := r.gateway.Apply(next)
			require.NoError(t, err)
			after := r.play(turns...)
			require.NotEqual(t, before[0], after[0])
			require.Equal(t, before[1:], after[1:], "the others stay")
			require.Equal(t, after, r.play(turns...))
		})
	}
}
