package httpapi

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"
	"go.uber.org/goleak"

	"github.com/understudyhq/understudy/actors"
	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/internal/pin"
	"github.com/understudyhq/understudy/providers"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// transport answers upstream calls inside the process.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		defer r.Body.Close() // as every RoundTripper must
	}
	return f(r)
}

// fakeProvider is a vendor whose errors are an HTTP status, or a "kind" in an event.
type fakeProvider struct{ crash bool }

func (fakeProvider) Formats() []providers.Format { return providers.AllFormats() }

func (fakeProvider) URL(base *url.URL, call providers.Call) (*url.URL, error) {
	if call.Operation == providers.BatchEmbed {
		return nil, providers.ErrUnsupported
	}
	u := base.JoinPath(string(call.Format), string(call.Operation))
	if call.Format == providers.Gemini {
		u = u.JoinPath(call.Model)
	}
	u.RawQuery = call.Query
	return u, nil
}

func (fakeProvider) Authorize(h http.Header, s providers.Secret) {
	h.Set("Authorization", "Bearer "+s.Reveal())
}

func (p fakeProvider) Classify(a providers.Answer) providers.Outcome {
	if p.crash {
		panic("a provider's bug")
	}
	return providers.Classify(a, func(a providers.Answer) providers.Signals {
		s := providers.Signals{Message: "x", Kind: providers.Kind(gjson.GetBytes(a.Body, "error.kind").String())}
		if a.Status == http.StatusOK && s.Kind == "" {
			s.Kind = providers.Overloaded
		}
		return s
	})
}

// fakePool leases its credentials in their order and counts what becomes of the leases.
type fakePool struct {
	credentials []*providers.Credential
	model       string // the upstream's name; empty = the client's
	refuse      error  // what Acquire returns when no credential is left
	list        []actors.ModelInfo

	mu       sync.Mutex
	lastID   uint64
	acquired []actors.Acquire
	firsts   []providers.CredentialID
	reports  []report
	records  []*actors.Record
	pins     map[pin.Key]actors.Origin
	turns    map[string]actors.Turned // by the answers' ids
}

type report struct {
	credential providers.CredentialID
	outcome    providers.Outcome
}

func (p *fakePool) Acquire(ctx context.Context, a actors.Acquire) (actors.Lease, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.acquired = append(p.acquired, a)
	if err := ctx.Err(); err != nil {
		return actors.Lease{}, err
	}
	for _, c := range p.credentials {
		if !slices.ContainsFunc(a.Tried, func(t actors.Tried) bool { return t.Credential == c.ID }) {
			p.lastID++
			l := actors.Lease{ID: p.lastID, Credential: c, Model: a.Model}
			if p.model != "" {
				l.Model = p.model
			}
			l.Model, l.Suffix = l.Model+a.Suffix, a.Suffix
			return l, nil
		}
	}
	if p.refuse != nil {
		return actors.Lease{}, p.refuse
	}
	return actors.Lease{}, &actors.NoCredentialError{Model: a.Model, Reasons: map[string]int{"tried": len(a.Tried)}}
}

func (p *fakePool) FirstByte(l actors.Lease) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.firsts = append(p.firsts, l.Credential.ID)
}

func (p *fakePool) Report(l actors.Lease, o providers.Outcome) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reports = append(p.reports, report{l.Credential.ID, o})
}

func (p *fakePool) Models(context.Context) ([]actors.ModelInfo, error) { return p.list, p.refuse }

func (p *fakePool) Renew(_ context.Context, l actors.Lease) (actors.Lease, error) {
	token, err := l.Credential.Grant.Renew(context.Background(), l.Credential.Secret)
	if err != nil {
		return l, err
	}
	next := *l.Credential
	next.Secret, next.ExpiresAt = token.Secret, token.ExpiresAt
	l.Credential = &next
	return l, nil
}

func (p *fakePool) Made(l actors.Lease, client string, keys []pin.Key) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pins == nil {
		p.pins = map[pin.Key]actors.Origin{}
	}
	for _, k := range keys {
		p.pins[k] = actors.Origin{Credential: l.Credential.ID, Model: l.Model}
	}
}

func (p *fakePool) Origins(_ context.Context, _ string, keys []pin.Key) ([]actors.Origin, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	origins := make([]actors.Origin, len(keys))
	for i, k := range keys {
		origins[i] = p.pins[k]
	}
	return origins, nil
}

func (p *fakePool) Transcript(_ context.Context, _, answer string) ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	turn, ok := p.turns[answer]
	if !ok {
		return nil, nil
	}
	if before, ok := p.turns[turn.Before]; ok {
		return append(append(slices.Clone(before.Items), ','), turn.Items...), nil
	}
	return turn.Items, nil
}

