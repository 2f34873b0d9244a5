package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// program is the built command.
type program string

func build(t *testing.T) program {
	t.Helper()
	name := filepath.Join(t.TempDir(), "understudy")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", name, "github.com/understudyhq/understudy/cmd/understudy").CombinedOutput()
	require.NoError(t, err, "%s", out)
	return program(name)
}

// process is the command while it runs.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	folder string
	output *output
}

// start runs the command in a new folder that holds config.yaml, if config is not empty.
func (p program) start(t *testing.T, config string, args ...string) *process {
	t.Helper()
	r := &process{t: t, folder: t.TempDir(), output: &output{t: t, grown: make(chan struct{})}}
	if config != "" {
		r.configure(config)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	t.Cleanup(cancel) // also ends a process that a failed test has left
	r.cmd = exec.CommandContext(ctx, string(p), args...)
	r.cmd.Dir = r.folder
	r.cmd.Env = append(os.Environ(), "CLIENT_KEY="+clientKey, "SECRET="+secretOf("a"))
	r.cmd.Stdout, r.cmd.Stderr = r.output, r.output
	require.NoError(t, r.cmd.Start())
	return r
}

// configure writes the process's configuration.
func (r *process) configure(config string) {
	r.t.Helper()
	require.NoError(r.t, os.WriteFile(filepath.Join(r.folder, "config.yaml"), []byte(config), 0o600))
}

func (r *process) signal(s os.Signal) {
	r.t.Helper()
	require.NoError(r.t, r.cmd.Process.Signal(s))
}

// exit waits for the end and returns the exit code.
func (r *process) exit() int {
	r.t.Helper()
	err := r.cmd.Wait()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		require.NoError(r.t, err)
	}
	inspect(r.t, "output", []byte(r.output.text()))
	return r.cmd.ProcessState.ExitCode()
}

// address waits until the process tells where it listens.
func (r *process) address() string {
	r.t.Helper()
	return r.output.await(`on (https?://[0-9.]+:[0-9]+)\n`)[1]
}

// output is all that a process has written so far.
type output struct {
	t *testing.T

	mu      sync.Mutex
	written bytes.Buffer
	grown   chan struct{} // closed by the next piece
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.grown)
	o.grown = make(chan struct{})
	return o.written.Write(p)
}

func (o *output) text() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.written.String()
}

// await waits until the output matches and returns the match and its groups.
func (o *output) await(pattern string) []string {
	o.t.Helper()
	late := time.NewTimer(patience)
	defer late.Stop()
	for wanted := regexp.MustCompile(pattern); ; {
		o.mu.Lock()
		match, grown := wanted.FindStringSubmatch(o.written.String()), o.grown
		o.mu.Unlock()
		if match != nil {
			return match
		}
		select {
		case <-grown:
		case <-late.C:
			require.FailNow(o.t, "not written: "+pattern, "%s", o.text())
		}
	}
}

// simulated is a configuration with the simulator and an upstream of a test.
func simulated(upstream string) string {
	return `
listen: 127.0.0.1:0
shutdown-grace: 20s
api-keys: [{key: "${CLIENT_KEY}", name: one}]
providers:
  - name: sim
    kind: simulator
    models: [{name: understudy-large, alias: [main]}]
    credentials: [{id: s1}, {id: s2}, {id: s3}]
  - name: test
    kind: openai
    base-url: ` + upstream + `/v1
    models: [m]
    credentials: [{id: a, api-key: "${SECRET}"}]
`
}

// client is one who talks to a process.
func (r *process) rig() *rig {
	return &rig{t: r.t, url: r.address(), client: newClient(r.t)}
}

func TestProgram(t *testing.T) {
	t.Parallel()
	p := build(t)
	tests := map[string]func(*testing.T, program){
		"version":                       testVersion,
		"check":                         testCheck,
		"misuse":                        testMisuse,
		"embedded default":              testEmbeddedDefault,
		"SIGTERM under load":            testSIGTERMUnderLoad,
		"a second signal stops at once": testSecondSignal,
		"SIGHUP (HR12)":                 testSIGHUP,
		"TLS":                           testTLS,
		"credentials-dir (HR6, HR13)":   testCredentialsDir,
		"management":                    testManagement,
		"credentials-dir":               testCredentialsDir,
		"check of credential files":     testCheckFiles,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, p)
		})
	}
}

