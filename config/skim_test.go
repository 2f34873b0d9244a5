package config

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSkim_ReadsWhatItCan(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "c.yaml")
	require.NoError(t, os.WriteFile(path, []byte("listen: :1\nretry: {rounds: \"${GONE}\"}\nnonsense: 1\nmax-body-bytes: 5\n"), 0o600))
	c, wrong, err := Skim(path, environment)
	require.NoError(t, err)
	require.Equal(t, ":1", c.Listen)
	require.Equal(t, int64(5), c.MaxBodyBytes, "it is not validated")
	require.Equal(t, Default().Retry, c.Retry)
	require.Len(t, wrong, 2)
	require.ErrorContains(t, wrong[0], path+":2: retry.rounds: ")
	require.ErrorContains(t, wrong[1], path+":3: nonsense: ")

	require.NoError(t, os.WriteFile(path, []byte("a: ["), 0o600))
	_, _, err = Skim(path, environment)
	require.ErrorContains(t, err, path)
	_, _, err = Skim(path+"x", environment)
	require.ErrorIs(t, err, os.ErrNotExist)
}

// Whatever Parse takes, Skim reads in the same way.
func FuzzSkim_AgreesWithParse(f *testing.F) {
	for _, seed := range []string{"", "listen: :1", "management: {secret-key: operator-key}", "a: [", "tls: {cert-file: a, key-file: b}"} {
		f.Add([]byte(seed + "\nproviders: [{kind: simulator, credentials: [{id: a}]}]\n"))
	}
	path := filepath.Join(f.TempDir(), "c.yaml")
	f.Fuzz(func(t *testing.T, data []byte) {
		require.NoError(t, os.WriteFile(path, data, 0o600))
		want, invalid := Parse("c.yaml", data, environment)
		got, wrong, err := Skim(path, environment)
		if invalid != nil {
			return
		}
		require.NoError(t, err)
		require.Empty(t, wrong)
		Complete(got)
		require.Equal(t, want, got)
	})
}
