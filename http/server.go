package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/understudyhq/understudy/actors"
	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/http/capture"
	"github.com/understudyhq/understudy/http/payload"
	"github.com/understudyhq/understudy/http/socket"
	"github.com/understudyhq/understudy/http/tracing"
	"github.com/understudyhq/understudy/http/translate"
	"github.com/understudyhq/understudy/internal/admission"
	"github.com/understudyhq/understudy/internal/pin"
	"github.com/understudyhq/understudy/providers"
)

// Pool is what the data plane needs of *actors.System.
type Pool interface {
	// Acquire returns leave to use one credential once. Its errors are those of package
	// actors and the context's.
	Acquire(context.Context, actors.Acquire) (actors.Lease, error)
	// FirstByte tells that the first payload byte of the lease's answer has gone out.
	FirstByte(actors.Lease)
	// Report ends a lease. It is called exactly once for each.
	Report(actors.Lease, providers.Outcome)
	// Renew returns a lease with another secret, in place of one that was refused or has
	// expired.
	Renew(context.Context, actors.Lease) (actors.Lease, error)
	// Made notes that things were made with a lease, for the client of that name.
	Made(l actors.Lease, client string, keys []pin.Key)
	// Origins returns where things were made, in order; the zero Origin for what is not known.
	Origins(ctx context.Context, client string, keys []pin.Key) ([]actors.Origin, error)
	// Transcript returns the conversation of a client up to an answer that no upstream
	// remembers, as comma-separated items; nil if it is not known.
	Transcript(ctx context.Context, client, answer string) ([]byte, error)
	// Turned notes what an answer has added to such a conversation.
	Turned(actors.Turned)
	// Record keeps the record of one request.
	Record(*actors.Record)
	// Models lists the names that clients can use now.
	Models(context.Context) ([]actors.ModelInfo, error)
}

// Options are what a Server is made of.
type Options struct {
	Pool Pool
	// Sockets, if set, serves clients over WebSocket too.
	Sockets Sockets
	// Logger takes the access log, one line per request. Required.
	Logger *slog.Logger
	// Live are the first settings; Apply replaces them.
	Live config.Live
	// Version shows at the root route.
	Version string
	// Metrics serves /metrics to whoever may manage; nil = there is no such route.
	Metrics http.Handler
	// Refused is told of requests that have no record: in which format they came, and how they
	// were answered. nil = nobody wants to know.
	Refused func(providers.Format, int)
	// Tracer makes spans; nil = none are made.
	Tracer *tracing.Tracer
	// Captures takes requests and answers down; nil = none.
	Captures *capture.Store
	// Unrecorded spares the records of requests: Pool.Record is not called.
	Unrecorded bool
}

// Server serves clients. Make one with New. All methods are safe for concurrent use.
type Server struct {
	pool     Pool
	logger   *slog.Logger
	options  Options
	settings atomic.Pointer[settings]
	buffers  payload.Pool
	held     held
	gate     gate
	sockets  Sockets
	upgrader socket.Upgrader
	// turnRoute is that of requests that come over a WebSocket.
	turnRoute *route
	guesses   admission.Lockout // at the management key; outlives the settings
	tokens    translate.Tokenizer
	// translates says that a request was translated: bodies may hold marked signatures.
	translates atomic.Bool
	echo       *echo.Echo
}

// New returns a server. It starts nothing and opens no listener.
func New(o Options) *Server {
	s := &Server{pool: o.Pool, sockets: o.Sockets, logger: o.Logger, options: o, echo: echo.New()}
	s.gate.open, s.gate.lines = map[*inbound]struct{}{}, map[*socket.Line]*actors.Socket{}
	s.turnRoute = &route{method: "POST", path: "/v1/responses", format: providers.OpenAIResponses, operation: providers.Generate, serve: s.relayCall}
	s.Apply(o.Live)
	s.register()
	return s
}

// Handler returns the handler of all routes of the data plane.
func (s *Server) Handler() http.Handler { return s.echo }

// Apply replaces the settings. Requests that have begun keep the old ones.
func (s *Server) Apply(live config.Live) { s.settings.Store(newSettings(live)) }

// Open returns how many requests have begun and are not over.
func (s *Server) Open() int { return s.gate.count() }

// Drain makes all further requests answer 503 shutting_down, health checks excepted.
// Requests that have begun go on.
func (s *Server) Drain() { s.gate.drain() }

// Wait waits until no request is open or ctx ends, and returns how many are open then.
func (s *Server) Wait(ctx context.Context) int { return s.gate.wait(ctx) }

// Abort ends all open requests, streams with an error in their format. New ones are
// refused as after Drain. It does not wait for anything.
func (s *Server) Abort() { s.gate.abort() }

// settings are what requests need of config.Live, prepared for use. A request reads them
// once, when it begins.
type settings struct {
	keys           keyring
	maxBodyBytes   int64
	operator       *admission.Key
	rounds         int           // after the first
	maxCredentials int           // 0 = all
	maxWait        time.Duration // 0 = never
	firstByte      time.Duration // 0 = no limit
	streamIdle     time.Duration // 0 = no limit
	keepalive      time.Duration // 0 = off
}

func newSettings(live config.Live) *settings {
	return &settings{
		keys:           newKeyring(live.APIKeys),
		maxBodyBytes:   live.MaxBodyBytes,
		operator:       admission.NewKey(live.Management.SecretKey, live.Management.AllowRemote),
		rounds:         live.Retry.Rounds,
		maxCredentials: live.Retry.MaxCredentials,
		maxWait:        live.Retry.MaxWait,
		firstByte:      live.Timeouts.FirstByte,
		streamIdle:     live.Timeouts.StreamIdle,
		keepalive:      live.Streaming.Keepalive,
	}
}
