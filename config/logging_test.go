package config

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLoadAll_PlacesCapturesBesideTheFile(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path := filepath.Join(folder, "config.yaml")
	for dir, want := range map[string]string{
		"":                              filepath.Join(folder, "logs"),
		"logging: {dir: captures}":      filepath.Join(folder, "captures"),
		"logging: {dir: ../elsewhere}":  filepath.Join(filepath.Dir(folder), "elsewhere"),
		"logging: {dir: /var/captures}": "/var/captures",
	} {
		require.NoError(t, os.WriteFile(path, []byte("providers: [{name: sim, kind: simulator, credentials: [{id: x}]}]\n"+dir), 0o600))
		for range 2 { // the second time it is read again, and not placed twice
			loaded, err := LoadAll(path, nil)
			require.NoError(t, err)
			require.Equal(t, want, loaded.Config.Logging.Dir)
		}
	}
	c, err := Load(path, nil)
	require.NoError(t, err)
	require.NotEqual(t, filepath.Join(folder, "logs"), c.Logging.Dir)
}

func TestValidate_BoundsCaptures(t *testing.T) {
	t.Parallel()
	for _, set := range []func(*Logging){
		func(l *Logging) { l.MaxFiles = -1 },
		func(l *Logging) { l.MaxFiles = maxCaptures + 1 },
		func(l *Logging) { l.MaxTotalBytes = minTotalBytes - 1 },
		func(l *Logging) { l.MaxBodyBytes = minBodyBytes - 1 },
		func(l *Logging) { l.MaxBodyBytes = maxBodyBytes + 1 },
	} {
		c := EmbeddedDefault()
		set(&c.Logging)
		require.ErrorContains(t, c.Validate(), "logging.max-")
	}
}
