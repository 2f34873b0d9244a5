package e2e

import (
	"bufio"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/internal/fake"
)

// holding is an upstream that answers nobody before goOn is called.
func holding(t *testing.T) (url string, arrived <-chan struct{}, goOn func()) {
	t.Helper()
	coming, hold := make(chan struct{}, 100), make(chan struct{})
	upstream := fake.New(answerTo)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		coming <- struct{}{}
		select {
		case <-hold:
		case <-r.Context().Done():
		}
		upstream.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL, coming, func() { close(hold) }
}

// testSIGTERMUnderLoad stops a process in which 50 requests have begun: streams that their
// clients have seen the beginning of, and plain ones that have reached the upstream.
func testSIGTERMUnderLoad(t *testing.T, p program) {
	url, arrived, goOn := holding(t)
	process := p.start(t, simulated(url), "serve")
	r := process.rig()
	const each = 25
	d := dialects()[0]
	var streams []*http.Response
	var plain []<-chan answer
	for range each {
		plain = append(plain, r.sendLater(r.request(http.MethodPost, d.plain, d.question1)))
		<-arrived
	}
	for range each {
		resp := r.open(r.request(http.MethodPost, d.streamed, slowly(true)))
		whole := resp.Body
		t.Cleanup(func() { _ = whole.Close() })
		body := bufio.NewReader(resp.Body)
		line, err := body.ReadString('\n')
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(line, "data: {"))
		resp.Body = struct {
			io.Reader
			io.Closer
		}{body, whole}
		streams = append(streams, resp)
	}
	process.signal(syscall.SIGTERM)
	process.output.await(`stopping`)
	goOn()
	for _, resp := range streams {
		got := read(t, resp)
		require.NoError(t, got.err)
		require.True(t, strings.HasSuffix(string(got.body), "data: [DONE]\n\n"), "%s", got.body)
		require.GreaterOrEqual(t, strings.Count(string(got.body), `"content":"`), words)
	}
	for _, open := range plain {
		got := <-open
		require.NoError(t, got.err)
		require.Equal(t, d.want(false), string(got.body))
	}
	require.Zero(t, process.exit(), process.output.text())
	_, err := r.client.Do(r.request(http.MethodGet, "/healthz", ""))
	require.Error(t, err, "nobody listens any more")
}

func testSecondSignal(t *testing.T, p program) {
	url, arrived, goOn := holding(t)
	defer goOn()
	process := p.start(t, simulated(url), "serve")
	r := process.rig()
	d := dialects()[0]
	open := r.sendLater(r.request(http.MethodPost, d.plain, d.question1))
	<-arrived
	process.signal(syscall.SIGINT)
	process.output.await(`stopping`)
	process.signal(syscall.SIGINT)
	<-open
	require.Equal(t, 1, process.exit())
	require.Contains(t, process.output.text(), "1 requests were cut off")
}

func testSIGHUP(t *testing.T, p program) {
	const unreachable = "http://127.0.0.1:1"
	process := p.start(t, simulated(unreachable), "serve")
	r := process.rig()
	status := func(model string) int {
		return r.post("/v1/chat/completions", `{"model":"`+model+`","messages":[{"role":"user","content":"hi"}]}`).status
	}
	require.Equal(t, http.StatusOK, status("main"))
	require.Equal(t, http.StatusNotFound, status("star"))

	renamed := strings.Replace(simulated(unreachable), "[main]", "[star]", 1)
	process.configure(renamed)
	process.signal(syscall.SIGHUP)
	process.output.await(`configuration reloaded"`)
	require.Equal(t, http.StatusNotFound, status("main"))
	require.Equal(t, http.StatusOK, status("star"))

	process.configure(renamed + "\nnonsense: true\n")
	process.signal(syscall.SIGHUP)
	process.output.await(`configuration not reloaded.*nonsense`)
	require.Equal(t, http.StatusOK, status("star"))

	process.configure(strings.NewReplacer("127.0.0.1:0", "127.0.0.1:1", "[main]", "[lead]").Replace(simulated(unreachable)))
	process.signal(syscall.SIGHUP)
	process.output.await(`configuration reloaded in part.*listen`)
	require.Equal(t, http.StatusOK, status("lead"))
	require.Equal(t, http.StatusNotFound, status("star"))

	process.signal(syscall.SIGTERM)
	require.Zero(t, process.exit())
}

func testTLS(t *testing.T, p program) {
	trusted := startTLS(httptest.NewUnstartedServer(nil)) // for its certificate and a client that trusts it
	t.Cleanup(trusted.Close)
	folder := t.TempDir()
	certificate := trusted.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey)
	require.NoError(t, err)
	for name, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: certificate.Certificate[0]},
		"key.pem":  {Type: "PRIVATE KEY", Bytes: key},
	} {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), pem.EncodeToMemory(block), 0o600))
	}
	config := simulated("http://127.0.0.1:1") + "\ntls: {cert-file: " + filepath.Join(folder, "cert.pem") + ", key-file: " + filepath.Join(folder, "key.pem") + "}\n"
	process := p.start(t, config, "serve")
	r := process.rig()
	r.client = watched(t, trusted.Client())
	resp := r.open(r.request(http.MethodPost, "/v1/chat/completions", slowly(true)))
	require.Equal(t, 2, resp.ProtoMajor)
	got := read(t, resp)
	require.NoError(t, got.err)
	require.Contains(t, string(got.body), "[DONE]")
	process.signal(syscall.SIGTERM)
	require.Zero(t, process.exit())
}