func (p *fakePool) Turned(t actors.Turned) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.turns == nil {
		p.turns = map[string]actors.Turned{}
	}
	p.turns[t.Answer] = t
}

func (p *fakePool) Record(r *actors.Record) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.records = append(p.records, r)
}

// kinds returns what was reported, as "credential:kind".
func (p *fakePool) kinds() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	kinds := []string{}
	for _, r := range p.reports {
		kinds = append(kinds, string(r.credential)+":"+string(r.outcome.Kind))
	}
	return kinds
}

// newPool returns a pool of one credential per transport: a, b, c and so on.
func newPool(transports ...transport) *fakePool {
	p := &fakePool{}
	base, _ := url.Parse("http://upstream.test/base")
	upstream := &providers.Upstream{Name: "up", Provider: fakeProvider{}, Base: base, Formats: providers.AllFormats()}
	for i, rt := range transports {
		id := string(rune('a' + i))
		p.credentials = append(p.credentials, &providers.Credential{
			ID: providers.CredentialID(id), Upstream: upstream, Secret: providers.NewSecret("secret-" + id), Transport: rt,
		})
	}
	return p
}

// toServer makes the pool's credentials call a real server.
func (p *fakePool) toServer(t *testing.T, handler http.Handler) *fakePool {
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	base, err := url.Parse(server.URL + "/base")
	require.NoError(t, err)
	rt := &http.Transport{DisableCompression: true}
	t.Cleanup(rt.CloseIdleConnections)
	for _, c := range p.credentials {
		upstream := *c.Upstream
		upstream.Base = base
		c.Upstream, c.Transport = &upstream, rt
	}
	return p
}

func live() config.Live {
	return config.Live{MaxBodyBytes: 64 << 20}
}

func newTestServer(p *fakePool, live config.Live) *Server {
	return New(Options{Pool: p, Logger: slog.New(slog.DiscardHandler), Live: live, Version: "1.2.3"})
}

// call sends one request to the handler and returns the answer.
func send(s *Server, method, target, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return w
}

// answer is a transport that answers with a status, a content type and a body.
func answer(status int, contentType, body string, header ...string) transport {
	return func(r *http.Request) (*http.Response, error) {
		_, _ = io.Copy(io.Discard, r.Body)
		return newResponse(status, contentType, io.NopCloser(strings.NewReader(body)), header...), nil
	}
}

func newResponse(status int, contentType string, body io.ReadCloser, header ...string) *http.Response {
	h := http.Header{"Content-Type": {contentType}}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{StatusCode: status, Header: h, Body: body, ContentLength: -1}
}

// inPieces is a body that is read piece by piece and then fails with err.
type inPieces struct {
	pieces []string
	err    error
}

func (b *inPieces) Read(p []byte) (int, error) {
	if len(b.pieces) == 0 {
		return 0, b.err
	}
	n := copy(p, b.pieces[0])
	if b.pieces[0] = b.pieces[0][n:]; b.pieces[0] == "" {
		b.pieces = b.pieces[1:]
	}
	return n, nil
}

func (b *inPieces) Close() error { return nil }

// stream is a transport that answers with an event stream, piece by piece, and then err.
func stream(err error, pieces ...string) transport {
	return func(*http.Request) (*http.Response, error) {
		return newResponse(200, "text/event-stream", &inPieces{slices.Clone(pieces), err}), nil
	}
}

// endpoint is one way to ask for a streamed answer.
type endpoint struct {
	format providers.Format
	path   string
	body   string
}

func endpoints() []endpoint {
	return []endpoint{
		{providers.OpenAIChat, "/v1/chat/completions", `{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}`},
		{providers.OpenAIResponses, "/v1/responses", `{"model":"m","stream":true,"input":"hi"}`},
		{providers.Anthropic, "/v1/messages", `{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}`},
		{providers.Gemini, "/v1beta/models/m:streamGenerateContent?alt=sse", `{"contents":[{"parts":[{"text":"hi"}]}]}`},
	}
}

// gated is a body whose pieces arrive when the test sends them, and that ends with the
// request's context, as a real connection's does.
type gated struct {
	ctx    context.Context
	pieces chan string
	rest   bytes.Buffer
}

func newGated(ctx context.Context) *gated { return &gated{ctx: ctx, pieces: make(chan string)} }

func (g *gated) Read(p []byte) (int, error) {
	if g.rest.Len() > 0 {
		return g.rest.Read(p)
	}
	select {
	case piece, ok := <-g.pieces:
		if !ok {
			return 0, io.EOF
		}
		g.rest.WriteString(piece)
		return g.rest.Read(p)
	case <-g.ctx.Done():
		return 0, g.ctx.Err()
	}
}

func (g *gated) Close() error { return nil }
