package main

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/config"
)

func TestOpen_FindsTheGatewayAndTheKey(t *testing.T) {
	t.Parallel()
	write := func(text string) string {
		file := filepath.Join(t.TempDir(), "config.yaml")
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		return file
	}
	full := write("listen: 0.0.0.0:9000\nmanagement: {secret-key: from-the-file}\n")
	hashed := write("management: {secret-key: $2a$10$abcdefghijklmnopqrstuv}\n")
	tests := map[string]struct {
		flags   connection
		env     map[string]string
		url     string
		key     string
		problem string
	}{
		"the file":                {connection{file: full}, nil, "http://127.0.0.1:9000", "from-the-file", ""},
		"environment first":       {connection{file: full}, map[string]string{urlVariable: "https://host", keyVariable: "from-env"}, "https://host", "from-env", ""},
		"flags before it":         {connection{url: "http://a:1/", key: "flag-key", file: "nowhere"}, map[string]string{urlVariable: "https://host", keyVariable: "e"}, "http://a:1", "flag-key", ""},
		"key of the file":         {connection{url: "http://a:1/sub" + managementPath, file: full}, nil, "http://a:1/sub", "from-the-file", ""},
		"address of the file":     {connection{key: "flag-key", file: full}, nil, "http://127.0.0.1:9000", "flag-key", ""},
		"every address, 6":        {connection{key: "k", file: write("listen: '[::]:1'")}, nil, "http://[::1]:1", "k", ""},
		"every address":           {connection{key: "k", file: write("listen: :1")}, nil, "http://127.0.0.1:1", "k", ""},
		"key is a hash":           {connection{file: hashed}, nil, "", "", "is a hash"},
		"no key in the file":      {connection{file: write("")}, nil, "", "", "secret-key is not set"},
		"port unknown":            {connection{key: "k", file: write("listen: :0")}, nil, "", "", "any free port"},
		"no such file":            {connection{file: "nowhere.yaml"}, nil, "", "", "nowhere.yaml"},
		"default without a file":  {connection{key: "k"}, nil, "http://127.0.0.1:8317", "k", ""},
		"nothing at all":          {connection{}, nil, "", "", "there is no config.yaml here"},
		"no URL":                  {connection{url: "localhost:1", key: "k"}, nil, "", "", "must look like"},
		"secrets in the URL":      {connection{url: "http://u:hunter2@a", key: "k"}, nil, "", "", "must look like"},
		"certificate is not here": {connection{key: "k", file: write("tls: {cert-file: gone.pem, key-file: b}")}, nil, "", "", "gone.pem"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, err := tt.flags.open(func(name string) (string, bool) { value, ok := tt.env[name]; return value, ok })
			if tt.problem != "" {
				require.ErrorContains(t, err, tt.problem)
				require.NotContains(t, err.Error(), "hunter2")
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.url+managementPath, m.base)
			require.Equal(t, tt.key, m.key)
		})
	}
}

// A gateway with a certificate that no authority knows is trusted because the file names it.
func TestReach_TrustsTheCertificateOfTheFile(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "{}") }))
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "cert.pem")
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	require.NoError(t, os.WriteFile(file, append([]byte("-----BEGIN X-----\n-----END X-----\n"), certificate...), 0o600))
	address, trust, err := reach(endpoint{listen: strings.TrimPrefix(server.URL, "https://"), tls: config.TLS{CertFile: file}})
	require.NoError(t, err)
	require.Equal(t, server.URL, address)
	for _, settings := range []*http.Transport{{TLSClientConfig: trust}, {}} {
		m := newManager(address, testKey, settings)
		_, err = m.get(t.Context(), "/status", nil, &struct{}{})
		m.http.CloseIdleConnections()
		require.Equal(t, settings.TLSClientConfig != nil, err == nil, err)
	}
	require.NoError(t, os.WriteFile(file, []byte("nothing"), 0o600))
	_, err = trusting(file)
	require.ErrorContains(t, err, "no certificate")
}

func TestCompletion_CompletesCommandsAndKinds(t *testing.T) {
	t.Parallel()
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		got := command(t, "", "completion", shell)
		require.Equal(t, exitDone, got.code)
		require.Contains(t, got.out, "understudy")
	}
	got := command(t, "", "__complete", "credentials", "d")
	require.Contains(t, got.out, "disable")
	require.Contains(t, got.out, "drain")
	got = command(t, "", "__complete", "events", "--kind", "s")
	require.Contains(t, got.out, "supervision")
}