func testVersion(t *testing.T, p program) {
	r := p.start(t, "", "version")
	require.Zero(t, r.exit())
	require.Regexp(t, `^understudy \S+ \(commit \S+, go\d\S*\)\n$`, r.output.text())
}

func testCheck(t *testing.T, p program) {
	good := p.start(t, simulated("http://127.0.0.1:1"), "check")
	require.Zero(t, good.exit())
	for _, want := range []string{"config.yaml is valid", "understudy-large", "main", "http://127.0.0.1:1/v1", "***"} {
		require.Contains(t, good.output.text(), want)
	}
	none := p.start(t, "", "check")
	require.Zero(t, none.exit())
	require.Contains(t, none.output.text(), "embedded default is valid")

	bad := p.start(t, strings.NewReplacer("kind: openai", "kind: opanai", "20s", "20", "listen:", "lisen:").Replace(simulated("http://x")), "check", "-c", "config.yaml")
	require.Equal(t, 1, bad.exit())
	for _, want := range []string{`config.yaml:2: .*lisen`, `config.yaml:3: shutdown-grace`, `config.yaml:11: providers\[1\]\.kind`} {
		require.Regexp(t, want, bad.output.text())
	}
	missing := p.start(t, "", "check", "-c", "nowhere.yaml")
	require.Equal(t, 1, missing.exit())
	require.Contains(t, missing.output.text(), "nowhere.yaml")
	unset := p.start(t, strings.Replace(simulated("http://x"), "SECRET", "UNSET_VARIABLE", 1), "check")
	require.Equal(t, 1, unset.exit())
	require.Regexp(t, `config.yaml:\d+: providers\[1\].credentials\[0\].api-key: .*UNSET_VARIABLE`, unset.output.text())
}

func testMisuse(t *testing.T, p program) {
	for code, lines := range map[int][][]string{
		1: {{"serve", "-c", "nowhere.yaml"}, {"status", "-c", "nowhere.yaml"}},
		2: {{"nonsense"}, {"serve", "--nonsense"}, {"serve", "extra"}},
		3: {{"status"}},
	} {
		for _, args := range lines {
			r := p.start(t, "", args...)
			require.Equal(t, code, r.exit(), args)
			require.NotEmpty(t, r.output.text())
		}
	}
	help := p.start(t, "", "serve", "--help")
	require.Zero(t, help.exit())

	first := p.start(t, simulated("http://127.0.0.1:1"), "serve")
	taken := strings.TrimPrefix(first.address(), "http://")
	second := p.start(t, strings.Replace(simulated("http://127.0.0.1:1"), "127.0.0.1:0", taken, 1), "serve")
	require.Equal(t, 1, second.exit())
	require.Contains(t, second.output.text(), taken)
	first.signal(syscall.SIGINT)
	require.Zero(t, first.exit())
}

// The line that is printed for newcomers has to work as it stands.
func testEmbeddedDefault(t *testing.T, p program) {
	r := p.start(t, "", "serve")
	words := r.output.await(`curl (\S+) -H '([^:]+): ([^']+)'[\s\\]+-d '([^']+)'\n|address already in use`)
	if words[1] == "" {
		t.Skip("the default port is taken on this machine")
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, words[1], strings.NewReader(words[4]))
	require.NoError(t, err)
	req.Header.Set(words[2], words[3])
	resp, err := newClient(t).Do(req)
	require.NoError(t, err)
	got := read(t, resp)
	require.Equal(t, http.StatusOK, got.status)
	require.True(t, json.Valid(got.body))
	manage := r.output.await(`curl (\S+/v0/management/status) -H 'X-Management-Key: (\S+)'\n`)
	req, err = http.NewRequestWithContext(t.Context(), http.MethodGet, manage[1], nil)
	require.NoError(t, err)
	req.Header.Set("X-Management-Key", manage[2])
	resp, err = newClient(t).Do(req)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, read(t, resp).status)
	r.giveWay()
	r.signal(syscall.SIGTERM)
	require.Zero(t, r.exit())
}

const words = 30

// slowly is a request that the simulator takes its time for.
func slowly(stream bool) string {
	return fmt.Sprintf(`{"model":"main","stream":%t,"messages":[{"role":"user","content":"[[words=%d]] [[chunk=20ms]]"}]}`, stream, words)
}
