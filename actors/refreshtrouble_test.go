package actors

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/providers"
)

func TestRefresh_PoisonedAnswersNeitherSpinNorHarm(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		script func(context.Context, int) (providers.Token, error)
		fails  bool
	}{
		"no token":       {func(context.Context, int) (providers.Token, error) { return providers.Token{}, nil }, true},
		"the same token": {func(context.Context, int) (providers.Token, error) { return token(0, time.Hour), nil }, true},
		"panic":          {func(context.Context, int) (providers.Token, error) { panic("a grant's bug") }, true},
		"hang":           {hanging, true},
		"expired":        {func(_ context.Context, n int) (providers.Token, error) { return token(n, -time.Hour), nil }, false},
		"about to expire": {func(_ context.Context, n int) (providers.Token, error) {
			next := token(n, time.Second)
			next.Lifetime = 0
			return next, nil
		}, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := &login{script: tt.script}
			withLogin(t, 2, g, func(t *testing.T, e *engine) {
				l := e.leaseFrom("c1")
				_, err := e.Renew(context.Background(), l)
				require.Equal(t, tt.fails, err != nil, "%v", err)
				time.Sleep(time.Minute)
				require.LessOrEqual(t, g.count(), 13)
				require.Equal(t, "active", e.view("c2").Status)
				e.Report(l, providers.Outcome{Kind: providers.Canceled})
			})
		})
	}
}

func TestRefresh_OneThatNeverReturnsHoldsNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		g := &login{token: token(0, time.Hour), script: func(_ context.Context, n int) (providers.Token, error) {
			<-release
			return token(n, time.Hour), nil
		}}
		plan := testPlan(2)
		plan.Credentials[0].Grant = g
		s, err := Start(t.Context(), Options{Logger: discard()}, plan)
		require.NoError(t, err)
		e := &engine{System: s, t: t, plan: plan}
		l := e.leaseFrom("c1")
		began := time.Now()
		_, err = e.Renew(context.Background(), l)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, refreshWithin, time.Since(began))
		_, err = e.Renew(context.Background(), l)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, refreshWithin, time.Since(began), "the next is told at once")
		time.Sleep(time.Hour)
		require.Equal(t, 1, g.count(), "nor is there another beside it")
		close(release)
		synctest.Wait()
		l, err = e.Renew(context.Background(), l)
		require.NoError(t, err)
		require.Equal(t, "token-1", l.Credential.Secret.Reveal())
		require.NoError(t, s.Stop(context.Background()))
	})
}

func TestRefresh_StopEndsOneThatHangs(t *testing.T) {
	t.Parallel()
	g := &login{script: hanging}
	withLogin(t, 2, g, func(t *testing.T, e *engine) {
		l := e.leaseFrom("c1")
		failed := make(chan error, 10)
		for range 10 {
			go func() {
				_, err := e.Renew(context.Background(), l)
				failed <- err
			}()
		}
		synctest.Wait()
		began := time.Now()
		require.NoError(t, e.Stop(context.Background()))
		for range 10 {
			require.ErrorIs(t, <-failed, ErrStopped)
		}
		require.Less(t, time.Since(began), time.Second)
		require.Equal(t, 1, g.count())
		_, err := e.Renew(context.Background(), l)
		require.ErrorIs(t, err, ErrStopped)
	})
}

func TestRefresh_ACrashMeanwhileCostsNobodyTheToken(t *testing.T) {
	t.Parallel()
	g := &login{script: func(ctx context.Context, n int) (providers.Token, error) {
		if n == 1 { // cut off by the crash, but slow to notice
			<-ctx.Done()
			time.Sleep(2 * time.Second)
			return providers.Token{}, context.Cause(ctx)
		}
		time.Sleep(4 * time.Second)
		return token(n, time.Hour), nil
	}}
	withLogin(t, 1, g, func(t *testing.T, e *engine) {
		l := e.leaseFrom("c1")
		var crowd sync.WaitGroup
		for range 10 {
			crowd.Go(func() {
				got, err := e.Renew(context.Background(), l)
				require.NoError(t, err)
				require.Equal(t, "token-2", got.Credential.Secret.Reveal())
			})
		}
		synctest.Wait()
		e.w.root.Send(l.parent, boom{})
		crowd.Wait()
		require.Equal(t, 2, g.count())
		e.Report(l, unauthorized()) // of the old secret
		synctest.Wait()
		require.Equal(t, "active", e.view("c1").Status)
	})
}

