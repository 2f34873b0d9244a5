package actors

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/understudyhq/understudy/actors/stage"
	"github.com/understudyhq/understudy/internal/cooldown"
	"github.com/understudyhq/understudy/providers"
)

// Messages a credential takes whose secret comes from a grant. It answers renew.
type (
	// renew asks for another secret than that of used, which was refused or has expired.
	renew struct{ used *providers.Credential }
	// refreshed brings what a grant has returned, from the goroutine that waited for it.
	refreshed struct {
		grant providers.Grant
		token providers.Token
		err   error
	}
	// refreshDue is the alarm before a token expires, or after a refresh that failed.
	refreshDue struct{}
)

// renewed answers renew: with the credential as it is now, or why there is no other secret.
type renewed struct {
	credential *providers.Credential
	err        error
}

// errNoGrant means that a secret is fixed.
var errNoGrant = errors.New("the secret does not come from a grant")

const (
	// refreshAhead is the least time before its expiry at which a token is refreshed; a fifth
	// of its lifetime if that is more.
	refreshAhead = time.Minute
	// refreshWithin bounds one refresh.
	refreshWithin = time.Minute
	// A refresh that failed is tried again after the base, which doubles up to the cap.
	refreshAgainBase = 5 * time.Second
	refreshAgainCap  = 5 * time.Minute
)

// refreshing is what a credential's actor keeps of its grant.
type refreshing struct {
	running bool
	cancel  context.CancelFunc
	askers  []*actor.PID // wait for its end
	failed  int          // times in a row
	alarm   stage.Alarm
}

// withToken returns the description c with the token that its grant has now.
func withToken(c *providers.Credential) *providers.Credential {
	if c.Grant == nil {
		return c
	}
	next := *c
	token := c.Grant.Current()
	next.Secret, next.ExpiresAt = token.Secret, token.ExpiresAt
	return &next
}

// refreshAt returns when a token is to be refreshed; the zero time if it does not expire.
// spread, 0..1, keeps credentials from doing it all at once.
func refreshAt(t providers.Token, spread float64) time.Time {
	if t.ExpiresAt.IsZero() {
		return time.Time{}
	}
	ahead := max(refreshAhead, t.Lifetime/5)
	return t.ExpiresAt.Add(-ahead - time.Duration(spread*float64(ahead)/4))
}

// scheduleRefresh sets the alarm for the token that is in use; one that is missing or about
// to expire is refreshed at once.
func (a *credentialActor) scheduleRefresh(c actor.Context) {
	a.refresh.alarm.Cancel()
	if a.credential.Grant == nil || a.retiring || a.credential.Disabled {
		return
	}
	token := a.credential.Grant.Current()
	due := refreshAt(token, rand.Float64())
	switch {
	case token.Secret.Empty() || !due.IsZero() && !due.After(time.Now()):
		a.startRefresh(c)
	case !due.IsZero():
		a.refresh.alarm.At(c, due, refreshDue{})
	}
}

// startRefresh asks the grant for another token than the present one, outside of the mailbox.
func (a *credentialActor) startRefresh(c actor.Context) {
	if a.refresh.running {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), refreshWithin)
	a.refresh.running, a.refresh.cancel = true, cancel
	grant, stale, self := a.credential.Grant, a.credential.Secret, c.Self()
	a.w.blocking.Go(func() {
		defer cancel()
		token, err := renewSafely(ctx, grant, stale)
		a.w.root.Send(self, refreshed{grant, token, err})
	})
}

// renewSafely calls the grant, whose bugs are no more than a failed refresh.
func renewSafely(ctx context.Context, g providers.Grant, stale providers.Secret) (t providers.Token, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return g.Renew(ctx, stale)
}

// renew answers at once if the secret has changed since, else when the refresh has ended that
// it starts or joins.
func (a *credentialActor) renew(c actor.Context, msg renew) {
	switch {
	case a.credential.Grant == nil:
		c.Respond(renewed{err: errNoGrant})
	case !a.credential.Secret.Equal(msg.used.Secret):
		c.Respond(renewed{credential: a.credential})
	default:
		a.refresh.askers = append(a.refresh.askers, c.Sender())
		a.startRefresh(c)
	}
}

// refreshed takes a new token into use, or draws the conclusions of there being none.
func (a *credentialActor) refreshed(c actor.Context, msg refreshed) {
	a.endRefresh()
	if msg.grant != a.credential.Grant { // the description has changed meanwhile
		a.answerRenew(c, errNoGrant)
		a.scheduleRefresh(c)
		return
	}
	if msg.err != nil {
		a.refreshFailed(c, msg.err)
		return
	}
	a.refresh.failed = 0
	a.credential = withToken(a.credential)
	if aboutSecret(a.rest.Kind) && a.rest.Kind == providers.Unauthorized {
		a.probe = 0
		a.setRest(c, cooldown.State{})
	}
	a.broadcast(c, rotate{a.credential})
	a.answerRenew(c, nil)
	a.scheduleRefresh(c)
}

func (a *credentialActor) refreshFailed(c actor.Context, err error) {
	a.w.logger.Warn("refresh failed", slog.String("credential", string(a.credential.ID)), slog.Any("err", err))
	a.answerRenew(c, err)
	if errors.Is(err, providers.ErrGrantEnded) {
		now := time.Now()
		a.judge(c, cooldown.Attempt{
			Outcome: providers.Outcome{Kind: providers.Unauthorized, Scope: providers.ScopeCredential, Reason: "login ended"},
			Granted: now, Now: now,
		})
		return
	}
	again := refreshAgainCap
	if a.refresh.failed < 7 {
		again = min(refreshAgainBase<<a.refresh.failed, refreshAgainCap)
	}
	a.refresh.failed++
	a.refresh.alarm.At(c, time.Now().Add(again), refreshDue{})
}

// answerRenew answers those that wait for the end of a refresh.
func (a *credentialActor) answerRenew(c actor.Context, err error) {
	for _, asker := range a.refresh.askers {
		if err != nil {
			c.Send(asker, renewed{err: err})
		} else {
			c.Send(asker, renewed{credential: a.credential})
		}
	}
	a.refresh.askers = nil
}

// endRefresh frees what a refresh held.
func (a *credentialActor) endRefresh() {
	if a.refresh.cancel != nil {
		a.refresh.cancel()
	}
	a.refresh.running, a.refresh.cancel = false, nil
}

// stopRefresh is for an actor that stops: whoever waits asks again, or fails.
func (a *credentialActor) stopRefresh(c actor.Context) {
	a.refresh.alarm.Cancel()
	a.endRefresh()
	a.answerRenew(c, ErrStopped)
}
