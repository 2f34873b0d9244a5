package actors

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/providers"
)

// login is a grant whose n-th renewal does what its script says.
type login struct {
	script func(ctx context.Context, n int) (providers.Token, error)

	mu    sync.Mutex
	token providers.Token
	calls int
}

func (g *login) Current() providers.Token {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.token
}

func (g *login) Renew(ctx context.Context, _ providers.Secret) (providers.Token, error) {
	g.mu.Lock()
	g.calls++
	n := g.calls
	g.mu.Unlock()
	token, err := g.script(ctx, n)
	if err == nil {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.token = token
	}
	return token, err
}

func (g *login) count() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.calls
}

// token is the n-th of a login, fresh.
func token(n int, lifetime time.Duration) providers.Token {
	return providers.Token{Secret: providers.NewSecret("token-" + strconv.Itoa(n)), ExpiresAt: time.Now().Add(lifetime), Lifetime: lifetime}
}

// hourly renews without fail.
func hourly(_ context.Context, n int) (providers.Token, error) { return token(n, time.Hour), nil }

var errDown = errors.New("token endpoint down")

func failing(context.Context, int) (providers.Token, error) { return providers.Token{}, errDown }

// hanging renews until somebody has enough of it.
func hanging(ctx context.Context, _ int) (providers.Token, error) {
	<-ctx.Done()
	return providers.Token{}, context.Cause(ctx)
}

// withLogin runs f on an engine of n credentials whose first one has a login, with a token that
// is good for an hour.
func withLogin(t *testing.T, n int, g *login, f func(t *testing.T, e *engine)) {
	t.Helper()
	inEngine(t, n, func(p *Plan) {
		if g.token.Secret.Empty() {
			g.token = token(0, time.Hour)
		}
		p.Credentials[0].Grant = g
	}, f)
}

// leaseFrom acquires a lease of one credential.
func (e *engine) leaseFrom(id string) Lease {
	e.t.Helper()
	a := chat("m")
	for _, c := range e.plan.Credentials {
		if string(c.ID) != id {
			a.Tried = append(a.Tried, Tried{Credential: c.ID})
		}
	}
	return e.acquire(a)
}

// change applies the plan with another description of the first credential.
func (e *engine) change(f func(*providers.Credential)) {
	e.t.Helper()
	next := *e.plan.Credentials[0]
	f(&next)
	e.plan.Credentials[0] = &next
	require.NoError(e.t, e.Apply(context.Background(), e.plan))
}

func unauthorized() providers.Outcome {
	return providers.Outcome{Kind: providers.Unauthorized, Scope: providers.ScopeCredential}
}

func TestRefresh_ComesBeforeTheExpiry(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		lifetime        time.Duration
		earliest, until time.Duration
	}{
		"a fifth of the lifetime ahead":      {time.Hour, 45 * time.Minute, 48 * time.Minute},
		"a minute ahead of a short one":      {4 * time.Minute, 165 * time.Second, 3 * time.Minute},
		"a token that is good for a minute":  {time.Minute, 22500 * time.Millisecond, 30 * time.Second},
		"a token that is good for 2 minutes": {2 * time.Minute, 45 * time.Second, time.Minute},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				g := &login{script: func(_ context.Context, n int) (providers.Token, error) { return token(n, tt.lifetime), nil }}
				plan := testPlan(1)
				g.token = token(0, tt.lifetime)
				plan.Credentials[0].Grant = g
				s, err := Start(t.Context(), Options{Logger: discard()}, plan)
				require.NoError(t, err)
				for n := range 3 {
					issued := g.Current().ExpiresAt.Add(-tt.lifetime)
					time.Sleep(time.Until(issued.Add(tt.earliest - time.Millisecond)))
					synctest.Wait()
					require.Equal(t, n, g.count(), "too early")
					time.Sleep(time.Until(issued.Add(tt.until + time.Millisecond)))
					synctest.Wait()
					require.Equal(t, n+1, g.count(), "too late")
				}
				require.NoError(t, s.Stop(context.Background()))
			})
		})
	}
}

func TestRefresh_ATokenThatDoesNotExpireIsLeftAlone(t *testing.T) {
	t.Parallel()
	g := &login{script: hourly, token: providers.Token{Secret: providers.NewSecret("forever")}}
	withLogin(t, 1, g, func(t *testing.T, e *engine) {
		time.Sleep(100 * 24 * time.Hour)
		require.Zero(t, g.count())
		require.Equal(t, "forever", e.leaseFrom("c1").Credential.Secret.Reveal())
	})
}

