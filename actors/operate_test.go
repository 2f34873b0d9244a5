package actors

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/internal/session"
	"github.com/understudyhq/understudy/providers"
)

func fillFirst(p *Plan) { p.Settings.Routing.Strategy = config.FillFirst }

// viewOf returns what the engine tells of a credential.
func (e *engine) viewOf(id string) CredentialView {
	e.t.Helper()
	synctest.Wait()
	snapshot, err := e.Snapshot(e.t.Context())
	require.NoError(e.t, err)
	for _, v := range snapshot.Credentials {
		if v.ID == providers.CredentialID(id) {
			return v
		}
	}
	require.Fail(e.t, "no such credential", id)
	return CredentialView{}
}

func TestDrain_LetsRunningOnesFinishAndMovesSessions(t *testing.T) {
	t.Parallel()
	inEngine(t, 2, fillFirst, func(t *testing.T, e *engine) {
		require.Equal(t, "c1", e.serve(inSession(chat("m"), "s")))
		running := e.acquire(chat("m"))
		require.Equal(t, providers.CredentialID("c1"), running.Credential.ID)

		found, err := e.Drain(t.Context(), "c1", true)
		require.NoError(t, err)
		require.True(t, found)
		require.Equal(t, "draining", e.viewOf("c1").Status)
		require.Equal(t, 1, e.viewOf("c1").InFlight)
		require.Equal(t, 0, e.viewOf("c1").Sessions)

		require.Equal(t, "c2", e.serve(inSession(chat("m"), "s")))
		require.Equal(t, "c2", e.serve(chat("m")))
		require.Equal(t, 1, e.viewOf("c2").Sessions)

		e.Report(running, providers.Outcome{Kind: providers.Success})
		v := e.viewOf("c1")
		require.Equal(t, 0, v.InFlight)
		require.Equal(t, uint64(2), v.Served)
	})
}

func TestDrain_IsTheReasonWhenNobodyElseIsThere(t *testing.T) {
	t.Parallel()
	inEngine(t, 1, nil, func(t *testing.T, e *engine) {
		_, err := e.Drain(t.Context(), "c1", true)
		require.NoError(t, err)
		_, err = e.Acquire(t.Context(), chat("m"))
		var none *NoCredentialError
		require.ErrorAs(t, err, &none)
		require.Equal(t, map[string]int{"draining": 1}, none.Reasons)
		require.Zero(t, none.RetryAfter)
	})
}

func TestDrain_EndsByHandByResetAndByDisablingOnly(t *testing.T) {
	t.Parallel()
	change := func(e *engine, change func(*providers.Credential)) {
		e.edit("c1", change) // what Apply was given is not changed
	}
	tests := map[string]struct {
		act  func(*engine)
		want string
	}{
		"by hand": {func(e *engine) {
			_, err := e.Drain(e.t.Context(), "c1", false)
			require.NoError(e.t, err)
		}, "active"},
		"by reset": {func(e *engine) {
			_, err := e.Reset(e.t.Context(), "c1", "")
			require.NoError(e.t, err)
		}, "active"},
		"not by the reset of a model": {func(e *engine) {
			_, err := e.Reset(e.t.Context(), "c1", "m")
			require.NoError(e.t, err)
		}, "draining"},
		"not by another weight": {func(e *engine) {
			change(e, func(c *providers.Credential) { c.Weight = 7 })
		}, "draining"},
		"not by the same plan": {func(e *engine) {
			require.NoError(e.t, e.Apply(e.t.Context(), e.plan))
		}, "draining"},
		"by disabling and enabling": {func(e *engine) {
			change(e, func(c *providers.Credential) { c.Disabled = true })
			require.Equal(e.t, "disabled", e.viewOf("c1").Status)
			change(e, func(c *providers.Credential) { c.Disabled = false })
		}, "active"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inEngine(t, 1, nil, func(t *testing.T, e *engine) {
				_, err := e.Drain(t.Context(), "c1", true)
				require.NoError(t, err)
				tt.act(e)
				require.Equal(t, tt.want, e.viewOf("c1").Status)
				_, err = e.Acquire(t.Context(), chat("m"))
				require.Equal(t, tt.want == "active", err == nil, err)
			})
		})
	}
}

func TestReset_EndsRestsAtOnce(t *testing.T) {
	t.Parallel()
	limited := providers.Outcome{Kind: providers.RateLimited, RetryAfter: time.Hour}
	broke := providers.Outcome{Kind: providers.OutOfFunds, Scope: providers.ScopeCredential}
	tests := map[string]struct {
		outcome providers.Outcome
		model   string
		want    bool // it serves m afterwards
	}{
		"a model's rest, all":                   {limited, "", true},
		"a model's rest, by name":               {limited, "m", true},
		"a model's rest, another one":           {limited, "m2", false},
		"the credential's rest, all":            {broke, "", true},
		"the credential's rest, only one model": {broke, "m", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inEngine(t, 1, nil, func(t *testing.T, e *engine) {
				e.fail(chat("m"), tt.outcome)
				_, err := e.Acquire(t.Context(), chat("m"))
				require.Error(t, err)
				found, err := e.Reset(t.Context(), "c1", tt.model)
				require.NoError(t, err)
				require.True(t, found)
				_, err = e.Acquire(t.Context(), chat("m"))
				require.Equal(t, tt.want, err == nil, err)
			})
		})
	}
}

