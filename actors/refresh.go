package actors

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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
	// refreshed brings what became of a refresh, from the goroutine that waited for it.
	refreshed struct {
		run *refreshRun
		err error
	}
	// refreshOverdue says that a refresh does not end, although its time is up.
	refreshOverdue struct{ run *refreshRun }
	// refreshDue is the alarm before a token expires, or after a refresh that failed.
	refreshDue struct{}
)

// renewed answers renew: with the credential as it is now, or why there is no other secret.
type renewed struct {
	credential *providers.Credential
	err        error
}

var (
	// errNoGrant means that a secret is fixed.
	errNoGrant = errors.New("the secret does not come from a grant")
	// errSameToken means that a grant does not do what it must.
	errSameToken = errors.New("the grant returned no other token")
	// errRestarting means that the credential's actor has crashed: it will be back.
	errRestarting = errors.New("the credential restarts")
)

const (
	// refreshAhead is the least time before its expiry at which a token is refreshed; a fifth
	// of its lifetime if that is more. It is half the lifetime of a token that is good for less
	// than twice as long.
	refreshAhead = time.Minute
	// refreshWithin bounds one refresh.
	refreshWithin = time.Minute
	// A refresh that failed is tried again after the base, which doubles up to the cap. Nor
	// does one that succeeds follow another any sooner.
	refreshAgainBase = 5 * time.Second
	refreshAgainCap  = 5 * time.Minute
)

// refreshing is what a credential's actor keeps of its grant.
type refreshing struct {
	run       *refreshRun // nil = none is under way
	askers    []*actor.PID
	err       error     // of the last one; nil = it succeeded
	failed    int       // times in a row
	notBefore time.Time // the next one
	spread    float64   // 0..1, keeps credentials from refreshing all at once
	alarm     stage.Alarm
}

// refreshRun is one call of a grant. The actor that started it owns what may change.
type refreshRun struct {
	grant   providers.Grant
	stale   providers.Secret
	cancel  context.CancelFunc
	overdue bool // it does not end: nobody waits for it any more
}

// withToken returns the description c with the token that its grant has now.
func withToken(c *providers.Credential) *providers.Credential {
	if c.Grant == nil {
		return c
	}
	return c.WithToken(c.Grant.Current())
}

// refreshAt returns when a token is to be refreshed; the zero time if it does not expire.
// spread, 0..1, keeps credentials from doing it all at once.
func refreshAt(t providers.Token, spread float64) time.Time {
	if t.ExpiresAt.IsZero() {
		return time.Time{}
	}
	ahead := max(refreshAhead, t.Lifetime/5)
	if t.Lifetime > 0 {
		ahead = min(ahead, t.Lifetime/2)
	}
	return t.ExpiresAt.Add(-ahead - time.Duration(spread*float64(ahead)/4))
}

// scheduleRefresh sets the alarm for the token that is in use; one that is missing or about
// to expire is refreshed at once, unless that was tried just now.
func (a *credentialActor) scheduleRefresh(c actor.Context) {
	a.refresh.alarm.Cancel()
	if a.credential.Grant == nil || a.retiring || a.credential.Disabled || errors.Is(a.refresh.err, providers.ErrGrantEnded) {
		return
	}
	token, now := a.credential.Grant.Current(), time.Now()
	due := refreshAt(token, a.refresh.spread)
	switch {
	case token.Secret.Empty() || a.refresh.err != nil:
		due = now
	case due.IsZero():
		return
	}
	if due.Before(a.refresh.notBefore) {
		due = a.refresh.notBefore
	}
	if due.After(now) {
		a.refresh.alarm.At(c, due, refreshDue{})
		return
	}
	a.startRefresh(c)
}

// startRefresh asks the grant for another token than the present one, outside of the mailbox,
// unless it does so already.
func (a *credentialActor) startRefresh(c actor.Context) {
	if a.refresh.run != nil || a.ending {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), refreshWithin)
	run, self := &refreshRun{grant: a.credential.Grant, stale: a.credential.Secret}, c.Self()
	kept := context.AfterFunc(ctx, func() { a.w.root.Send(self, refreshOverdue{run}) })
	run.cancel = func() {
		kept()
		cancel()
	}
	a.refresh.run = run
	a.w.blocking.Go(func() {
		defer run.cancel()
		a.w.root.Send(self, refreshed{run, renewSafely(ctx, run.grant, run.stale)})
	})
}

// renewSafely calls the grant, whose bugs are no more than a failed refresh.
func renewSafely(ctx context.Context, g providers.Grant, stale providers.Secret) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	token, err := g.Renew(ctx, stale)
	if err == nil && (token.Secret.Empty() || token.Secret.Equal(stale)) {
		err = errSameToken
	}
	return err
}