func TestRefresh_RT12_AThousandWhoAskCauseOne(t *testing.T) {
	t.Parallel()
	g := &login{script: func(_ context.Context, n int) (providers.Token, error) {
		time.Sleep(3 * time.Second)
		return token(n, time.Hour), nil
	}}
	withLogin(t, 1, g, func(t *testing.T, e *engine) {
		old := e.leaseFrom("c1")
		var crowd sync.WaitGroup
		for i := range 1000 {
			crowd.Go(func() {
				time.Sleep(time.Duration(i) * 5 * time.Millisecond) // some after it has ended
				l, err := e.Renew(context.Background(), old)
				require.NoError(t, err)
				require.Equal(t, "token-1", l.Credential.Secret.Reveal())
				require.Equal(t, old.ID, l.ID)
			})
		}
		time.Sleep(time.Second)
		require.Equal(t, "token-0", e.leaseFrom("c1").Credential.Secret.Reveal(), "nobody else waits")
		crowd.Wait()
		require.Equal(t, 1, g.count())
		require.Equal(t, "token-1", e.leaseFrom("c1").Credential.Secret.Reveal())
		require.Equal(t, "token-0", old.Credential.Secret.Reveal(), "what is handed out does not change")
	})
}

func TestRefresh_RT14_AFixedSecretIsNotRefreshed(t *testing.T) {
	t.Parallel()
	g := &login{script: hourly}
	withLogin(t, 2, g, func(t *testing.T, e *engine) {
		l, err := e.Renew(context.Background(), e.leaseFrom("c2"))
		require.ErrorIs(t, err, errNoGrant)
		require.Equal(t, "sk-c2", l.Credential.Secret.Reveal())
		require.Zero(t, g.count())
	})
}

func TestRefresh_RT13_OneThatFailsBacksOff(t *testing.T) {
	t.Parallel()
	var up atomic.Bool
	g := &login{script: func(ctx context.Context, n int) (providers.Token, error) {
		if up.Load() {
			return hourly(ctx, n)
		}
		return failing(ctx, n)
	}}
	withLogin(t, 2, g, func(t *testing.T, e *engine) {
		l := e.leaseFrom("c1")
		_, err := e.Renew(context.Background(), l)
		require.ErrorIs(t, err, errDown)
		_, err = e.Renew(context.Background(), l)
		require.ErrorIs(t, err, errDown, "the answer is known for now")
		e.Report(l, unauthorized())
		synctest.Wait()
		require.Equal(t, "unauthorized", e.view("c1").Status)
		require.Equal(t, "c2", e.serve(chat("m")))
		require.Equal(t, "c2", e.serve(chat("m")))
		for n, seconds := range []int{5, 10, 20, 40, 80, 160, 300, 300} {
			d := time.Duration(seconds) * time.Second
			require.Equal(t, n+1, g.count())
			e.change(func(*providers.Credential) {}) // says nothing of the login
			time.Sleep(d - time.Millisecond)
			require.Equal(t, n+1, g.count(), "before %v", d)
			up.Store(n == 7)
			time.Sleep(time.Millisecond)
			synctest.Wait()
		}
		require.Equal(t, "active", e.view("c1").Status, "a new secret clears it")
		require.Equal(t, "token-9", e.leaseFrom("c1").Credential.Secret.Reveal())
	})
}

func TestRefresh_CD19_ALoginThatHasEndedRestsItsCredential(t *testing.T) {
	t.Parallel()
	g := &login{script: func(context.Context, int) (providers.Token, error) {
		return providers.Token{}, errors.Join(errors.New("invalid_grant"), providers.ErrGrantEnded)
	}}
	withLogin(t, 2, g, func(t *testing.T, e *engine) {
		_, err := e.Renew(context.Background(), e.leaseFrom("c1"))
		require.ErrorIs(t, err, providers.ErrGrantEnded)
		synctest.Wait()
		v := e.view("c1")
		require.Equal(t, "unauthorized", v.Status)
		require.Equal(t, 30*time.Minute, time.Until(v.Until))
		for range 29 {
			time.Sleep(time.Minute)
			require.Equal(t, "c2", e.serve(chat("m")))
			e.change(func(*providers.Credential) {})
		}
		require.Equal(t, 1, g.count(), "nobody asks again")
		time.Sleep(time.Hour)
		require.Equal(t, 1, g.count(), "nobody asks again behind the expiry")
		l := e.leaseFrom("c1")
		require.Equal(t, WhyProbe, l.Why)
		_, err = e.Renew(context.Background(), l)
		require.ErrorIs(t, err, providers.ErrGrantEnded)
		require.Equal(t, 2, g.count(), "a probe does")
		e.Report(l, unauthorized())
		synctest.Wait()

		again := &login{script: hourly, token: token(100, time.Hour)}
		e.change(func(c *providers.Credential) { c.Grant = again })
		synctest.Wait()
		require.Equal(t, "active", e.view("c1").Status, "another login clears it")
		time.Sleep(time.Hour)
		require.Equal(t, 1, again.count(), "and is refreshed")
	})
}
