package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var newExpiry = time.Date(2031, 1, 2, 3, 4, 5, 600, time.FixedZone("", 3600))

func TestUpdateTokens_TouchesNothingElse(t *testing.T) {
	t.Parallel()
	const (
		access  = `access-token: "new-$${a}"`
		refresh = `refresh-token: "r2"`
		expires = `expires-at: "2031-01-02T02:04:05Z"`
	)
	tests := map[string]struct{ name, before, after string }{
		"block": {
			"a.yaml", "# my login\nprovider: openai # yes\n\noauth:\n    # tokens\n    access-token: old # a\n    refresh-token: 'it''s' # r\n    expires-at: 2030-01-01T00:00:00Z\n    client-id: app\nweight:   3\n# end\n",
			"# my login\nprovider: openai # yes\n\noauth:\n    # tokens\n    " + access + " # a\n    " + refresh + " # r\n    " + expires + "\n    client-id: app\nweight:   3\n# end\n",
		},
		"block, nothing there yet": {
			"a.yaml", "provider: openai\noauth:\n  # the login\n  refresh-token: \"r\\\"1\"   # r\n  # the app\n  client-id: app",
			"provider: openai\noauth:\n  # the login\n  " + refresh + "   # r\n  " + access + "\n  " + expires + "\n  # the app\n  client-id: app",
		},
		"block, last and empty": {
			"a.yaml", "oauth:\n  token-url: x\n  access-token:\n  expires-at: # none\n  refresh-token: r1",
			"oauth:\n  token-url: x\n  " + access + "\n  " + expires + " # none\n  " + refresh,
		},
		"Windows": {
			"a.yml", "oauth:\r\n  refresh-token: r1 # é\r\n  client-id: app\r\n",
			"oauth:\r\n  " + refresh + " # é\r\n  " + access + "\r\n  " + expires + "\r\n  client-id: app\r\n",
		},
		"flow": {
			"a.yaml", "provider: openai\noauth: {é: ü, refresh-token: r1, client-id: app} # c\n",
			"provider: openai\noauth: {é: ü, " + refresh + ", " + access + ", " + expires + ", client-id: app} # c\n",
		},
		"JSON": {
			"a.json", "{\n\t\"provider\": \"openai\",\n\t\"oauth\": {\n\t\t\"access-token\": null,\n\t\t\"refresh-token\": \"r1\"\n\t},\n\t\"weight\": 3\n}\n",
			"{\n\t\"provider\": \"openai\",\n\t\"oauth\": {\n\t\t\"access-token\": \"new-$${a}\",\n\t\t\"refresh-token\": \"r2\",\n\t\t\"expires-at\": \"2031-01-02T02:04:05Z\"\n\t},\n\t\"weight\": 3\n}\n",
		},
		"JSON in a line": {
			"a.json", `{"oauth":{"expires-at":"2030-01-01T00:00:00Z","refresh-token":"r1","access-token":"<a>"},"account":"😀"}`,
			`{"oauth":{"expires-at":"2031-01-02T02:04:05Z","refresh-token":"r2","access-token":"new-$${a}"},"account":"😀"}`,
		},
		// In these the bytes change, but not what they mean nor the comments.
		"over several lines": {
			"a.yaml", "# head\noauth:\n  # a\n  access-token: >-\n    old\n  refresh-token: r1 # r\n",
			"# head\noauth:\n  # a\n  " + access + "\n  " + refresh + " # r\n  " + expires + "\n",
		},
		"an anchor": {
			"a.yaml", "account: &a x\noauth:\n  access-token: *a\n  refresh-token: &r r1\n",
			"account: &a x\noauth:\n  " + access + "\n  refresh-token: &r \"r2\"\n  " + expires + "\n",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), tt.name)
			require.NoError(t, os.WriteFile(path, []byte(tt.before), 0o600))
			require.NoError(t, UpdateTokens(path, "new-${a}", "r2", newExpiry))
			data, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, tt.after, string(data))
			require.NoError(t, UpdateTokens(path, "new-${a}", "r2", newExpiry))
			again, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, tt.after, string(again))
		})
	}
}

func TestUpdateTokens_KeepsWhatIsNotGiven(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.yaml")
	require.NoError(t, os.WriteFile(path, []byte("oauth: {refresh-token: r1, expires-at: 2030-01-01T00:00:00Z}"), 0o600))
	require.NoError(t, UpdateTokens(path, "a2", "", time.Time{}))
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, `oauth: {refresh-token: r1, access-token: "a2", expires-at: null}`, string(data))
}

func TestUpdateTokens_FollowsALink(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "real"), []byte("oauth: {refresh-token: r1}"), 0o600))
	link := filepath.Join(folder, "a.yaml")
	require.NoError(t, os.Symlink("real", link))
	require.NoError(t, UpdateTokens(link, "a2", "", time.Time{}))
	data, err := os.ReadFile(filepath.Join(folder, "real"))
	require.NoError(t, err)
	require.Contains(t, string(data), "a2")
	info, err := os.Lstat(link)
	require.NoError(t, err)
	require.NotZero(t, info.Mode()&os.ModeSymlink)
}

