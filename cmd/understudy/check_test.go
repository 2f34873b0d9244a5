package main

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

var updateGolden = flag.Bool("update", false, "write the golden files anew")

// Everything secret in the files has this in it.
const mark = "hunter2"

const checkedConfig = `listen: 127.0.0.1:8317
api-keys: [{key: client-` + mark + `, name: one}]
credentials-dir: credentials
providers:
  - name: openai
    kind: openai
    models: [{name: gpt-5.5, alias: [main]}]
    credentials:
      - {id: inline, api-key: sk-` + mark + `, account: acme, headers: {X-Team: ` + mark + `}}
      - {id: off, api-key: sk-` + mark + `-2, disabled: true}
  - name: vertex
    kind: vertex
    location: europe-west4
    models: [gemini-3-pro]
  - name: gemini
    kind: gemini
    prefix: g
`

// checkedFiles are files of the folder, of every kind.
func checkedFiles(t *testing.T) map[string]string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	account, err := json.Marshal(map[string]string{
		"type": "service_account", "client_email": mark + "@example.iam", "private_key_id": mark, "project_id": "from-key",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	})
	require.NoError(t, err)
	const login = "token-url: https://auth.example/token, client-id: app, client-secret: " + mark + ", refresh-token: r-" + mark
	return map[string]string{
		"key.yaml":      "provider: gemini\napi-key: AI" + mark + "\nmodels: [gemini-3-*]\n",
		"login.yaml":    "provider: gemini\noauth: {" + login + ", access-token: a-" + mark + ", expires-at: 2999-01-02T03:04:05Z}\n",
		"old.json":      `{"provider": "gemini", "oauth": {"access-token": "a-` + mark + `", "expires-at": "2020-01-02T03:04:05+01:00"}}`,
		"fresh.yaml":    "provider: openai\nid: renamed\noauth: {" + login + "}\n",
		"service.json":  `{"provider": "vertex", "service-account": ` + string(account) + `}`,
		"projects.json": `{"provider": "vertex", "projects": ["p1", "p2"], "service-account": ` + string(account) + `}`,
	}
}

// What would run is told in full, but for every secret.
func TestCheck_ShowsAllButSecrets(t *testing.T) {
	golden, err := filepath.Abs(filepath.Join("testdata", "check.txt"))
	require.NoError(t, err)
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("config.yaml", []byte(checkedConfig), 0o600))
	require.NoError(t, os.Mkdir("credentials", 0o700))
	for name, text := range checkedFiles(t) {
		require.NoError(t, os.WriteFile(filepath.Join("credentials", name), []byte(text), 0o600))
	}
	var out bytes.Buffer
	c := checkCommand()
	c.SetArgs([]string{})
	c.SetOut(&out)
	require.NoError(t, c.Execute())
	require.NotContains(t, out.String(), mark)
	if *updateGolden {
		require.NoError(t, os.WriteFile(golden, out.Bytes(), 0o600))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, string(want), out.String())
}
