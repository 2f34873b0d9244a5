package e2e

import (
	"bufio"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy"
	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/internal/fake"
)

// operatorKey is secret as all keys are: no answer may hold it.
const operatorKey = clientMark + "management"

// managedFile is the configuration of managed rigs. Its comments and order must survive.
const managedFile = `# Who serves. Old key: sk-proj-0123456789abcdef
listen: 127.0.0.1:0
management:
  secret-key: ` + operatorKey + ` # not to be shown
api-keys:
  - {key: ` + clientKey + `, name: one}
retry: {rounds: 0, max-wait: 0s}
credentials-dir: credentials
routing:
  strategy: fill-first   # first to last
  session-affinity: true
providers:
  - name: openai
    kind: openai
    base-url: BASE/v1
    models: [m]
    headers: {X-Team: ` + upstreamMark + `header}
    credentials:
      # the first one
      - id: a
        api-key: ` + upstreamMark + `a
        weight: 1 # of 3
      - id: b
        api-key: ` + upstreamMark + `b
`

// managed is a rig whose configuration is in a file, with the management API.
type managed struct {
	*rig
	file  string
	gate  *gate
	turns atomic.Int64
}

// gate holds questions back that say so, until it is opened.
type gate struct {
	held chan struct{}
	goOn chan struct{}
	once sync.Once
}

func (g *gate) open() { g.once.Do(func() { close(g.goOn) }) }

func (g *gate) script(r fake.Request) fake.Reply {
	if strings.Contains(string(r.Body), "hold-this") {
		g.held <- struct{}{}
		<-g.goOn
	}
	if strings.Contains(string(r.Body), "refuse-this") {
		return fake.Reply{Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"3600"}}, Body: []byte(`{"error":{"message":"slow down"}}`)}
	}
	return answerTo(r)
}

func startManaged(t *testing.T) *managed {
	t.Helper()
	m := &managed{file: filepath.Join(t.TempDir(), "config.yaml"), gate: &gate{held: make(chan struct{}, 10), goOn: make(chan struct{})}}
	m.rig = &rig{t: t, upstream: fake.New(m.gate.script), facts: newFacts(t), watch: newWatch(t), setup: setup{}.withDefaults()}
	upstream := httptest.NewServer(m.upstream)
	t.Cleanup(upstream.Close)
	t.Cleanup(m.gate.open)
	m.base = upstream.URL
	require.NoError(t, os.WriteFile(m.file, []byte(strings.ReplaceAll(managedFile, "BASE", m.base)), 0o600))
	m.boot()
	t.Cleanup(m.end)
	return m
}

// boot starts a gateway with what the file says.
func (m *managed) boot() {
	m.t.Helper()
	loaded, err := config.LoadAll(m.file, os.LookupEnv)
	require.NoError(m.t, err)
	require.Empty(m.t, loaded.Bad)
	options := append(m.watch.options(), understudy.WithLogger(logger(m.t)), understudy.WithVersion("v-test"), understudy.WithConfigFile(m.file, os.LookupEnv))
	m.gateway, err = understudy.New(loaded.Config, options...)
	require.NoError(m.t, err)
	m.t.Cleanup(m.gateway.Subscribe(m.facts.add))
	mux := http.NewServeMux()
	mux.Handle("/v0/management/", http.StripPrefix("/v0/management", m.gateway.ManagementHandler()))
	mux.Handle("/", m.gateway.Handler())
	server := httptest.NewServer(mux)
	m.t.Cleanup(server.Close)
	m.url, m.client = server.URL, newClient(m.t)
}

// manage makes a request of the management API, which must be answered with status.
func (m *managed) manage(status int, method, path, body string) gjson.Result {
	m.t.Helper()
	req := m.request(method, "/v0/management"+path, body)
	req.Header.Set("Authorization", "Bearer "+operatorKey)
	got := m.send(req)
	require.Equal(m.t, status, got.status, "%s %s: %s", method, path, got.body)
	return gjson.ParseBytes(got.body)
}

