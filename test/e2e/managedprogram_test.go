package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// testManagement changes a credential of a running program, which keeps the change, and stops it
// while somebody follows its events.
func testManagement(t *testing.T, p program) {
	config := simulated("http://127.0.0.1:1") + "management: {secret-key: " + operatorKey + "} # mine\n"
	r := p.start(t, config, "serve")
	m := &managed{rig: r.rig()}
	require.True(t, m.manage(http.StatusOK, "PATCH", "/credentials/s2", `{"disabled":true}`).Get("persisted").Bool())
	data, err := os.ReadFile(filepath.Join(r.folder, "config.yaml"))
	require.NoError(t, err)
	require.Contains(t, string(data), "{id: s1}, {id: s2, disabled: true}, {id: s3}")
	require.Contains(t, string(data), "# mine\n")
	require.Equal(t, "disabled", m.manage(http.StatusOK, "GET", "/credentials/s2", "").Get("status").String())

	following := m.open(m.with(m.request("GET", "/v0/management/events", "")))
	defer following.Body.Close()
	began := time.Now()
	r.signal(syscall.SIGTERM)
	require.Zero(t, r.exit())
	require.Less(t, time.Since(began), 15*time.Second, "who follows events does not use up the grace of 20s")

	again := p.start(t, string(data), "serve")
	m = &managed{rig: again.rig()}
	require.Equal(t, "disabled", m.manage(http.StatusOK, "GET", "/credentials/s2", "").Get("status").String())
	again.signal(syscall.SIGTERM)
	require.Zero(t, again.exit())
}
