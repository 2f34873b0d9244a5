package e2e

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy"
	"github.com/understudyhq/understudy/actors"
	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/internal/fake"
	"github.com/understudyhq/understudy/providers"
	"github.com/understudyhq/understudy/providers/simulator/inprocess"
)

// Everything secret has one of these in it, so that a leak is found wherever it turns up.
const (
	clientMark   = "client-secret-"
	upstreamMark = "upstream-secret-"
)

// clientKey is the key that rigs configure and send unless a test does otherwise.
const clientKey = clientMark + "one"

// patience bounds every wait on a real clock. It only matters to tests that fail.
const patience = 30 * time.Second

// secretOf returns the secret of a credential in a rig.
func secretOf(id string) string { return upstreamMark + id }

// setup says what a rig is made of. The zero value is a gateway with the credentials a, b
// and c at an OpenAI upstream that answers everything well, filled first to last.
type setup struct {
	kinds   []string                            // provider kinds; default openai
	ids     []string                            // credentials; default a, b, c. With several kinds: kind-a and so on
	script  func(fake.Request) fake.Reply       // default answerTo
	around  func(http.Handler) http.Handler     // wraps the upstream
	adjust  func(*config.Config)                // the configuration, last
	options []understudy.Option                 // the gateway's, last
	listen  func(http.Handler) *httptest.Server // serves the upstream; default httptest.NewServer
	bubble  bool                                // no sockets
}

// rig is a gateway between a client and an upstream.
type rig struct {
	t        *testing.T
	gateway  *understudy.Gateway
	upstream *fake.Upstream
	base     string // URL of the upstream
	url      string // URL of the gateway
	client   *http.Client
	facts    *facts
	watch    *watch
	setup    setup
}

// start makes a rig and ends it with the test.
func start(t *testing.T, s setup) *rig {
	t.Helper()
	s = s.withDefaults()
	r := &rig{t: t, upstream: fake.New(s.script), facts: newFacts(t), watch: newWatch(t), setup: s}
	handler := http.Handler(r.upstream)
	if s.around != nil {
		handler = s.around(handler)
	}
	if s.bubble {
		r.base = "http://upstream.test"
		s.options = append([]understudy.Option{understudy.WithTransport(inprocess.Transport{Handler: handler})}, s.options...)
	} else {
		server := s.listen(handler)
		t.Cleanup(server.Close)
		r.base = server.URL
	}
	options := slices.Concat([]understudy.Option{understudy.WithLogger(logger(t))}, r.watch.options(), s.options)
	gateway, err := understudy.New(r.config(), options...)
	require.NoError(t, err)
	r.gateway = gateway
	t.Cleanup(r.end)
	unsubscribe := gateway.Subscribe(r.facts.add)
	t.Cleanup(unsubscribe)
	r.connect()
	return r
}

func (s setup) withDefaults() setup {
	if s.kinds == nil {
		s.kinds = []string{config.KindOpenAI}
	}
	if s.ids == nil {
		s.ids = []string{"a", "b", "c"}
	}
	if s.script == nil {
		s.script = answerTo
	}
	if s.listen == nil {
		s.listen = httptest.NewServer
	}
	return s
}

// connect opens the way from the client to the gateway.
func (r *rig) connect() {
	if r.setup.bubble {
		r.url = "http://gateway.test"
		r.client = watched(r.t, &http.Client{Transport: inprocess.Transport{Handler: r.gateway.Handler()}})
		return
	}
	server := httptest.NewServer(r.gateway.Handler())
	r.t.Cleanup(server.Close)
	r.url = server.URL
	r.client = newClient(r.t)
}

// newClient returns a client with connections of its own.
func newClient(t *testing.T) *http.Client {
	transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 100}
	t.Cleanup(transport.CloseIdleConnections)
	return watched(t, &http.Client{Transport: transport, Timeout: patience})
}

