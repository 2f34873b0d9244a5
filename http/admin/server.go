package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/understudyhq/understudy/actors"
	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/http/capture"
	"github.com/understudyhq/understudy/internal/admission"
)

// Settings makes changes that last: it writes them to the file that they belong to and applies
// them, or does neither. Its errors are ErrNotFound, those of Conflict, and config.Errors.
type Settings interface {
	// Config returns the running configuration.
	Config() *config.Config
	// Text returns it as a file, with secrets masked.
	Text() ([]byte, error)
	// Replace makes text the configuration file. Masked secrets stay what they are.
	Replace(text []byte) (Applied, error)
	// SetRouting changes keys of the section routing.
	SetRouting(sets []config.Set) (Applied, error)
	// SetCredential changes keys of a credential.
	SetCredential(id string, sets []config.Set) (Applied, error)
	// AddCredential adds a credential; file is what its file is to hold.
	AddCredential(id string, file []byte) (Applied, error)
	// RemoveCredential removes a credential with its file.
	RemoveCredential(id string) (Applied, error)
}

// Applied says what came of a change.
type Applied struct {
	// Persisted says that it is in a file and survives a restart.
	Persisted bool
	// Changes are the differences to the configuration before.
	Changes []config.Change
	// Restart are the paths of settings that only a restart will apply.
	Restart []string
}

// Options are what a Server is made of. All are required but Version.
type Options struct {
	Engine   *actors.System
	Settings Settings
	// Judge says whether a peer that gives a key may manage.
	Judge func(given string, peer netip.Addr) (admission.Verdict, time.Duration)
	// Logger takes the audit log: one line per change.
	Logger    *slog.Logger
	Version   string
	StartedAt time.Time
	// Captures are the requests that were written down; nil = none are.
	Captures *capture.Store
}

// Server serves the management API. Make one with New. It is safe for concurrent use.
type Server struct {
	Options

	echo     *echo.Echo
	document func() ([]byte, error) // OpenAPI
}

// New returns a server. It starts nothing and opens no listener.
func New(o Options) *Server {
	s := &Server{Options: o, echo: echo.New()}
	routes := s.routes()
	methods := map[string][]string{}
	for _, rt := range routes {
		path := echoPath(rt.path)
		s.echo.Add(rt.method, path, s.handler(rt))
		methods[path] = append(methods[path], rt.method)
	}
	for path, allowed := range methods {
		slices.Sort(allowed)
		s.echo.RouteNotFound(path, func(c echo.Context) error {
			c.Response().Header().Set("Allow", strings.Join(allowed, ", "))
			return &problem{status: http.StatusMethodNotAllowed, code: "method_not_allowed", message: "This route takes " + strings.Join(allowed, ", ") + "."}
		})
	}
	s.echo.HTTPErrorHandler = s.fail
	// It is made when it is first asked for: that takes longer than to start a gateway.
	s.document = sync.OnceValues(func() ([]byte, error) { return describe(routes, o.Version) })
	return s
}

// echoPath writes {id} as the router does.
func echoPath(path string) string {
	return strings.NewReplacer("{", ":", "}", "").Replace(path)
}

// ServeHTTP answers who may manage, and tells all others no more than that they may not. Paths
// are those below where it is mounted, such as /status.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	verdict, left := s.Judge(keyOf(r), peerOf(r))
	if p := refusal(verdict); p != nil {
		if left > 0 {
			h.Set("Retry-After", fmt.Sprint(int64((left+time.Second-1)/time.Second)))
		}
		if p.status == http.StatusUnauthorized {
			h.Set("WWW-Authenticate", "Bearer")
		}
		answerProblem(w, p)
		return
	}
	s.echo.ServeHTTP(w, r)
}

// keyOf returns the key that a request gives.
func keyOf(r *http.Request) string {
	if key := r.Header.Get("X-Management-Key"); key != "" {
		return key
	}
	scheme, key, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(key)
}

// peerOf returns the address of a request's TCP peer, whatever its headers say.
func peerOf(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return peer.Addr()
}

func refusal(v admission.Verdict) *problem {
	switch v {
	case admission.Admitted:
		return nil
	case admission.Off:
		return &problem{status: http.StatusNotFound, code: "not_found", message: "There is nothing here."}
	case admission.Remote:
		return &problem{status: http.StatusForbidden, code: "remote_not_allowed", message: "The management API answers this machine only (management.allow-remote)."}
	case admission.LockedOut:
		return &problem{status: http.StatusForbidden, code: "locked_out", message: "Too many wrong keys came from this address. Try again later."}
	case admission.Missing:
		return &problem{status: http.StatusUnauthorized, code: "missing_key", message: "Give the management key: Authorization: Bearer KEY, or X-Management-Key: KEY."}
	default:
		return &problem{status: http.StatusUnauthorized, code: "invalid_key", message: "This is not the management key."}
	}
}

// engineTimeout bounds how long a route waits for the engine, which needs milliseconds.
const engineTimeout = 10 * time.Second

// call is one request that was let in.
type call struct {
	server *Server
	echo   echo.Context
	r      *http.Request
	ctx    context.Context //nolint:containedctx // of this request, for as long as it lasts
	query  url.Values
}

func (s *Server) handler(rt route) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			if p := recover(); p != nil {
				if p == http.ErrAbortHandler { //nolint:errorlint // a panic's value, compared as net/http does
					panic(p)
				}
				err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
			}
		}()
		call := &call{server: s, echo: c, r: c.Request(), query: c.QueryParams()}
		if err := call.checkQuery(rt); err != nil {
			return err
		}
		if rt.stream != nil {
			call.ctx = call.r.Context()
			return rt.stream(call)
		}
		ctx, cancel := context.WithTimeout(call.r.Context(), engineTimeout)
		defer cancel()
		call.ctx = ctx
		answer, err := rt.serve(call)
		if err != nil {
			return err
		}
		return call.answer(rt, answer)
	}
}

// answer writes what a route returned: text as it is, all else as JSON.
func (c *call) answer(rt route, answer any) error {
	if text, ok := answer.([]byte); ok {
		return c.echo.Blob(rt.statusOf(), rt.contentType, text)
	}
	return c.echo.JSON(rt.statusOf(), answer)
}

// param returns a part of the path.
func (c *call) param(name string) string {
	value := c.echo.Param(name)
	if c.r.URL.RawPath == "" {
		return value
	}
	if plain, err := url.PathUnescape(value); err == nil {
		return plain
	}
	return value
}

// fail answers an error.
func (s *Server) fail(err error, c echo.Context) {
	if he, ok := err.(*echo.HTTPError); ok {
		err = &problem{status: he.Code, code: "not_found", message: "There is no such route."}
	}
	p := asProblem(err)
	if p.status >= http.StatusInternalServerError {
		s.Logger.Error("management request failed", slog.String("path", c.Path()), slog.Any("err", err))
	}
	if !c.Response().Committed {
		answerProblem(c.Response(), p)
	}
}

func answerProblem(w http.ResponseWriter, p *problem) {
	body, err := json.Marshal(errorAnswer{errorBody{Code: p.code, Message: p.message, Problems: p.at}})
	if err != nil {
		body = []byte("{}")
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(p.status)
	_, _ = w.Write(body) // nobody is left to tell if the peer has gone
}

// audit writes one line about a change: who asked from where, and what was before and after.
// Neither holds a secret.
func (c *call) audit(what, credential string, before, after any) {
	c.server.Logger.Info("management change",
		slog.String("change", what), slog.String("peer", peerOf(c.r).String()),
		slog.String("credential", credential), slog.Any("before", before), slog.Any("after", after))
}