// renew answers at once if the secret has changed since, or if a refresh has just failed, else
// when the refresh has ended that it starts or joins.
func (a *credentialActor) renew(c actor.Context, msg renew) {
	run := a.refresh.run
	switch {
	case !a.credential.Secret.Equal(msg.used.Secret):
		c.Respond(renewed{credential: a.credential})
	case a.credential.Grant == nil:
		c.Respond(renewed{err: errNoGrant})
	case a.ending:
		c.Respond(renewed{err: ErrStopped})
	case run != nil && run.overdue, run == nil && a.refresh.err != nil && time.Now().Before(a.refresh.notBefore):
		c.Respond(renewed{err: a.refresh.err})
	default:
		a.refresh.askers = append(a.refresh.askers, c.Sender())
		a.startRefresh(c)
	}
}

// refreshed takes a new token into use, or draws the conclusions of there being none. The
// failure of a refresh that was given up says nothing.
func (a *credentialActor) refreshed(c actor.Context, msg refreshed) {
	current := msg.run == a.refresh.run
	if current {
		a.endRefresh()
	}
	switch {
	case msg.run.grant != a.credential.Grant: // the description has changed meanwhile
	case msg.err == nil:
		a.takeToken(c)
	case current:
		a.refreshFailed(c, msg.err)
	}
}

func (a *credentialActor) takeToken(c actor.Context) {
	a.refresh.failed, a.refresh.err = 0, nil
	a.refresh.notBefore = time.Now().Add(refreshAgainBase)
	a.credential = withToken(a.credential)
	if a.rest.Kind == providers.Unauthorized {
		a.probe = 0
		a.setRest(c, cooldown.State{})
	}
	a.broadcast(c, rotate{a.credential})
	a.tellToken()
	a.answerRenew(c, nil)
	a.scheduleRefresh(c)
}

// tellToken tells the ledger until when the token is good.
func (a *credentialActor) tellToken() {
	if a.credential.Grant != nil && !a.retiring {
		a.w.root.Send(a.w.ledger, TokenRenewed{Credential: a.credential.ID, ExpiresAt: a.credential.ExpiresAt})
	}
}

// refreshFailed lets some time pass before the next refresh. If the login has ended, only a
// request that probes the credential asks again.
func (a *credentialActor) refreshFailed(c actor.Context, err error) {
	a.w.logger.Warn("refresh failed", slog.String("credential", string(a.credential.ID)), slog.Any("err", err))
	now, again := time.Now(), refreshAgainCap
	if a.refresh.failed < 7 {
		again = min(refreshAgainBase<<a.refresh.failed, refreshAgainCap)
	}
	a.refresh.failed++
	if errors.Is(err, providers.ErrGrantEnded) {
		again = a.settings.policy(a.credential).Max
		a.judge(c, cooldown.Attempt{
			Outcome: providers.Outcome{Kind: providers.Unauthorized, Scope: providers.ScopeCredential, Reason: "login ended"},
			Granted: now, Now: now,
		})
	}
	a.refresh.err, a.refresh.notBefore = err, now.Add(again)
	a.answerRenew(c, err)
	a.scheduleRefresh(c)
}

// refreshOverdue gives up waiting for a grant that does not mind its context. There is no
// other refresh beside it.
func (a *credentialActor) refreshOverdue(c actor.Context, run *refreshRun) {
	if run != a.refresh.run {
		return
	}
	a.w.logger.Warn("refresh hangs", slog.String("credential", string(a.credential.ID)))
	run.overdue = true
	a.refresh.err = fmt.Errorf("refresh: %w", context.DeadlineExceeded)
	a.answerRenew(c, a.refresh.err)
}

// regrant follows a change of the description from that of before. Whoever waits for another
// secret has it if there is one, and need not wait for a login that is not used any more.
func (a *credentialActor) regrant(c actor.Context, before *providers.Credential) {
	changed := before.Grant != a.credential.Grant
	if changed {
		a.endRefresh()
	}
	if changed || before.Disabled && !a.credential.Disabled {
		a.refresh.err, a.refresh.failed, a.refresh.notBefore = nil, 0, time.Time{}
	}
	switch {
	case !before.Secret.Equal(a.credential.Secret):
		a.answerRenew(c, nil)
	case a.credential.Grant == nil:
		a.answerRenew(c, errNoGrant)
	case len(a.refresh.askers) > 0:
		a.startRefresh(c)
	}
	a.scheduleRefresh(c)
}

// answerRenew answers those that wait for the end of a refresh.
func (a *credentialActor) answerRenew(c actor.Context, err error) {
	answer := renewed{credential: a.credential, err: err}
	for _, asker := range a.refresh.askers {
		c.Send(asker, answer)
	}
	a.refresh.askers = nil
}

// endRefresh frees what a refresh held; if it is under way still, it is canceled.
func (a *credentialActor) endRefresh() {
	if a.refresh.run != nil {
		a.refresh.run.cancel()
		a.refresh.run = nil
	}
}

// stopRefresh is for an actor that stops, or restarts: whoever waits is told why.
func (a *credentialActor) stopRefresh(c actor.Context, why error) {
	a.refresh.alarm.Cancel()
	a.endRefresh()
	a.answerRenew(c, why)
}
