package config

import (
	"testing"

	"github.com/stretchr/testify/require"
)

const maskable = `# key: commented-out
api-keys: [plain-key, {key: "with # mark", name: two}]
management: {secret-key: 'it''s'} # sk-1234567890ab
providers:
  - name: p
    proxy-url: http://user:pass@proxy
    headers: {A: one, B: "${B}"}
    credentials:
      - id: a
        api-key: &k secret-a
      - api-key: secret-b # second
      - {id: c, api-key: "${C}"}
`

func TestMask_HidesSecretsAndNothingElse(t *testing.T) {
	t.Parallel()
	masked, err := Mask([]byte(maskable))
	require.NoError(t, err)
	for _, secret := range []string{"commented-out", "plain-key", "with # mark", "it''s", "1234567890", "user:pass", "one", "secret-a", "secret-b"} {
		require.NotContains(t, string(masked), secret)
	}
	for _, shown := range []string{"${B}", "${C}", "# second", "id: a", "name: two"} {
		require.Contains(t, string(masked), shown)
	}
	back, err := Unmask([]byte(maskable), masked)
	require.NoError(t, err)
	before, _, err := secretsOf([]byte(maskable))
	require.NoError(t, err)
	after, _, err := secretsOf(back)
	require.NoError(t, err)
	require.Len(t, after, len(before))
	for i := range before {
		require.Equal(t, before[i].path, after[i].path)
		require.Equal(t, before[i].value.Value, after[i].value.Value)
	}
	require.Contains(t, string(back), "# key: commented-out")
}

func TestUnmask_RefusesAMaskWithoutASecret(t *testing.T) {
	t.Parallel()
	_, err := Unmask([]byte(maskable), []byte("providers:\n  - name: other\n    credentials:\n      - id: a\n        api-key: \"***\"\n"))
	var bad Errors
	require.ErrorAs(t, err, &bad)
	require.Equal(t, "providers[other].credentials[a].api-key", bad[0].Path)
	require.Equal(t, 5, bad[0].Line)
}

// What is shown to operators never holds a secret, however the file is written.
func FuzzMask_ShowsNoSecret(f *testing.F) {
	for _, seed := range []string{maskable, "management:\n  secret-key: |\n    long\n", "api-keys: &a [x]\n", "api-keys: [*x]", "{}", "management: {secret-key: \"a\\\n b\"}", "- a"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		masked, err := Mask(data)
		if err != nil {
			return
		}
		left, _, err := secretsOf(masked)
		require.NoError(t, err)
		for _, s := range left {
			require.Equal(t, Masked, s.value.Value, "%s of %q", s.path, masked)
		}
	})
}

func TestSetCredential_TouchesNothingElse(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ before, id, after string }{
		"in place":              {"providers:\n- name: p\n  credentials:\n  - id: a\n    weight: 3 # w\n    api-key: x\n", "a", "providers:\n- name: p\n  credentials:\n  - id: a\n    weight: 5 # w\n    api-key: x\n"},
		"new":                   {"providers:\n  - name: p\n    credentials:\n      - id: a # first\n        headers: {b: c}\n      - id: b\n", "a", "providers:\n  - name: p\n    credentials:\n      - id: a # first\n        weight: 5\n        headers: {b: c}\n      - id: b\n"},
		"of the default id":     {"providers:\n  - name: p\n    credentials:\n      - api-key: x\n      - api-key: y\n", "p-2", "providers:\n  - name: p\n    credentials:\n      - api-key: x\n      - api-key: y\n        weight: 5\n"},
		"in a flow":             {"providers: [{name: p, credentials: [{id: a}, {id: b}]}]\n", "b", "providers: [{name: p, credentials: [{id: a}, {id: b, weight: 5}]}]\n"},
		"with Windows' endings": {"providers:\r\n- name: p\r\n  credentials:\r\n  - id: a\r\n    api-key: x\r\n", "a", "providers:\r\n- name: p\r\n  credentials:\r\n  - id: a\r\n    api-key: x\r\n    weight: 5\r\n"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			after, err := SetCredential([]byte(tt.before), tt.id, []Set{{"weight", 5}})
			require.NoError(t, err)
			require.Equal(t, tt.after, string(after))
		})
	}
	_, err := SetCredential([]byte("providers: []\n"), "none", []Set{{"weight", 5}})
	require.ErrorIs(t, err, errNoMapping)
}

func TestSetRouting_AddsTheSectionIfThereIsNone(t *testing.T) {
	t.Parallel()
	after, err := SetRouting([]byte("# c\nlisten: x # y"), []Set{{"strategy", "weighted"}, {"session-affinity", true}})
	require.NoError(t, err)
	require.Equal(t, "# c\nlisten: x # y\nrouting:\n  strategy: \"weighted\"\n  session-affinity: true\n", string(after))
}
