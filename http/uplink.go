package httpapi

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/understudyhq/understudy/actors"
	"github.com/understudyhq/understudy/http/socket"
	"github.com/understudyhq/understudy/providers"
)

// uplink is the way of one attempt to an upstream that speaks WebSocket: over the connection
// that the lane's last turn has left, or a new one. It is a RoundTripper like the credential's
// own, which it falls back to where the upstream refuses to switch.
type uplink struct {
	attempt *attempt
	key     actors.LinkKey
	link    *socket.Link // nil = none was left
	bornAt  time.Time
	lost    bool // it was found dead with what only it has remembered
}

// newUplink returns the way for an attempt; nil if it has to go over HTTP.
func (a *attempt) newUplink() *uplink {
	c := a.lease.Credential
	if a.in.turn == nil || !c.WebSockets || a.format != providers.OpenAIResponses || a.in.format != a.format ||
		a.call.operation != providers.Generate {
		return nil
	}
	url, err := c.URL(a.upstreamCall)
	if err != nil {
		return nil
	}
	u := &uplink{attempt: a, key: actors.LinkKey{Lane: a.in.turn.Lane(), Upstream: upstreamKey(c, url.String())}}
	held, bornAt := a.in.turn.line.actor.Borrow(a.ctx, u.key)
	if link, ok := held.(*socket.Link); ok {
		u.link, u.bornAt = link, bornAt
	}
	if u.link == nil && !a.server.sockets.Linkable(a.ctx, c.ID) {
		return nil
	}
	return u
}

// upstreamKey names an upstream as reached with a credential. A fixed secret is part of it; a
// token that is renewed does not end a connection which it has opened.
func upstreamKey(c *providers.Credential, url string) string {
	key := string(c.ID) + "\x00" + url
	if c.Grant == nil {
		sum := sha256.Sum256([]byte(c.Secret.Reveal()))
		key += "\x00" + hex.EncodeToString(sum[:8])
	}
	return key
}

// remembers returns the id of the answer that the kept connection knows; empty = none.
func (u *uplink) remembers() string {
	if u == nil || u.link == nil {
		return ""
	}
	return u.link.Last()
}

// RoundTrip asks for what r does.
func (u *uplink) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	_ = r.Body.Close()
	if err != nil {
		return nil, err
	}
	if u.link != nil {
		resp, err := u.ask(u.link, r, body)
		if !errors.Is(err, socket.ErrDead) || r.Context().Err() != nil {
			return resp, err
		}
		u.link = nil
		if d := u.attempt.original.delta; d != nil && u.attempt.call == d.call && d.volatile {
			u.lost = true
			return nil, err
		}
	}
	u.bornAt = time.Now()
	link, refused, err := socket.Dial(u.attempt.lease.Credential.Transport, r)
	switch {
	case err != nil:
		return nil, err
	case refused == nil:
		link.CloseWith(u.attempt.in.turn.line.ctx)
		u.link = link
		return u.ask(link, r, body)
	case refused.StatusCode == http.StatusUnauthorized || refused.StatusCode == http.StatusTooManyRequests:
		return refused, nil // it would say the same over HTTP
	}
	u.attempt.server.sockets.LinkRefused(u.attempt.lease.Credential.ID)
	if r.Body, err = r.GetBody(); err != nil {
		return nil, err
	}
	dropSocketBeta(r.Header)
	return u.attempt.lease.Credential.Transport.RoundTrip(r)
}

// ask asks over a link, and keeps it for the lane's next turn when its answer is whole.
func (u *uplink) ask(link *socket.Link, r *http.Request, body []byte) (*http.Response, error) {
	return link.Exchange(r.Context(), body, func() {
		u.attempt.in.turn.line.actor.Return(u.key, link, u.bornAt)
	})
}

// unused puts a link back that nothing was asked over.
func (u *uplink) unused() {
	if u != nil && u.link != nil && u.attempt.sentAt.IsZero() {
		u.attempt.in.turn.line.actor.Return(u.key, u.link, u.bornAt)
		u.link = nil
	}
}
