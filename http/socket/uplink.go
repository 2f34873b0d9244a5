package socket

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/understudyhq/understudy/actors"
)

// Uplink is the way of one attempt to an upstream that speaks WebSocket: over the connection
// that the lane's last turn has left, or a new one. It is a RoundTripper like the credential's
// own, which it falls back to where the upstream refuses to switch. Make one with Turn.Uplink;
// it is for one goroutine and one request.
type Uplink struct {
	// Plain is the credential's own way.
	Plain http.RoundTripper
	// Refused is called when the upstream refuses to switch.
	Refused func()
	// Volatile says that the request makes sense only to the memory of the kept connection.
	Volatile bool

	turn   *Turn
	key    actors.LinkKey
	link   *Link // nil = none is left
	bornAt time.Time
	asked  bool
	lost   bool
}

// Uplink returns the way to an upstream, which is named with all that a kept connection
// depends on.
func (t *Turn) Uplink(ctx context.Context, upstream string) *Uplink {
	u := &Uplink{turn: t, key: actors.LinkKey{Lane: t.Lane(), Upstream: upstream}}
	held, bornAt := t.line.actor.Borrow(ctx, u.key)
	if link, ok := held.(*Link); ok {
		u.link, u.bornAt = link, bornAt
	}
	return u
}

// Kept reports whether there is a connection that was left.
func (u *Uplink) Kept() bool { return u.link != nil }

// Remembers returns the id of the answer that the kept connection knows; empty = none.
func (u *Uplink) Remembers() string {
	if u == nil || u.link == nil {
		return ""
	}
	return u.link.Last()
}

// Lost reports whether the kept connection was found dead, and what only it has remembered
// with it.
func (u *Uplink) Lost() bool { return u != nil && u.lost }

// RoundTrip asks for what r does.
func (u *Uplink) RoundTrip(r *http.Request) (*http.Response, error) {
	u.asked = true
	body, err := io.ReadAll(r.Body)
	_ = r.Body.Close()
	if err != nil {
		return nil, err
	}
	if u.link != nil {
		resp, err := u.ask(r, body)
		if !errors.Is(err, ErrDead) || r.Context().Err() != nil {
			return resp, err
		}
		if u.Volatile {
			u.lost = true
			return nil, err
		}
	}
	u.bornAt = time.Now()
	link, refused, err := Dial(u.Plain, r)
	switch {
	case err != nil:
		return nil, err
	case refused == nil:
		link.CloseWith(u.turn.line.ctx)
		u.link = link
		return u.ask(r, body)
	case refused.StatusCode == http.StatusUnauthorized || refused.StatusCode == http.StatusTooManyRequests:
		return refused, nil // it would say the same over HTTP
	}
	u.Refused()
	if r.Body, err = r.GetBody(); err != nil {
		return nil, err
	}
	DropBeta(r.Header)
	return u.Plain.RoundTrip(r)
}

// ask asks over the link, and keeps it for the lane's next turn when its answer is whole.
func (u *Uplink) ask(r *http.Request, body []byte) (*http.Response, error) {
	link, bornAt := u.link, u.bornAt
	return link.Exchange(r.Context(), body, func() { u.turn.line.actor.Return(u.key, link, bornAt) })
}

// End puts a link back that nothing was asked over.
func (u *Uplink) End() {
	if u != nil && u.link != nil && !u.asked {
		u.turn.line.actor.Return(u.key, u.link, u.bornAt)
		u.link = nil
	}
}

// beta is what clients say in OpenAI-Beta that is about WebSockets alone.
const beta = "responses_websockets="

// DropBeta takes out of h, which is not shared, what means nothing over HTTP.
func DropBeta(h http.Header) {
	values := h["Openai-Beta"]
	if len(values) == 0 {
		return
	}
	var kept []string
	for _, value := range values {
		for token := range strings.SplitSeq(value, ",") {
			if token = strings.TrimSpace(token); token != "" && !strings.HasPrefix(token, beta) {
				kept = append(kept, token)
			}
		}
	}
	if len(kept) == 0 {
		delete(h, "Openai-Beta")
		return
	}
	h["Openai-Beta"] = []string{strings.Join(kept, ", ")}
}
