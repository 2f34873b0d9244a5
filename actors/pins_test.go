package actors

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/internal/pin"
	"github.com/understudyhq/understudy/providers"
)

func pinKey(name string) (k pin.Key) {
	copy(k[:], name)
	return k
}

// origin asks where one thing was made.
func (e *engine) origin(client, name string) Origin {
	e.t.Helper()
	origins, err := e.Origins(e.t.Context(), client, []pin.Key{pinKey(name)})
	require.NoError(e.t, err)
	require.Len(e.t, origins, 1)
	return origins[0]
}

// make makes things at a credential, for a client.
func (e *engine) make(id, client string, names ...string) {
	var keys []pin.Key
	for _, name := range names {
		keys = append(keys, pinKey(name))
	}
	l := e.acquire(e.on(id, chat("m")))
	e.Made(l, client, keys)
	e.report(l, success)
}

func TestPins_AreKnownToWhomTheyBelong(t *testing.T) {
	t.Parallel()
	for name, crash := range map[string]bool{"": false, "after a crash": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inEngine(t, 2, inAccounts("", "x"), func(t *testing.T, e *engine) {
				e.make("c1", "ann", "a", "b")
				e.make("c2", "bob", "c")
				e.make("c2", "bob", "a") // somebody else has it
				if crash {
					e.w.root.Send(e.w.pins, boom{})
					e.w.root.Send(e.w.router, boom{})
					synctest.Wait()
				}
				origins, err := e.Origins(t.Context(), "ann", []pin.Key{pinKey("c"), pinKey("b"), pinKey("d"), pinKey("a")})
				require.NoError(t, err)
				c1 := Origin{Credential: "c1", Upstream: "up", Model: "m"}
				require.Equal(t, []Origin{{Foreign: true}, c1, {}, c1}, origins)
				require.Equal(t, Origin{Credential: "c2", Upstream: "up", Account: "x", Model: "m"}, e.origin("bob", "c"))
				require.Equal(t, Origin{Foreign: true}, e.origin("", "a"), "open access is a client too")
			})
		})
	}
}

func TestPins_LastForTheirTTLSinceTheyWereMadeLast(t *testing.T) {
	t.Parallel()
	inEngine(t, 2, nil, func(t *testing.T, e *engine) {
		e.make("c1", "ann", "a", "b")
		time.Sleep(20 * 24 * time.Hour)
		e.make("c2", "ann", "a")
		time.Sleep(10*24*time.Hour - time.Second)
		require.EqualValues(t, "c1", e.origin("ann", "b").Credential)
		time.Sleep(time.Minute)
		require.Zero(t, e.origin("ann", "b"))
		require.EqualValues(t, "c2", e.origin("ann", "a").Credential)
		e.make("c2", "bob", "b")
		require.EqualValues(t, "c2", e.origin("bob", "b").Credential, "it is nobody's any more")
		time.Sleep(20 * 24 * time.Hour)
		require.Zero(t, e.origin("ann", "a"))
	})
}

func TestPins_TheOldestGoFirst(t *testing.T) {
	t.Parallel()
	inEngine(t, 1, nil, func(t *testing.T, e *engine) {
		l := e.acquire(chat("m"))
		const batch = 1024
		for i := range pinsKept/batch + 2 {
			var keys []pin.Key
			for k := range batch {
				keys = append(keys, pinKey(fmt.Sprint(i, "/", k)))
			}
			e.Made(l, "ann", keys)
			time.Sleep(time.Second)
		}
		require.Zero(t, e.origin("ann", "0/0"))
		require.Zero(t, e.origin("ann", "1/1023"))
		require.NotZero(t, e.origin("ann", "2/0"))
	})
}

// A conversation's pin is made anew by each of its turns.
func TestPins_OfOneThingTakeNoMoreRoomThanOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPins()
		for i := range 100_000 {
			p.note(made{[]pin.Key{pinKey("a"), pinKey("b")}, place{Origin{Credential: "c1"}, "ann"}}, time.Now())
			if i%2 == 0 {
				time.Sleep(time.Second)
			}
		}
		require.Len(t, p.byKey, 2)
		require.Less(t, cap(p.order), 10_000)
	})
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
				s.Pin = e.origin("ann", "a")
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