// ask asks in a session and returns who served.
func (m *managed) turn(session, text string) string {
	m.t.Helper()
	if session == "" { // alone: what begins alike would be taken for a session
		text = fmt.Sprintf("%s %d", text, m.turns.Add(1))
	}
	got := m.post("/v1/chat/completions", fmt.Sprintf(`{"model":"m","messages":[{"role":"user","content":%q}]}`, text), "X-Session-ID", session, "X-Understudy-Debug", operatorKey)
	return got.header.Get("X-Understudy-Credential")
}

func (m *managed) text() string {
	m.t.Helper()
	data, err := os.ReadFile(m.file)
	require.NoError(m.t, err)
	return string(data)
}

func TestMG15_DisabledCredentialIsNotPickedAnyMore(t *testing.T) {
	t.Parallel()
	m := startManaged(t)
	require.Equal(t, "a", m.turn("", "x"))
	answer := m.manage(200, "PATCH", "/credentials/a", `{"disabled":true}`)
	require.True(t, answer.Get("persisted").Bool())
	require.Equal(t, "disabled", answer.Get("credential.status").String())
	require.Equal(t, "b", m.turn("", "x"))
	m.manage(200, "PATCH", "/credentials/a", `{"disabled":false}`)
	require.Equal(t, "a", m.turn("", "x"))
	m.manage(404, "PATCH", "/credentials/none", `{"disabled":true}`)
}

func TestManagement_PatchKeepsTheFileAsItIsAndSurvivesARestart(t *testing.T) {
	t.Parallel()
	m := startManaged(t)
	before := m.text()
	m.manage(200, "PATCH", "/credentials/a", `{"weight":7,"priority":-3,"max-concurrency":2}`)
	want := strings.Replace(before, "        weight: 1 # of 3\n", "        weight: 7 # of 3\n        priority: -3\n        max-concurrency: 2\n", 1)
	require.Equal(t, want, m.text())

	require.NoError(t, m.gateway.Shutdown(t.Context()))
	m.boot()
	shown := m.manage(200, "GET", "/credentials/a", "")
	require.Equal(t, []int64{7, -3, 2}, []int64{shown.Get("weight").Int(), shown.Get("priority").Int(), shown.Get("max-concurrency").Int()})
}

func TestManagement_DrainLetsARunningRequestFinish(t *testing.T) {
	t.Parallel()
	m := startManaged(t)
	require.Equal(t, "a", m.turn("s", "x"))
	running := m.sendLater(m.request("POST", "/v1/chat/completions", `{"model":"m","messages":[{"role":"user","content":"hold-this"}]}`))
	<-m.gate.held
	require.Equal(t, "draining", m.manage(200, "POST", "/credentials/a/drain", "").Get("status").String())
	require.Equal(t, int64(1), m.manage(200, "GET", "/credentials/a", "").Get("in_flight").Int())
	require.Equal(t, "b", m.turn("s", "x"))
	m.gate.open()
	require.Equal(t, 200, (<-running).status)
	record := m.manage(200, "GET", "/requests?credential=b", "").Get("data.0.attempts.0.from.rejected.0")
	require.JSONEq(t, `{"credential":"a","reason":"draining"}`, record.Raw)
	require.Equal(t, "active", m.manage(200, "POST", "/credentials/a/reset", "").Get("status").String())
	require.Equal(t, "a", m.turn("", "x"))
}

func TestManagement_ResetEndsARest(t *testing.T) {
	t.Parallel()
	m := startManaged(t)
	m.turn("", "refuse-this")
	shown := m.manage(200, "GET", "/credentials/a", "")
	require.Equal(t, "resting", shown.Get("status").String())
	require.Equal(t, "rate-limited", shown.Get("models.0.reason").String())
	require.Equal(t, int64(429), shown.Get("last_error.status").Int())
	models := m.manage(200, "GET", "/models", "")
	require.Equal(t, int64(0), models.Get("data.0.ready").Int())
	require.Equal(t, "resting", models.Get("data.0.candidates.0.state").String())
	m.manage(200, "POST", "/credentials/a/reset", `{"model":"m"}`)
	require.Equal(t, "a", m.turn("", "x"))
	m.manage(404, "POST", "/credentials/none/reset", "")
}

