package actors

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/internal/pin"
	"github.com/understudyhq/understudy/providers"
)

func namedPin(name string) (k pin.Key) {
	copy(k[:], name)
	return k
}

// make makes things at a credential, for a client.
func (e *engine) make(id, client string, names ...string) {
	var keys []pin.Key
	for _, name := range names {
		keys = append(keys, namedPin(name))
	}
	l := e.acquire(e.on(id, chat("m")))
	e.Made(l, client, keys)
	e.report(l, success)
}

func TestPins_DecideWhoServes(t *testing.T) {
	t.Parallel()
	rest := limits(10 * time.Minute)
	for name, tt := range map[string]struct {
		before func(e *engine)
		want   string // empty = nobody
		gone   bool
	}{
		"the one that made it":              {func(*engine) {}, "c1", false},
		"another one of its account":        {func(e *engine) { e.fail(e.on("c1", chat("m")), rest) }, "c2", false},
		"nobody else":                       {func(e *engine) { e.fail(e.on("c1", chat("m")), rest); e.fail(e.on("c2", chat("m")), rest) }, "", false},
		"a fellow when it has left":         {func(e *engine) { e.withCredentials(e.plan.Credentials[1:]...) }, "c2", false},
		"nobody when all of them have left": {func(e *engine) { e.withCredentials(e.plan.Credentials[2:]...) }, "", true},
		"nobody when all are disabled": {func(e *engine) {
			for _, id := range []string{"c1", "c2"} {
				e.edit(id, func(c *providers.Credential) { c.Disabled = true })
			}
		}, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inEngine(t, 4, inAccounts("x", "x", "y", ""), func(t *testing.T, e *engine) {
				s := inSession(chat("m"), "s")
				require.Equal(t, "c3", e.serve(e.on("c3", s))) // bound elsewhere
				e.make("c1", "ann", "a")
				s.Pin = e.origin("ann", namedPin("a"))
				tt.before(e)
				l, err := e.Acquire(context.Background(), s)
				switch {
				case tt.want != "":
					require.NoError(t, err)
					require.Equal(t, tt.want, string(l.Credential.ID))
					require.Equal(t, WhyPin, l.Why)
					e.report(l, success)
				case tt.gone:
					var gone *PinError
					require.ErrorAs(t, err, &gone)
				default:
					var none *NoCredentialError
					require.ErrorAs(t, err, &none)
					require.InDelta(t, 10.5, none.RetryAfter.Minutes(), 0.5, "with its own rest")
					require.Equal(t, 2, none.Reasons["resting:rate-limited"])
				}
			})
		})
	}
}

func TestPins_PreferredIsNotRequired(t *testing.T) {
	t.Parallel()
	inEngine(t, 3, inAccounts("x", "x", "y"), func(t *testing.T, e *engine) {
		a := chat("m")
		a.Prefer = Origin{Credential: "c1", Upstream: "up", Account: "x", Model: "m"}
		for range 3 {
			require.Equal(t, "c1", e.serve(a))
		}
		e.fail(e.on("c1", chat("m")), limits(10*time.Minute))
		require.Equal(t, "c2", e.serve(a))
		e.fail(e.on("c2", chat("m")), limits(10*time.Minute))
		require.Equal(t, "c3", e.serve(a))
	})
}