func TestOperations_TellOfCredentialsThatAreNotThere(t *testing.T) {
	t.Parallel()
	inEngine(t, 1, nil, func(t *testing.T, e *engine) {
		found, err := e.Drain(t.Context(), "none", true)
		require.NoError(t, err)
		require.False(t, found)
		found, err = e.Reset(t.Context(), "none", "")
		require.NoError(t, err)
		require.False(t, found)
		ended, err := e.EndSession(t.Context(), key("none"))
		require.NoError(t, err)
		require.False(t, ended)
	})
}

func TestSessions_AreListedInPagesAndEnded(t *testing.T) {
	t.Parallel()
	inEngine(t, 1, nil, func(t *testing.T, e *engine) {
		began := time.Now()
		for _, name := range []string{"a", "b", "c"} {
			a := inSession(chat("m"), name)
			a.Session.Source = "header"
			l := e.acquire(a)
			e.FirstByte(l)
			synctest.Wait()
			e.Report(l, providers.Outcome{Kind: providers.Success, Usage: providers.Usage{InputTokens: 100, CachedTokens: 40}})
		}
		time.Sleep(time.Minute)
		e.serve(inSession(chat("m"), "b"))

		first, more, err := e.Sessions(t.Context(), session.Key{}, 2, "")
		require.NoError(t, err)
		require.True(t, more)
		require.Len(t, first, 2)
		require.Equal(t, SessionView{
			Key: key("b"), Source: "header", Model: "m", Credential: "c1", Turns: 2,
			Since: time.Unix(0, began.UnixNano()), UsedAt: time.Unix(0, began.Add(time.Minute).UnixNano()), ExpiresAt: time.Unix(0, began.Add(61*time.Minute).UnixNano()),
			Usage: providers.Usage{InputTokens: 100, CachedTokens: 40},
		}, first[1])
		rest, more, err := e.Sessions(t.Context(), first[1].Key, 2, "c1")
		require.NoError(t, err)
		require.False(t, more)
		require.Equal(t, key("c"), rest[0].Key)

		ended, err := e.EndSession(t.Context(), key("b"))
		require.NoError(t, err)
		require.True(t, ended)
		require.Equal(t, 2, e.viewOf("c1").Sessions)
		n, err := e.EndSessions(t.Context(), "c1")
		require.NoError(t, err)
		require.Equal(t, 2, n)
		require.Equal(t, 0, e.viewOf("c1").Sessions)
	})
}

func TestVitals_CountActorsByKind(t *testing.T) {
	t.Parallel()
	inEngine(t, 3, nil, func(t *testing.T, e *engine) {
		e.serve(inSession(chat("m"), "a"))
		e.serve(inSession(chat("m2"), "b"))
		snapshot, err := e.Snapshot(t.Context())
		require.NoError(t, err)
		v := e.Vitals(snapshot)
		require.Equal(t, map[string]int{
			"guardian": 1, "router": 1, "credentials": 1, "sessions": 1, "ledger": 1, "pins": 1, "transcripts": 1,
			"credential": 3, "model": 2, "session": 2,
		}, v.Actors)
		require.Equal(t, 0, v.Mailboxes["router"])

		time.Sleep(modelIdleAfter + time.Minute) // idle ones leave
		require.Equal(t, 0, e.Vitals(snapshot).Actors["model"])
	})
}

func TestUsage_CountsByDayModelCredentialAndClient(t *testing.T) {
	t.Parallel()
	inEngine(t, 1, nil, func(t *testing.T, e *engine) {
		record := func(status int) *Record {
			return &Record{
				At: time.Now(), Used: "m", Client: "one", Status: status, Usage: providers.Usage{InputTokens: 10, OutputTokens: 2, CachedTokens: 4},
				Attempts: []AttemptRecord{{Credential: "c0"}, {Credential: "c1"}},
			}
		}
		day := time.Now().UTC().Truncate(24 * time.Hour)
		e.Record(record(200))
		e.Record(record(500))
		time.Sleep(24 * time.Hour)
		e.Record(record(200))
		usage, err := e.Usage(t.Context())
		require.NoError(t, err)
		once := UsageRow{Day: day.Add(24 * time.Hour), Model: "m", Credential: "c1", Client: "one", Requests: 1, Usage: providers.Usage{InputTokens: 10, OutputTokens: 2, CachedTokens: 4}}
		twice := UsageRow{Day: day, Model: "m", Credential: "c1", Client: "one", Requests: 2, Failed: 1, Usage: providers.Usage{InputTokens: 20, OutputTokens: 4, CachedTokens: 8}}
		require.Equal(t, []UsageRow{once, twice}, usage)
	})
}

func TestServed_TellsWhoCouldServeEachName(t *testing.T) {
	t.Parallel()
	exclude := func(p *Plan) { p.Credentials[1].Exclude = []string{"m2"} }
	inEngine(t, 2, exclude, func(t *testing.T, e *engine) {
		served, err := e.Served(t.Context())
		require.NoError(t, err)
		require.Len(t, served, 2)
		require.Equal(t, "m2", served[1].Name)
		require.Equal(t, []bool{true, false}, []bool{served[1].Candidates[0].Serves, served[1].Candidates[1].Serves})
	})
}

func TestSnapshot_TellsTheLastError(t *testing.T) {
	t.Parallel()
	inEngine(t, 1, nil, func(t *testing.T, e *engine) {
		require.Nil(t, e.viewOf("c1").LastError)
		e.fail(chat("m"), providers.Outcome{Kind: providers.RateLimited, Status: 429, Reason: "rate limit"})
		require.Equal(t, &LastError{At: time.Now(), Model: "m", Kind: providers.RateLimited, Status: 429, Reason: "rate limit"}, e.viewOf("c1").LastError)
	})
}