func TestManagement_AddsAndRemovesCredentialsInFilesOfTheirOwn(t *testing.T) {
	t.Parallel()
	m := startManaged(t)
	body := `{"id":"c.1@x+y","provider":"openai","api-key":"` + upstreamMark + `${c}","priority":9}`
	answer := m.manage(201, "POST", "/credentials", body)
	require.Equal(t, "c.1@x+y", answer.Get("credential.id").String())
	require.True(t, answer.Get("persisted").Bool())
	require.Equal(t, "c.1@x+y", m.turn("", "x"))
	require.Equal(t, upstreamMark+"${c}", m.lastRequest().Key)
	file := filepath.Join(filepath.Dir(m.file), "credentials", "c.1@x+y.json")
	info, err := os.Stat(file)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	m.manage(409, "POST", "/credentials", body)

	m.manage(200, "PATCH", "/credentials/c.1@x+y", `{"disabled":true}`)
	require.Equal(t, "a", m.turn("", "x"))
	m.manage(200, "DELETE", "/credentials/c.1@x+y", "")
	require.NoFileExists(t, file)
	m.manage(404, "GET", "/credentials/c.1@x+y", "")
	m.manage(409, "DELETE", "/credentials/a", "")
	m.manage(404, "DELETE", "/credentials/none", "")
}

func TestMG13_CredentialIDsAreNoPaths(t *testing.T) {
	t.Parallel()
	m := startManaged(t)
	for _, id := range []string{"../x", "..", ".", "...", ".hidden", "a/b", `a\b`, "a::b", "", "/etc/x", "x\x00"} {
		m.manage(400, "POST", "/credentials", fmt.Sprintf(`{"id":%q,"provider":"openai","api-key":"x"}`, strings.ReplaceAll(id, "\x00", " ")))
	}
	require.NoDirExists(t, filepath.Join(filepath.Dir(m.file), "credentials"))
	m.manage(422, "POST", "/credentials", `{"id":"x","provider":"none","api-key":"x"}`)
	m.manage(422, "POST", "/credentials", `{"id":"x","provider":"openai","service-account":{"file":"/etc/passwd"}}`)
	m.manage(404, "GET", "/credentials/..%2f..%2fconfig.yaml", "")
	m.manage(404, "DELETE", "/credentials/..%2fconfig.yaml", "")
	require.FileExists(t, m.file)
}

func TestManagement_ListsAndEndsSessions(t *testing.T) {
	t.Parallel()
	m := startManaged(t)
	for _, session := range []string{"s1", "s2", "s3"} {
		m.turn(session, "x")
	}
	first := m.manage(200, "GET", "/sessions?limit=2", "")
	require.Len(t, first.Get("data").Array(), 2)
	require.Equal(t, "a", first.Get("data.0.credential").String())
	require.Equal(t, "m", first.Get("data.0.model").String())
	require.Equal(t, int64(1), first.Get("data.0.turns").Int())
	rest := m.manage(200, "GET", "/sessions?limit=2&after="+first.Get("next").String(), "")
	require.Len(t, rest.Get("data").Array(), 1)
	require.False(t, rest.Get("next").Exists())

	key := rest.Get("data.0.key").String()
	require.Equal(t, int64(1), m.manage(200, "DELETE", "/sessions/"+key, "").Get("ended").Int())
	m.manage(404, "DELETE", "/sessions/"+key, "")
	m.manage(400, "DELETE", "/sessions/xyz", "")
	m.manage(400, "DELETE", "/sessions", "")
	m.manage(404, "DELETE", "/sessions?credential=none", "")
	require.Equal(t, int64(2), m.manage(200, "DELETE", "/sessions?credential=a", "").Get("ended").Int())
	require.Empty(t, m.manage(200, "GET", "/sessions", "").Get("data").Array())
}

