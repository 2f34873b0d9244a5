package understudy

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/understudyhq/understudy/actors"
	"github.com/understudyhq/understudy/providers"
)

// Request asks the engine for a credential, for a host that makes the upstream call itself.
type Request struct {
	// Model by any name that clients may use for it. Required.
	Model string
	// Format in which the host will speak to the upstream. Required.
	Format providers.Format
	// Session names the conversation, if there is one: it stays on one credential while
	// that credential is ready. Two hosts' users must not share names.
	Session string
	// Exclude lists credentials that were tried already.
	Exclude []providers.CredentialID
	// Wait is how long Acquire may wait for the soonest recovery or a free place. Default 0:
	// it fails at once.
	Wait time.Duration
}

// Lease is leave to use one credential for one upstream call. It must be ended with Done;
// one that is not is taken back after an hour and counted. Its methods are safe for
// concurrent use.
type Lease struct {
	gateway *Gateway
	lease   actors.Lease
	once    sync.Once
	first   sync.Once
}

// Acquire returns leave to use the credential that the routing rules choose. Its errors:
// *UnknownModelError, *FormatError, *NoCredentialError, ErrOverloaded, ErrStopped, or the
// cause of ctx.
func (g *Gateway) Acquire(ctx context.Context, r Request) (*Lease, error) {
	tried := make([]actors.Tried, len(r.Exclude))
	for i, id := range r.Exclude {
		tried[i].Credential = id
	}
	l, err := g.engine.Acquire(ctx, actors.Acquire{
		Model: r.Model, Format: r.Format, Session: actors.SessionNamed(r.Session, r.Model), Tried: tried, Wait: r.Wait, LastResort: true,
	})
	if err != nil {
		return nil, ours(err)
	}
	return &Lease{gateway: g, lease: l}, nil
}

// ours returns the engine's error as this package promises it.
func ours(err error) error {
	switch {
	case errors.Is(err, actors.ErrStopped):
		return ErrStopped
	case errors.Is(err, actors.ErrOverloaded):
		return ErrOverloaded
	default:
		return err
	}
}

// Errors of Acquire besides the types below.
var (
	// ErrStopped means that the gateway has been shut down, or is about to be.
	ErrStopped = errors.New("gateway stopped")
	// ErrOverloaded means that too many requests wait already.
	ErrOverloaded = errors.New("too many requests wait for a credential")
)

type (
	// UnknownModelError means that no upstream serves the model.
	UnknownModelError = actors.UnknownModelError
	// FormatError means that the model is served, but only in other formats.
	FormatError = actors.FormatError
	// NoCredentialError means that the model is known but nobody can serve it now, and
	// says until when, if that is known.
	NoCredentialError = actors.NoCredentialError
)

// Credential returns the id of the credential.
func (l *Lease) Credential() providers.CredentialID { return l.lease.Credential.ID }

// Model returns the upstream's own name of the model.
func (l *Lease) Model() string { return l.lease.Model }

// URL returns where call is served; its Model is filled in if empty.
func (l *Lease) URL(call providers.Call) (*url.URL, error) {
	if call.Model == "" {
		call.Model = l.lease.Model
	}
	return l.lease.Credential.URL(call)
}

// Transport returns what reaches the upstream, through the credential's proxy if it has one.
func (l *Lease) Transport() http.RoundTripper { return l.lease.Credential.Transport }

// Authorize adds the credential's secret to r.
func (l *Lease) Authorize(r *http.Request) {
	l.lease.Credential.Authorize(r.Header)
}

// Classify says what an upstream's answer means, error rules included, for Done.
func (l *Lease) Classify(a providers.Answer) providers.Outcome {
	return providers.Judge(l.lease.Credential, a)
}

// FirstByte says that the credential has served: the session is bound to it.
func (l *Lease) FirstByte() {
	l.first.Do(func() { l.gateway.engine.FirstByte(l.lease) })
}

// Done ends the lease with what came of it. A success implies FirstByte. Only the first
// call counts.
func (l *Lease) Done(o providers.Outcome) {
	l.once.Do(func() {
		if o.Kind == providers.Success {
			l.FirstByte()
		}
		l.gateway.engine.Report(l.lease, o)
	})
}