// end stops the gateway and looks at all that the upstream was sent.
func (r *rig) end() {
	select {
	case <-r.gateway.Done(): // the test has shut it down
	default:
		snapshot, err := r.gateway.Snapshot(context.Background())
		require.NoError(r.t, err)
		inspect(r.t, "snapshot", fmt.Appendf(nil, "%+v %#v", snapshot, snapshot))
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	r.watch.gather()
	if err := r.gateway.Shutdown(ctx); err != nil {
		r.t.Errorf("shutdown: %v", err)
	}
	r.watch.inspect()
	for _, request := range r.upstream.Requests() {
		if strings.Contains(fmt.Sprint(request.Header, request.Path, request.RawQuery), clientMark) || bytes.Contains(request.Body, []byte(clientMark)) {
			r.t.Errorf("a client key reached the upstream: %s %s?%s %v", request.Method, request.Path, request.RawQuery, request.Header)
		}
	}
}

// config returns the configuration of the rig's setup, new each time.
func (r *rig) config() *config.Config {
	c := config.Default()
	c.Routing.Strategy = config.FillFirst
	c.Retry.Rounds, c.Retry.MaxWait = 0, 0 // tests of patience set them; all others want to see at once
	c.APIKeys = []config.APIKey{{Key: clientKey, Name: "one"}}
	c.Logging.Requests, c.Logging.Dir = "all", r.watch.folder
	c.Logging.MaxBodyBytes = 256 << 10 // looking for secrets in megabytes of filler takes most of the time
	for _, kind := range r.setup.kinds {
		p := config.Provider{
			Name: kind, Kind: kind, BaseURL: r.base + versionPath(kind),
			Models: []config.Model{{Name: "m", Alias: []string{"alias-of-m"}}},
		}
		for _, id := range r.setup.ids {
			if len(r.setup.kinds) > 1 {
				id = kind + "-" + id
			}
			p.Credentials = append(p.Credentials, config.Credential{ID: id, APIKey: secretOf(id)})
		}
		c.Providers = append(c.Providers, p)
	}
	if r.setup.adjust != nil {
		r.setup.adjust(&c)
	}
	shown.guard(&c)
	return &c
}

// versionPath returns what a kind's base URL ends with.
func versionPath(kind string) string {
	if kind == config.KindOpenAI || kind == config.KindOpenAICompatible {
		return "/v1"
	}
	return ""
}

// answer is what a client got.
type answer struct {
	status int
	header http.Header
	body   []byte
	err    error // of reading the body: the connection broke
}

// request makes one request of a client. header holds names and values in turn.
func (r *rig) request(method, target, body string, header ...string) *http.Request {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.url+target, strings.NewReader(body))
	require.NoError(r.t, err)
	req.Header.Set("Authorization", "Bearer "+clientKey)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return req
}

// open sends a request and returns the answer when its head is there. The caller closes it.
func (r *rig) open(req *http.Request) *http.Response {
	r.t.Helper()
	resp, err := r.client.Do(req)
	require.NoError(r.t, err)
	return resp
}

// send sends a request and takes the whole answer in.
func (r *rig) send(req *http.Request) answer {
	r.t.Helper()
	return read(r.t, r.open(req))
}

func (r *rig) post(target, body string, header ...string) answer {
	r.t.Helper()
	return r.send(r.request(http.MethodPost, target, body, header...))
}

func (r *rig) get(target string, header ...string) answer {
	r.t.Helper()
	return r.send(r.request(http.MethodGet, target, "", header...))
}

// ask sends a request of a dialect.
func (r *rig) ask(d dialect, stream bool, header ...string) answer {
	r.t.Helper()
	return r.post(d.target(stream), d.question(stream), header...)
}

// storm sends n requests at the same time; all must be served.
func (r *rig) storm(t *testing.T, n int, next func() *http.Request) {
	t.Helper()
	var all sync.WaitGroup
	for range n {
		req := next()
		all.Go(func() {
			resp, err := r.client.Do(req)
			if err != nil {
				t.Error(err)
				return
			}
			if got := read(t, resp); got.status != http.StatusOK || got.err != nil {
				t.Errorf("%d %v %s", got.status, got.err, got.body)
			}
		})
	}
	all.Wait()
}

// read takes an answer in.
func read(t *testing.T, resp *http.Response) answer {
	t.Helper()
	defer resp.Body.Close()
	var body bytes.Buffer
	body.Grow(int(max(resp.ContentLength, 0)) + bytes.MinRead) // copying the giants is slow under the race detector
	_, err := body.ReadFrom(resp.Body)
	return answer{status: resp.StatusCode, header: resp.Header, body: body.Bytes(), err: err}
}

// served returns the credentials whose secrets the upstream has seen, in order.
func (r *rig) served() []string {
	var ids []string
	for _, request := range r.upstream.Requests() {
		id, ok := strings.CutPrefix(request.Key, upstreamMark)
		require.True(r.t, ok, "the upstream saw the key %q", request.Key)
		ids = append(ids, id)
	}
	return ids
}

// lastRequest returns what the upstream was asked last.
func (r *rig) lastRequest() fake.Request {
	r.t.Helper()
	requests := r.upstream.Requests()
	require.NotEmpty(r.t, requests)
	return requests[len(requests)-1]
}

// settle waits, in a bubble, until the gateway has drawn its conclusions from the answers so
// far: clients have theirs before that. Only one goroutine may call it at a time.
func (r *rig) settle() {
	if r.setup.bubble {
		synctest.Wait()
	}
}

// view returns what the gateway tells of one credential.
func (r *rig) view(id string) actors.CredentialView {
	r.t.Helper()
	r.settle()
	snapshot, err := r.gateway.Snapshot(r.t.Context())
	require.NoError(r.t, err)
	for _, view := range snapshot.Credentials {
		if view.ID == providers.CredentialID(id) {
			return view
		}
	}
	require.Fail(r.t, "no such credential", id)
	return actors.CredentialView{}
}

// logger returns a logger whose every line is looked at.
func logger(t *testing.T) *slog.Logger {
	return slog.New(slog.NewJSONHandler(inspector{t}, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

type inspector struct{ t *testing.T }

func (i inspector) Write(line []byte) (int, error) {
	inspect(i.t, "log line", line)
	return len(line), nil
}
