package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// fileSecret is in files; the collector finds it wherever it is shown.
const fileSecret = upstreamMark + "file"

// withFolder is a configuration with a provider whose credentials are in files.
func withFolder() string {
	return simulated("http://127.0.0.1:1") + `
  - name: spare
    kind: simulator
    models: [spare-model]
credentials-dir: credentials
`
}

// put writes a credential file of the process.
func (r *process) put(name, text string) string {
	r.t.Helper()
	folder := filepath.Join(r.folder, "credentials")
	require.NoError(r.t, os.MkdirAll(folder, 0o700))
	path := filepath.Join(folder, name)
	require.NoError(r.t, os.WriteFile(path+".new", []byte(text), 0o600))
	require.NoError(r.t, os.Rename(path+".new", path))
	return path
}

func testCredentialsDir(t *testing.T, p program) {
	process := p.start(t, withFolder(), "serve")
	r := process.rig()
	served := func() bool {
		return r.post("/v1/chat/completions", `{"model":"spare-model","messages":[{"role":"user","content":"hi"}]}`).status == http.StatusOK
	}
	process.output.await(`there is no folder credentials`)
	require.False(t, served())
	first := process.put("first.yaml", "provider: spare\n")
	process.output.await(`configuration reloaded" changes=1`)
	require.True(t, served())
	process.put("second.json", "{\n\"provider\": \"spare\", \"api_key\": \""+fileSecret+"\"}")
	process.output.await(`credential file not used.*credentials/second.json:2: api_key: unknown key`)
	require.True(t, served())
	require.NoError(t, os.Remove(first))
	process.output.await(`(?s)api_key.*configuration reloaded" changes=1`)
	require.False(t, served())
	process.signal(syscall.SIGTERM)
	require.Zero(t, process.exit())
	require.Equal(t, 1, strings.Count(process.output.text(), "credential file not used"), "it is told once")
}

func testCheckFiles(t *testing.T, p program) {
	folder := t.TempDir()
	put := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600))
	}
	config := strings.Replace(withFolder(), "credentials-dir: credentials", "credentials-dir: "+folder, 1)
	put("key.yaml", "provider: spare\nprojects: [p1, p2]\napi-key: "+fileSecret)
	put("login.json", `{"provider": "spare", "account": "acme", "oauth": {"access-token": "`+fileSecret+`"}}`)
	require.NoError(t, os.Chmod(filepath.Join(folder, "login.json"), 0o644))
	good := p.start(t, config, "check")
	require.Zero(t, good.exit(), good.output.text())
	for _, want := range []string{
		`key::p1 +spare +key +p1 +\*\*\* +- +enabled +` + folder + `/key.yaml`, `key::p2 +spare`,
		`login +spare +acme +- +oauth \*\*\*, not renewed +unknown +enabled +`, `warning: ` + folder + `/login.json: can be read by others`,
	} {
		require.Regexp(t, want, good.output.text())
	}

	put("bad.yaml", "provider: spare\nweight: 1.5\n")
	put("worse.json", "{")
	bad := p.start(t, config, "check")
	require.Equal(t, 1, bad.exit())
	require.Equal(t, folder+"/bad.yaml:2: weight: must be a whole number\n"+folder+"/worse.json:1: is not JSON: unexpected end of JSON input\n", bad.output.text())
}

// giveWay has the embedded default give way to a file, and nothing to no file.
func (r *process) giveWay() {
	r.t.Helper()
	r.configure(strings.Replace(simulated("http://127.0.0.1:1"), "127.0.0.1:0", "127.0.0.1:8317", 1))
	r.output.await(`configuration reloaded"`)
	require.NoError(r.t, os.Remove(filepath.Join(r.folder, "config.yaml")))
	r.output.await(`configuration not reloaded.*no such file`)
}
