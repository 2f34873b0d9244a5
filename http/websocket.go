package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/understudyhq/understudy/actors"
	"github.com/understudyhq/understudy/http/fault"
	"github.com/understudyhq/understudy/http/socket"
	"github.com/understudyhq/understudy/providers"
)

// Sockets is what the data plane needs for clients' WebSockets of *actors.System.
type Sockets interface {
	// OpenSocket makes the actor that decides what of a line runs when.
	OpenSocket(ctx context.Context, line actors.SocketLine, turnBytes int) (*actors.Socket, error)
	// Linkable reports whether the upstream of a credential may be asked for a WebSocket.
	Linkable(context.Context, providers.CredentialID) bool
	// LinkRefused says that it does not speak it.
	LinkRefused(providers.CredentialID)
}

// openSocket takes a client's WebSocket.
func (s *Server) openSocket(in *inbound) error {
	if s.sockets == nil || !socket.IsUpgrade(in.r) {
		return s.refuseWebSocket(in)
	}
	if origin := in.r.Header.Get("Origin"); !isLocalOrigin(origin) && !socket.IsHost(origin, in.r.Host) {
		return fault.OriginNotAllowed()
	}
	h := http.Header{}
	in.stamp(h)
	common := socket.Common(in.r, func(name string) bool {
		return isHopByHop(name) || isNamed(in.r.Header["Connection"], name) || name == turnState
	})
	conn, err := s.upgrader.Upgrade(in.w, in.r, h, in.settings.maxBodyBytes)
	if err != nil {
		return fault.BadRequest("invalid_upgrade", "The request to switch to WebSocket is not valid.", err)
	}
	in.w.Status = http.StatusSwitchingProtocols
	l := socket.NewLine(conn, requestID(nil), in.id, common, s.serveTurn)
	var actor *actors.Socket
	if actor, in.err = s.sockets.OpenSocket(in.ctx, l, int(in.settings.maxBodyBytes)); in.err != nil {
		l.Release()
		return fault.ErrClientGone // it is too late to answer anything
	}
	s.gate.plug(l, actor)
	go s.runSocket(l, actor, in.id)
	return nil
}

// runSocket serves a WebSocket to its end.
func (s *Server) runSocket(l *socket.Line, actor *actors.Socket, id string) {
	openAt := time.Now()
	code := l.Run(actor)
	s.gate.unplug(l)
	s.logger.LogAttrs(context.Background(), slog.LevelInfo, "socket closed",
		slog.String("request_id", id), slog.Int("status", code), slog.Duration("duration", time.Since(openAt)))
}

// serveTurn serves one request that came over a WebSocket.
func (s *Server) serveTurn(t *socket.Turn, r *http.Request) {
	in := newInbound(s, s.turnRoute, echo.NewResponse(t.Answer(), s.echo), r)
	in.turn = t
	defer in.finish()
	if err := in.run(); err != nil {
		in.refuse(err)
	}
}

// newUplink returns the way to an upstream that speaks WebSocket; nil if the attempt has to go
// over HTTP.
func (a *attempt) newUplink() *socket.Uplink {
	c := a.lease.Credential
	if a.in.turn == nil || !c.WebSockets || a.format != providers.OpenAIResponses || a.in.format != a.format ||
		a.call.operation != providers.Generate {
		return nil
	}
	url, err := c.URL(a.upstreamCall)
	if err != nil {
		return nil
	}
	u := a.in.turn.Uplink(a.ctx, socket.UpstreamKey(c, url.String()))
	if !u.Kept() && !a.server.sockets.Linkable(a.ctx, c.ID) {
		return nil
	}
	u.Plain = c.Transport
	u.Refused = func() { a.server.sockets.LinkRefused(c.ID) }
	return u
}