func TestManagement_ChangesTheRoutingLive(t *testing.T) {
	t.Parallel()
	m := startManaged(t)
	before := m.text()
	answer := m.manage(200, "PUT", "/routing", `{"strategy":"rr","session-affinity-ttl":"90m"}`)
	require.JSONEq(t, `{"strategy":"round-robin","session-affinity":true,"session-affinity-ttl":"1h30m0s"}`, answer.Get("routing").Raw)
	want := strings.Replace(before, "strategy: fill-first   #", `strategy: "rr"   #`, 1)
	want = strings.Replace(want, "session-affinity: true\n", "session-affinity: true\n  session-affinity-ttl: \"1h30m0s\"\n", 1)
	require.Equal(t, want, m.text())
	require.Len(t, count([]string{m.turn("", "x"), m.turn("", "x")}), 2)
	m.manage(400, "PUT", "/routing", `{"strategy":"best"}`)
}

func TestMG11_ReplacesTheConfiguration(t *testing.T) {
	t.Parallel()
	m := startManaged(t)
	raw := m.send(m.with(m.request("GET", "/v0/management/config", "")))
	shown := string(raw.body)
	require.Contains(t, shown, "# the first one\n")
	require.Contains(t, shown, `api-key: "***"`)
	require.NotContains(t, shown, "0123456789abcdef") // commented out

	m.manage(422, "PUT", "/config", "providers: [")
	bad := m.manage(422, "PUT", "/config", strings.Replace(shown, "weight: 1", "weight: -1", 1))
	problem := bad.Get("error.problems.0")
	require.Equal(t, "providers[0].credentials[0].weight", problem.Get("path").String())
	require.Equal(t, int64(1+strings.Count(upTo(shown, "weight: 1"), "\n")), problem.Get("line").Int())
	fresh := strings.Replace(shown, "- id: b", "- id: fresh", 1)
	m.manage(422, "PUT", "/config", fresh) // whose secret could that be?

	before := m.text()
	answer := m.manage(200, "PUT", "/config", strings.Replace(shown, "weight: 1", "weight: 5", 1))
	require.Equal(t, "providers[openai].credentials[a].weight changed", answer.Get("changes.0").String())
	after := m.text()
	require.Equal(t, strings.NewReplacer(`"`, "").Replace(strings.Replace(before, "weight: 1", "weight: 5", 1)), strings.NewReplacer(`"`, "").Replace(after))
	require.Equal(t, "a", m.turn("", "x"))
	require.Equal(t, secretOf("a"), m.lastRequest().Key)
	restart := m.manage(200, "PUT", "/config", strings.Replace(shown, "listen: 127.0.0.1:0", "listen: 127.0.0.1:1", 1))
	require.Equal(t, "listen", restart.Get("needs_restart.0").String())
}

// upTo returns what text has before the first mark.
func upTo(text, mark string) string {
	before, _, _ := strings.Cut(text, mark)
	return before
}

// with gives a request the management key.
func (m *managed) with(req *http.Request) *http.Request {
	req.Header.Set("Authorization", "Bearer "+operatorKey)
	return req
}

func TestManagement_FollowsEvents(t *testing.T) {
	t.Parallel()
	m := startManaged(t)
	resp := m.open(m.with(m.request("GET", "/v0/management/events?kind=request&credential=a", "")))
	defer resp.Body.Close()
	require.Equal(t, "text/event-stream", resp.Header.Get("Content-Type"))
	lines := bufio.NewScanner(resp.Body)
	require.True(t, lines.Scan())
	require.Equal(t, ": following", lines.Text())
	m.turn("s", "x")
	var data string
	for data == "" && lines.Scan() {
		data, _ = strings.CutPrefix(lines.Text(), "data: ")
		if data == lines.Text() {
			data = ""
		}
	}
	inspect(t, "event", []byte(data))
	event := gjson.Parse(data)
	require.Equal(t, "request", event.Get("kind").String())
	require.Equal(t, "a", event.Get("credential").String())
	require.Equal(t, int64(200), event.Get("status").Int())
	require.Positive(t, event.Get("seq").Int())
	m.manage(400, "GET", "/events?kind=weather", "")
}

