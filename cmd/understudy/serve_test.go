package main

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

const simulatorFile = `
listen: 127.0.0.1:0
logging: {level: error}
credentials-dir: credentials
providers: [{name: sim, kind: simulator, models: [m], credentials: [{id: a}]}]
`

// What the files say last is read and applied here as the watcher does it, once per row.
func TestService_ShowsWhyTheNewestConfigurationDoesNotRun(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	main, key := filepath.Join(folder, "config.yaml"), filepath.Join(folder, "credentials", "b.yaml")
	require.NoError(t, os.Mkdir(filepath.Dir(key), 0o700))
	write := func(path, text string) { require.NoError(t, os.WriteFile(path, []byte(text), 0o600)) }
	write(main, simulatorFile)
	write(key, "provider: nobody\n")
	s, err := newService(main)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, s.listener.Close())
		require.NoError(t, s.gateway.Shutdown(context.Background()))
	})
	told := func() string {
		snapshot, err := s.gateway.Snapshot(t.Context())
		require.NoError(t, err)
		return snapshot.ConfigError.Text
	}
	reload := func() string {
		var u update
		u.loaded, u.err = s.source.Load()
		s.apply(u)
		return told()
	}
	bad := key + `:1: provider: there is no provider "nobody"`
	require.Equal(t, bad, told(), "from the start")
	write(main, simulatorFile+"retry: {rounds: 2}\n")
	require.Equal(t, bad, reload(), "a good configuration beside it")
	write(key, "provider: sim\n")
	require.Empty(t, reload())
	write(main, simulatorFile+"nonsense: true\n")
	require.Contains(t, reload(), main+":6: nonsense: unknown key")
	write(main, simulatorFile+"shutdown-grace: 1s\ntls: {cert-file: c, key-file: k}\n")
	require.Contains(t, reload(), "needs a restart: [tls")
	require.NoError(t, os.Remove(main))
	require.Contains(t, reload(), "no such file")
	write(main, simulatorFile)
	require.Empty(t, reload())
}

// HR10: nobody takes the update that is being handed over; the bubble fails if its goroutine
// stays.
func TestHR10_StoppingTheWatcherWhileItHandsOverLeaksNothing(t *testing.T) {
	t.Parallel()
	main := filepath.Join(t.TempDir(), "config.yaml")
	require.NoError(t, os.WriteFile(main, []byte(simulatorFile), 0o600))
	synctest.Test(t, func(t *testing.T) {
		s := &service{source: newSource(main)}
		reload := make(chan struct{}, 1)
		_, stop := s.watch(t.Context(), reload)
		reload <- struct{}{}
		time.Sleep(time.Second)
		synctest.Wait() // it waits for somebody to take the update
		stop()
	})
}
