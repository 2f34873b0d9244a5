package config

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWarnings_NameOnlyKeysThatExist(t *testing.T) {
	t.Parallel()
	keys := keyShapes(reflect.TypeFor[Config](), "")
	seen := map[string]bool{}
	for _, w := range warnings() {
		require.Contains(t, keys, w.shape)
		require.NotEmpty(t, w.note, w.shape)
		require.False(t, seen[w.shape], w.shape)
		seen[w.shape] = true
	}
}

func TestWarnings_AreSilentAboutDefaultsAndWhatWorks(t *testing.T) {
	t.Parallel()
	c, err := Parse("c.yaml", []byte(`
routing: {strategy: wrr}
retry: {rounds: 3, max-wait: 1s}
providers:
  - name: a
    kind: simulator
    proxy-url: socks5://user:pass@127.0.0.1:1080
    ca-file: ca.pem
    error-rules: [{status: 403, action: next}]
    models: [{name: m, fallback: n}]
    credentials: [{id: x, proxy-url: direct, weight: 2, account: y, priority: 1, max-concurrency: 3, disable-cooldown: true, error-rules: [{body-contains: x, action: stop}]}]
`), nil)
	require.NoError(t, err)
	require.Empty(t, c.Warnings())
}

func TestWarnings_GiveThePathOfEachKey(t *testing.T) {
	t.Parallel()
	c, err := Parse("c.yaml", []byte(`
routing: {claude-code-session-affinity: false}
logging: {requests: all}
providers:
  - {name: b, kind: openai, credentials: [{api-key: k, websockets: true}]}
`), nil)
	require.NoError(t, err)
	require.Equal(t, []string{
		"routing.claude-code-session-affinity: is deprecated; use session-affinity",
	}, c.Warnings())
}