func TestUpdateTokens_SaysWhyItCannot(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ name, text, access, want string }{
		"no login":         {"a.yaml", "api-key: hunter2", "hunter2", "it holds no oauth with a refresh-token"},
		"nothing":          {"a.yaml", "", "hunter2", "it holds no oauth with a refresh-token"},
		"only a token":     {"a.json", `{"oauth": {"access-token": "hunter2"}}`, "hunter2", "it holds no oauth with a refresh-token"},
		"no refresh token": {"a.yaml", "oauth: {refresh-token: }", "hunter2", "it holds no oauth with a refresh-token"},
		"broken":           {"a.json", `{"oauth": {"refresh-token": "hunter2}`, "hunter2", "is not JSON"},
		"no token":         {"a.yaml", "oauth: {refresh-token: r}", "", "access-token: is required"},
		"lines":            {"a.yaml", "oauth: {refresh-token: r}", "hunter2\nx", "access-token: must not hold spaces"},
		"bytes":            {"a.yaml", "oauth: {refresh-token: r}", "hunter2\xff", "access-token: is not text"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), tt.name)
			require.NoError(t, os.WriteFile(path, []byte(tt.text), 0o600))
			err := UpdateTokens(path, tt.access, "", newExpiry)
			require.ErrorContains(t, err, path+": ")
			require.ErrorContains(t, err, tt.want)
			require.NotContains(t, err.Error(), "hunter2")
			data, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, tt.text, string(data))
		})
	}
	require.ErrorIs(t, UpdateTokens(filepath.Join(t.TempDir(), "gone.yaml"), "a", "r", newExpiry), os.ErrNotExist)
}

// Whatever a file looks like: what is read from it afterwards are the new tokens, and
// otherwise what was read before.
func TestUpdateTokens_ChangesOnlyTokens(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		comment := func() string { return rapid.SampledFrom([]string{"", "", " # note"}).Draw(t, "comment") }
		value := rapid.SampledFrom([]string{"plain", "'single'", `"double\t"`, "${WORD}", ">-\n    folded\n    more", "|-\n    literal", "a,b", "x#y", "a\n    b"})
		var lines []string
		for _, key := range rapid.Permutation([]string{"refresh-token", "access-token", "expires-at", "token-url", "client-id"}).Draw(t, "keys") {
			text := value.Draw(t, key)
			switch key {
			case "token-url":
				text = "https://h/"
			case "expires-at":
				text = rapid.SampledFrom([]string{"2030-01-01T00:00:00Z", "", "null", `""`}).Draw(t, key)
			case "client-id":
				text = "app"
			}
			if key != "refresh-token" && key != "token-url" && rapid.Bool().Draw(t, "without") {
				continue
			}
			if !strings.Contains(text, "\n") {
				text += comment()
			}
			lines = append(lines, "  "+key+": "+text)
		}
		file := "provider: openai" + comment() + "\noauth:" + comment() + "\n" + strings.Join(lines, "\n") + "\nweight: 3" + comment()
		path := filepath.Join(folder, "a.yaml")
		if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		token := rapid.StringMatching(`[!-~]{1,200}`)
		access, refresh := token.Draw(t, "access"), token.Draw(t, "refresh")
		if err := UpdateTokens(path, access, refresh, newExpiry); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		want := &OAuth{TokenURL: "https://h/", RefreshToken: refresh, AccessToken: access, ExpiresAt: newExpiry.UTC().Truncate(time.Second)}
		if strings.Contains(file, "client-id") {
			want.ClientID = "app"
		}
		got := testParser("").parse(path, data)
		require.Empty(t, got.bad)
		require.Equal(t, want, got.credentials[0].OAuth, string(data))
		require.Equal(t, 3, *got.credentials[0].Weight)
		require.Equal(t, strings.Count(file, "# note"), strings.Count(string(data), "# note"), string(data))
	})
}

func FuzzUpdateTokens(f *testing.F) {
	for _, seed := range []string{
		"oauth:\n  refresh-token: r1\n", "oauth: {refresh-token: r1, access-token: a}", `{"oauth":{"refresh-token":"r1"}}`,
		"a: &a {refresh-token: r1}\noauth: *a\n", "oauth:\n  refresh-token: >-\n    r1\n  access-token: *b\n",
	} {
		f.Add([]byte(seed), true)
		f.Add([]byte(seed), false)
	}
	edits, err := tokenEdits("a2", "r2", newExpiry)
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, data []byte, isJSON bool) {
		path := "a.yaml"
		if isJSON {
			path = "a.json"
		}
		next, err := editMapping(isJSON, data, loginOf, edits)
		if err != nil {
			return
		}
		root, bad := parseCredential(path, next)
		require.Nil(t, bad)
		login := resolveAlias(root.Content[indexOf(root, "oauth")+1])
		for _, e := range edits {
			require.Equal(t, e.value.Value, login.Content[indexOf(login, e.key)+1].Value)
		}
	})
}