func TestManagement_TellsOfRequestsUsageAndStatus(t *testing.T) {
	t.Parallel()
	m := startManaged(t)
	for range 3 {
		m.turn("s", "x")
	}
	first := m.manage(200, "GET", "/requests?limit=2", "")
	require.Len(t, first.Get("data").Array(), 2)
	rest := m.manage(200, "GET", "/requests?limit=2&after="+first.Get("next").String(), "")
	require.Len(t, rest.Get("data").Array(), 1)
	id := first.Get("data.0.id").String()
	require.Equal(t, id, m.manage(200, "GET", "/requests/"+id, "").Get("id").String())
	m.manage(404, "GET", "/requests/none", "")
	require.Empty(t, m.manage(200, "GET", "/requests?outcome=transient", "").Get("data").Array())
	require.Len(t, m.manage(200, "GET", "/requests?outcome=success&model=m&session="+first.Get("data.0.session").String(), "").Get("data").Array(), 3)

	usage := m.manage(200, "GET", "/usage?credential=a&client=one", "").Get("data.0")
	require.Equal(t, int64(3), usage.Get("requests").Int())
	require.Positive(t, usage.Get("input_tokens").Int())
	m.manage(400, "GET", "/usage?day=yesterday", "")

	status := m.manage(200, "GET", "/status", "")
	require.Equal(t, "v-test", status.Get("version").String())
	require.Equal(t, int64(2), status.Get("actors.credential").Int())
	require.Equal(t, int64(2), status.Get("credentials.active").Int())
	require.True(t, status.Get("mailboxes.router").Exists())
}

func TestManagement_WithoutAFileChangesLastAsLongAsTheGateway(t *testing.T) {
	t.Parallel()
	r := start(t, setup{adjust: func(c *config.Config) { c.Management.SecretKey = operatorKey }})
	server := httptest.NewServer(r.gateway.ManagementHandler())
	t.Cleanup(server.Close)
	m := &managed{rig: r}
	gateway := r.url
	call := func(status int, method, path, body string) gjson.Result {
		r.url = server.URL
		defer func() { r.url = gateway }()
		got := r.send(m.with(r.request(method, path, body)))
		require.Equal(t, status, got.status, "%s %s: %s", method, path, got.body)
		return gjson.ParseBytes(got.body)
	}
	answer := call(200, "PATCH", "/credentials/a", `{"disabled":true}`)
	require.False(t, answer.Get("persisted").Bool())
	require.Equal(t, "b", m.turn("", "x"))
	call(201, "POST", "/credentials", `{"id":"d","provider":"openai","api-key":"`+secretOf("d")+`","priority":5}`)
	require.Equal(t, "d", m.turn("", "x"))
	call(200, "DELETE", "/credentials/d", "")
	call(200, "PUT", "/routing", `{"strategy":"round-robin"}`)
	shown := r.getRaw(t, server.URL+"/config", m)
	require.Contains(t, shown, "strategy: round-robin")
	r.url = server.URL
	got := r.send(m.with(r.request("PUT", "/config", strings.Replace(shown, "strategy: round-robin", "strategy: fill-first", 1))))
	r.url = gateway
	require.Equal(t, 200, got.status, "%s", got.body)
	require.Equal(t, "b", m.turn("", "x"))
}

func (r *rig) getRaw(t *testing.T, url string, m *managed) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	return string(r.send(m.with(req)).body)
}
