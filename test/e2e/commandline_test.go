package e2e

import (
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// operatorsFile has all that the command line needs besides the address, which is a free port.
const operatorsFile = `
listen: 127.0.0.1:0
management: {secret-key: ` + operatorKey + `}
credentials-dir: credentials
providers:
  - name: sim
    kind: simulator
    models: [m]
    credentials: [{id: s1}, {id: s2}]
`

// command runs another command in the folder of a process and returns its output and exit code.
func (r *process) command(p program, in string, args ...string) (string, int) {
	r.t.Helper()
	c := exec.CommandContext(r.t.Context(), string(p), args...)
	c.Dir, c.Stdin = r.folder, strings.NewReader(in)
	c.Env = append(os.Environ(), "UNDERSTUDY_URL="+r.address())
	out, _ := c.CombinedOutput() // a failure shows in the exit code
	require.NotContains(r.t, string(out), operatorKey)
	return string(out), c.ProcessState.ExitCode()
}

func TestCommandLine_ManagesAGateway(t *testing.T) {
	t.Parallel()
	p := build(t)
	r := p.start(t, operatorsFile, "serve")
	require.NoError(t, os.Mkdir(r.folder+"/credentials", 0o700))
	steps := []struct{ in, args, want string }{
		{"", "status", `(?s)2 active.*s1 +sim +- +active.*m +2 +-`},
		{"", "credentials disable s1", `^s1 is disabled now\.\n$`},
		{"", "status", `m +1 +1 out`},
		{"", "credentials enable s1", `^s1 is active now\.\n$`},
		{"", "credentials drain s1", `^s1 is draining now\.`},
		{"", "credentials reset s1", `^s1 is active now\.\n$`},
		{upstreamMark + "new\n", "credentials add s3 --provider sim", `^s3 is active now\.\n$`},
		{"", "credentials list", `s3 +sim`},
		{"", "credentials remove s3", `^s3 is removed\.\n$`},
		{"", "sessions list", `SESSION`},
		{"", "usage", `these together +- +- +- +0`},
	}
	for _, step := range steps {
		out, code := r.command(p, step.in, strings.Fields(step.args)...)
		require.Zero(t, code, "%s: %s", step.args, out)
		require.Regexp(t, step.want, out, step.args)
		require.NotContains(t, out, upstreamMark)
	}
	out, code := r.command(p, "", "credentials", "remove", "s1")
	require.Equal(t, 1, code)
	require.Contains(t, out, "s1 is in the configuration file")
	out, code = r.command(p, "", "status", "--key", "another-key")
	require.Equal(t, 3, code)
	require.Contains(t, out, "does not take this key")
	r.signal(syscall.SIGTERM)
	require.Zero(t, r.exit())
	out, code = r.command(p, "", "status")
	require.Equal(t, 3, code)
	require.Contains(t, out, "no gateway answers")
}

// What docs/troubleshooting.md shows is what happens, but for times.
func TestTroubleshooting_ShowsWhatHappens(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../../docs/troubleshooting.md")
	require.NoError(t, err)
	page := string(data)
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindStringSubmatch(page)
	require.NotNil(t, blocks)
	p := build(t)
	r := p.start(t, strings.Replace(blocks[1], "127.0.0.1:8317", "127.0.0.1:0", 1), "serve")
	asks := regexp.MustCompile(`(?m)^ask (\S+) (\S+) ?(\S*)$`).FindAllStringSubmatch(page, -1)
	require.Len(t, asks, 7)
	for _, ask := range asks {
		r.askAs(ask[1], ask[2], ask[3])
	}
	stories := regexp.MustCompile("(?s)```text\n\\$ understudy explain (\\S+)\n(.*?)```").FindAllStringSubmatch(page, -1)
	require.Len(t, stories, 5)
	for _, story := range stories {
		out, code := r.command(p, "", "explain", story[1])
		require.Zero(t, code, out)
		require.Equal(t, timeless(story[2]), timeless(out))
	}
	r.signal(syscall.SIGTERM)
	require.Zero(t, r.exit())
}

// askAs sends a chat with a request id of its own; session may be empty.
func (r *process) askAs(id, model, session string) {
	r.t.Helper()
	body := `{"model":"` + model + `","messages":[{"role":"user","content":"Hello"}]}`
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodPost, r.address()+"/v1/chat/completions", strings.NewReader(body))
	require.NoError(r.t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Request-Id", id)
	if session != "" {
		req.Header.Set("X-Session-ID", session)
	}
	resp, err := newClient(r.t).Do(req)
	require.NoError(r.t, err)
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	require.NoError(r.t, err)
}

// timeless takes out of a story what differs from one run to the next.
func timeless(story string) string {
	story = regexp.MustCompile(`\d{4}-\d\d-\d\d [0-9:.]+ [+-]\d{4}`).ReplaceAllString(story, "DATE")
	story = regexp.MustCompile(`\d[\d.]*(µs|ms|s)\b`).ReplaceAllString(story, "TIME")
	story = regexp.MustCompile(`\d+ %`).ReplaceAllString(story, "SHARE")
	return regexp.MustCompile(`, (its|with the) first byte after TIME`).ReplaceAllString(story, "")
}