func TestRefresh_ACredentialThatChangesMeanwhile(t *testing.T) {
	t.Parallel()
	slowly := func(_ context.Context, n int) (providers.Token, error) {
		time.Sleep(10 * time.Second)
		return token(n, time.Hour), nil
	}
	other := &login{script: hourly, token: providers.Token{Secret: providers.NewSecret("other")}}
	tests := map[string]struct {
		change func(e *engine)
		want   string
		within time.Duration
	}{
		"disabled": {func(e *engine) { e.change(func(c *providers.Credential) { c.Disabled = true }) }, "token-1", 10 * time.Second},
		"edited":   {func(e *engine) { e.change(func(c *providers.Credential) { c.MaxConcurrency = 5 }) }, "token-1", 10 * time.Second},
		"removed": {func(e *engine) {
			next := e.plan
			next.Credentials = next.Credentials[1:]
			require.NoError(e.t, e.Apply(context.Background(), next))
		}, "token-1", 10 * time.Second},
		"replaced by a fixed secret": {func(e *engine) {
			e.change(func(c *providers.Credential) { c.Grant, c.Secret = nil, providers.NewSecret("fixed") })
		}, "fixed", 0},
		"replaced by another login": {func(e *engine) { e.change(func(c *providers.Credential) { c.Grant = other }) }, "other", 0},
		"another login of the same token": {func(e *engine) {
			e.change(func(c *providers.Credential) {
				c.Grant = &login{script: hourly, token: c.Grant.Current()}
			})
		}, "token-1", 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := &login{script: slowly}
			withLogin(t, 2, g, func(t *testing.T, e *engine) {
				l := e.leaseFrom("c1")
				var began, ended time.Time
				var got Lease
				var err error
				began = time.Now()
				go func() {
					got, err = e.Renew(context.Background(), l)
					ended = time.Now()
				}()
				synctest.Wait()
				tt.change(e)
				time.Sleep(11 * time.Second)
				synctest.Wait()
				require.NoError(t, err)
				require.Equal(t, tt.want, got.Credential.Secret.Reveal())
				require.Equal(t, tt.within, ended.Sub(began))
				e.Report(got, providers.Outcome{Kind: providers.Success})
				require.Equal(t, "c2", e.serve(Acquire{Model: "m", Format: providers.OpenAIChat, Tried: []Tried{{Credential: "c1"}}}))
			})
		})
	}
}

func TestRefresh_WhatIsOutIsNotRefreshed(t *testing.T) {
	t.Parallel()
	tests := map[string]func(e *engine){
		"disabled": func(e *engine) { e.change(func(c *providers.Credential) { c.Disabled = true }) },
		"removed": func(e *engine) {
			next := e.plan
			next.Credentials = next.Credentials[1:]
			require.NoError(e.t, e.Apply(context.Background(), next))
		},
	}
	for name, out := range tests {
		for _, script := range []func(context.Context, int) (providers.Token, error){hourly, failing} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				g := &login{script: script}
				withLogin(t, 2, g, func(t *testing.T, e *engine) {
					l := e.leaseFrom("c1") // keeps the actor of one that is removed
					_, _ = e.Renew(context.Background(), l)
					out(e)
					before := g.count()
					time.Sleep(50 * time.Minute)
					require.Equal(t, before, g.count())
					e.Report(l, providers.Outcome{Kind: providers.Success})
				})
			})
		}
	}
}

func TestRefresh_A401RestsTheSecretThatItIsAbout(t *testing.T) {
	t.Parallel()
	g := &login{script: hourly}
	withLogin(t, 2, g, func(t *testing.T, e *engine) {
		old, repeated := e.leaseFrom("c1"), e.leaseFrom("c1")
		repeated, err := e.Renew(context.Background(), repeated)
		require.NoError(t, err)
		e.Report(old, unauthorized())
		synctest.Wait()
		require.Equal(t, "active", e.view("c1").Status, "it is about the old one")
		e.Report(repeated, unauthorized())
		synctest.Wait()
		require.Equal(t, "unauthorized", e.view("c1").Status)
		require.Equal(t, "c2", e.serve(chat("m")))
		require.Equal(t, 1, g.count())
	})
}

func TestRefresh_WhoeverLeavesDoesNotEndIt(t *testing.T) {
	t.Parallel()
	g := &login{script: func(ctx context.Context, n int) (providers.Token, error) {
		select {
		case <-ctx.Done():
			return providers.Token{}, ctx.Err()
		case <-time.After(5 * time.Second):
			return token(n, time.Hour), nil
		}
	}}
	withLogin(t, 1, g, func(t *testing.T, e *engine) {
		l := e.leaseFrom("c1")
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_, err := e.Renew(ctx, l)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		l, err = e.Renew(context.Background(), l)
		require.NoError(t, err)
		require.Equal(t, "token-1", l.Credential.Secret.Reveal())
		require.Equal(t, 1, g.count())
	})
}

func TestRefresh_A401ThatIsOvertakenByTheRefreshIsOutdated(t *testing.T) {
	t.Parallel()
	g := &login{script: func(_ context.Context, n int) (providers.Token, error) {
		time.Sleep(time.Second)
		return token(n, time.Hour), nil
	}}
	withLogin(t, 1, g, func(t *testing.T, e *engine) {
		old := e.leaseFrom("c1")
		go func() { _, _ = e.Renew(context.Background(), old) }()
		synctest.Wait()
		e.tellSystem(old.parent, &actor.SuspendMailbox{})
		time.Sleep(2 * time.Second) // the new token is in the mailbox
		e.Report(old, unauthorized())
		synctest.Wait()
		e.tellSystem(old.parent, &actor.ResumeMailbox{})
		synctest.Wait()
		require.Equal(t, "active", e.view("c1").Status)
		require.Equal(t, "token-1", e.leaseFrom("c1").Credential.Secret.Reveal())
	})
}
