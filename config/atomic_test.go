package config

import (
	"bytes"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWriteFileAtomic_ReplacesTheFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.json")
	require.NoError(t, WriteFileAtomic(path, []byte("one")))
	require.NoError(t, os.Chmod(path, 0o644))
	require.NoError(t, WriteFileAtomic(path, []byte("two")))
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "two", string(data))
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())
	requireFiles(t, filepath.Dir(path), "a.json")
}

func requireFiles(t *testing.T, folder string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	require.Equal(t, want, names)
}

func TestWriteFileAtomic_LeavesNothingBehindWhenItFails(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	taken := filepath.Join(folder, "a.json")
	require.NoError(t, os.MkdirAll(filepath.Join(taken, "full"), 0o700))
	require.ErrorContains(t, WriteFileAtomic(taken, []byte("x")), "write "+taken)
	requireFiles(t, folder, "a.json")
	require.ErrorIs(t, WriteFileAtomic(filepath.Join(folder, "none", "a.json"), nil), os.ErrNotExist)
}

func TestWriteFileAtomic_NeverShowsAPartOfAFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.json")
	whole := func(b byte) []byte { return bytes.Repeat([]byte{b}, 300_000) }
	require.NoError(t, WriteFileAtomic(path, whole('a')))
	var writers sync.WaitGroup
	done := make(chan struct{})
	for _, b := range []byte("bc") {
		writers.Go(func() {
			for range 30 {
				if err := WriteFileAtomic(path, whole(b)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	go func() { writers.Wait(); close(done) }()
	for reads := 0; ; reads++ {
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Len(t, data, 300_000)
		require.Equal(t, len(data), bytes.Count(data, data[:1]))
		select {
		case <-done:
			require.Positive(t, reads)
			requireFiles(t, filepath.Dir(path), "a.json")
			return
		default:
		}
	}
}
