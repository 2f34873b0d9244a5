package actors

import (
	"context"
	"log/slog"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/understudyhq/understudy/actors/socket"
	"github.com/understudyhq/understudy/actors/stage"
	"github.com/understudyhq/understudy/providers"
)

// What others need to know of sockets.
type (
	// SocketLine is the client's side of a socket.
	SocketLine = socket.Line
	// SocketTurn is one thing that a client asks for over a socket.
	SocketTurn = socket.Turn
	// SocketEnd is why a socket is closed.
	SocketEnd = socket.End
	// SocketRefusal is why a turn is not served.
	SocketRefusal = socket.Refusal
	// Link is a kept connection to an upstream.
	Link = socket.Link
	// LinkKey says what a link is good for.
	LinkKey = socket.LinkKey
)

// Ends and refusals of sockets.
const (
	SocketLeaving = socket.Leaving
	SocketExpired = socket.Expired
	SocketSilent  = socket.Silent

	SocketRefusedLane  = socket.TooManyLanes
	SocketRefusedTurn  = socket.TooManyTurns
	SocketRefusedBytes = socket.TooManyBytes
)

// Socket is the actor of one client's socket. Its methods never fail: where the actor has
// ended, so has its line, and everything that runs for it.
type Socket struct {
	system *System
	pid    *actor.PID
}

// OpenSocket makes the actor of a line. turnBytes bounds the memory of the turns that run or
// wait. Its errors are ErrStopped and the cause of ctx.
func (s *System) OpenSocket(ctx context.Context, line SocketLine, turnBytes int) (*Socket, error) {
	limits := socket.Standard()
	limits.TurnBytes = turnBytes
	made, err := ask[socket.Opened](ctx, s, s.w.sockets, socket.Open{Line: line, Limits: limits})
	if err != nil {
		return nil, err
	}
	return &Socket{system: s, pid: made.Socket}, nil
}

// Ask hands in a turn, which is then started or refused.
func (k *Socket) Ask(t SocketTurn) { k.tell(socket.Asked{Turn: t}) }

// Ended says that a turn which was started is over.
func (k *Socket) Ended(t SocketTurn) { k.tell(socket.Ended{Turn: t}) }

// Gone says that the client is.
func (k *Socket) Gone() { k.tell(socket.Gone{}) }

// Leave closes the line when nothing runs any more; nothing begins.
func (k *Socket) Leave() { k.tell(socket.Leave{}) }

// Borrow takes the link to an upstream that a lane has kept, and tells when it was made; nil
// if there is none.
func (k *Socket) Borrow(ctx context.Context, key LinkKey) (Link, time.Time) {
	b, err := ask[socket.Borrowed](ctx, k.system, k.pid, socket.Borrow{Key: key})
	if err != nil {
		return nil, time.Time{}
	}
	return b.Link, b.BornAt
}

// Return keeps a link for the lane's next turn.
func (k *Socket) Return(key LinkKey, l Link, bornAt time.Time) {
	k.tell(socket.Return{Key: key, Link: l, BornAt: bornAt})
}

func (k *Socket) tell(msg any) { k.system.w.root.Send(k.pid, msg) }

// Linkable reports whether the upstream of a credential may take links: it has refused none
// for ten minutes.
func (s *System) Linkable(ctx context.Context, id providers.CredentialID) bool {
	yes, err := ask[bool](ctx, s, s.w.sockets, socket.Linkable{Credential: id})
	return err == nil && yes
}

// LinkRefused says that the upstream of a credential takes no links.
func (s *System) LinkRefused(id providers.CredentialID) {
	s.w.root.Send(s.w.sockets, socket.LinkRefused{Credential: id})
}

// socketsProps describes the parent of an engine's sockets.
func socketsProps(w *wiring) *actor.Props {
	return socket.Props(w.props, func(f stage.Failure) {
		w.logger.Error("socket failed", slog.Any("err", f.Why), slog.String("stack", string(f.Why.Stack)))
		w.root.Send(w.ledger, Supervised{Actor: "socket", Reason: f.Why.String(), Stopped: f.Stop})
	})
}
