package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestReadEndpoint_NeedsNothingElse(t *testing.T) {
	t.Parallel()
	const hash = "$2a$10$abcdefghijklmnopqrstuv"
	env := func(name string) (string, bool) { return "from-environment", name == "KNOWN" }
	tests := map[string]struct {
		file               string
		listen, key        string
		keyErr, addressErr string // parts of errors
	}{
		"empty":                 {"", "127.0.0.1:8317", "", "secret-key is not set", ""},
		"both":                  {"listen: :9000\nmanagement: {secret-key: operator-key}\n", ":9000", "operator-key", "", ""},
		"from the environment":  {"management: {secret-key: \"${KNOWN}\"}\n", "127.0.0.1:8317", "from-environment", "", ""},
		"variable is not here":  {"listen: :9000\nmanagement: {secret-key: \"${GONE}\"}\n", ":9000", "", "GONE", ""},
		"hash":                  {"management: {secret-key: " + hash + "}\n", "127.0.0.1:8317", "", "is a hash", ""},
		"the rest is wrong":     {"listen: :1\nmanagement: {secret-key: operator-key}\nproviders: [{kind: 7, credentials: [{api-key: \"${GONE}\"}]}]\nnonsense: 1\n", ":1", "operator-key", "", ""},
		"address not here":      {"listen: \"${GONE}\"\n", "127.0.0.1:8317", "", "not set", "GONE"},
		"not a mapping":         {"- a\n", "127.0.0.1:8317", "", "c.yaml:1", "c.yaml:1"},
		"not YAML":              {"a: [\n", "", "", "c.yaml", "c.yaml"},
		"management is no such": {"management: 5\n", "127.0.0.1:8317", "", "management", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "c.yaml")
			require.NoError(t, os.WriteFile(path, []byte(tt.file), 0o600))
			got := readEndpoint(path, env)
			require.Equal(t, tt.listen, got.listen)
			require.Equal(t, tt.key, got.key)
			checkError(t, tt.keyErr, got.keyErr)
			checkError(t, tt.addressErr, got.addressErr)
		})
	}
	got := readEndpoint(filepath.Join(t.TempDir(), "none.yaml"), env)
	require.ErrorIs(t, got.addressErr, os.ErrNotExist)
	require.ErrorIs(t, got.keyErr, os.ErrNotExist)
}

func checkError(t *testing.T, want string, err error) {
	t.Helper()
	if want == "" {
		require.NoError(t, err)
		return
	}
	require.ErrorContains(t, err, want)
	require.NotContains(t, err.Error(), "$2a$", "not even the hash is told")
}
