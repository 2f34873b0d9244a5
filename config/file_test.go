package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io/fs"
	"maps"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// privateKey returns a key in PEM form: RSA, or one that cannot sign for Google.
func privateKey(t testing.TB, isRSA bool) string {
	t.Helper()
	var key any
	var err error
	if isRSA {
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	} else {
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	require.NoError(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// accountKey is the JSON that Google issues, with changes; an empty value takes a key away.
func accountKey(t testing.TB, pemKey string, changes map[string]string) string {
	t.Helper()
	members := map[string]string{
		"type": "service_account", "project_id": "home", "private_key_id": "1", "private_key": pemKey,
		"client_email": "robot@home.iam.gserviceaccount.example", "token_uri": "https://oauth2.example/token", "future_member": "x",
	}
	maps.Copy(members, changes)
	maps.DeleteFunc(members, func(_, value string) bool { return value == "" })
	data, err := json.Marshal(members)
	require.NoError(t, err)
	return string(data)
}

// testParser knows a provider of each of two kinds, and a key file.
func testParser(keyFile string) *fileParser {
	return &fileParser{
		getenv: environment,
		kinds:  map[string]string{"openai": KindOpenAI, "sim": KindSimulator},
		readKey: func(path string) ([]byte, error) {
			if path == filepath.Join("creds", "keys", "robot.json") {
				return []byte(keyFile), nil
			}
			return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
		},
	}
}

func TestCredentialFile_ReadsEachKindOfSecret(t *testing.T) {
	t.Parallel()
	key := accountKey(t, privateKey(t, true), nil)
	quoted, err := json.Marshal(key)
	require.NoError(t, err)
	weight := 0
	login := &OAuth{
		TokenURL: "https://auth.example/token?a=b", ClientID: "app", ClientSecret: "hunter2", RefreshToken: "r-1",
		AccessToken: "a-1", ExpiresAt: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC), Scopes: []string{"s1", "s2"},
	}
	account := func(file string) *ServiceAccount { return &ServiceAccount{File: file, Key: key} }
	tests := map[string]struct {
		name, text string
		want       Credential
		isWritten  bool // the file holds a secret of its own
	}{
		"key": {"a.yaml", "provider: openai\napi-key: k\nweight: 0", Credential{ID: "a", APIKey: "k", Weight: &weight}, true},
		"key of the environment": {
			"a.yml", "provider: openai\nid: b\napi-key: ${WORD}\nheaders: {X: '${WORD}'}",
			Credential{ID: "b", APIKey: "hunter2", Headers: map[string]string{"X": "hunter2"}},
			false,
		},
		"secret header":   {"a.yml", "{provider: openai, api-key: '${WORD}', headers: {X: y}}", Credential{ID: "a", APIKey: "hunter2", Headers: map[string]string{"X": "y"}}, true},
		"key as JSON":     {"team.a.json", "{\n\t\"provider\": \"openai\",\n\t\"api-key\": \"k\", \"account\": \"\\ud83d\\ude00\\\\ud83d\"\n}", Credential{ID: "team.a", APIKey: "k", Account: "😀\\ud83d"}, true},
		"simulator":       {"s1.yaml", "provider: sim", Credential{ID: "s1"}, false},
		"null is nothing": {"s1.json", `{"provider": "sim", "oauth": null, "service-account": null, "api-key": null}`, Credential{ID: "s1"}, false},
		"OAuth": {"a.yaml", `
provider: openai
oauth:
  token-url: https://auth.example/token?a=b
  client-id: app
  client-secret: ${WORD}
  refresh-token: r-1
  access-token: a-1
  expires-at: 2030-01-02T05:04:05+02:00
  scopes: [s1, s2]
`, Credential{ID: "a", OAuth: login}, true},
		"OAuth as JSON": {
			"a.json", `{"provider": "openai", "oauth": {"token-url": "https://auth.example/token", "refresh-token": "${WORD}", "expires-at": ""}}`,
			Credential{ID: "a", OAuth: &OAuth{TokenURL: "https://auth.example/token", RefreshToken: "hunter2"}},
			false,
		},
		"access token alone": {"a.yaml", "provider: openai\noauth: {access-token: a-1}", Credential{ID: "a", OAuth: &OAuth{AccessToken: "a-1"}}, true},
		"account inline":     {"a.json", `{"provider": "openai", "service-account": ` + key + `}`, Credential{ID: "a", ServiceAccount: account("")}, true},
		"account as text":    {"a.yaml", "provider: openai\nservice-account: " + string(quoted), Credential{ID: "a", ServiceAccount: account("")}, true},
		"account in a file":  {"a.yaml", "provider: openai\nservice-account: {file: keys/robot.json}", Credential{ID: "a", ServiceAccount: account("keys/robot.json")}, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join("creds", tt.name)
			f := testParser(key).parse(path, []byte(tt.text))
			require.Empty(t, f.bad)
			tt.want.Source = path
			require.Equal(t, []Credential{tt.want}, f.credentials)
			require.Equal(t, tt.isWritten, f.secrets)
		})
	}
}

func TestCredentialFile_ExpandsToOneCredentialPerProject(t *testing.T) {
	t.Parallel()
	f := testParser("").parse("creds/acme.yaml", []byte("provider: openai\nprojects: [p1, 'example.com:p2']\npriority: 3\noauth: {access-token: a}\n"))
	require.Empty(t, f.bad)
	login := &OAuth{AccessToken: "a"}
	require.Equal(t, []Credential{
		{ID: "acme::p1", Project: "p1", Account: "acme", Priority: 3, OAuth: login, Source: "creds/acme.yaml"},
		{ID: "acme::example.com:p2", Project: "example.com:p2", Account: "acme", Priority: 3, OAuth: login, Source: "creds/acme.yaml"},
	}, f.credentials)

	f = testParser("").parse("creds/acme.yaml", []byte("{provider: openai, id: x, account: big, projects: [p1], api-key: k}"))
	require.Empty(t, f.bad)
	require.Equal(t, []Credential{{ID: "x::p1", Project: "p1", Account: "big", APIKey: "k", Source: "creds/acme.yaml"}}, f.credentials)
}

func TestCredentialFile_SaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	rsaKey := privateKey(t, true)
	account := func(changes map[string]string) string {
		return `{"provider": "openai",` + "\n" + `"service-account": ` + accountKey(t, rsaKey, changes) + "}"
	}
	tests := map[string]struct {
		name, text string
		want       []string // without the file's name
	}{
		"empty":                 {"a.yaml", "# nothing\n", []string{":1: holds nothing"}},
		"empty JSON":            {"a.json", "", []string{":1: is not JSON: unexpected end of JSON input"}},
		"YAML in JSON":          {"a.json", "provider: openai\n", []string{":1: is not JSON: invalid character 'p' looking for beginning of value"}},
		"cut JSON (HR13)":       {"a.json", "{\"provider\": \"openai\",\n\"api-key\": \"hunter2", []string{":2: is not JSON: unexpected end of JSON input"}},
		"half a surrogate":      {"a.json", `{"provider": "\ud83d"}`, []string{":1: while scanning a quoted scalar (from line 1): found invalid Unicode character escape code"}},
		"two documents":         {"a.yaml", "provider: openai\n---\napi-key: k", []string{":2: a second YAML document begins here; only one is allowed"}},
		"not a mapping":         {"a.yaml", "[a]", []string{":1: must be a mapping of keys to values, not a list"}},
		"unknown keys":          {"a.yaml", "provider: openai\napi_key: hunter2\noauth:\n  refresh: hunter2\n", []string{":2: api_key: unknown key (did you mean \"api-key\"?)", ":4: oauth.refresh: unknown key", ":3: oauth: needs refresh-token or access-token"}},
		"twice":                 {"a.json", "{\"provider\": \"openai\",\n\"api-key\": \"hunter2\",\n\"api-key\": \"hunter2\"}", []string{":3: api-key: is given twice; first in line 2"}},
		"no provider":           {"a.yaml", "api-key: k", []string{":1: provider: is required: the name of a provider"}},
		"no such provider":      {"a.yaml", "api-key: k\nprovider: opnai", []string{":2: provider: there is no provider \"opnai\" (did you mean \"openai\"?)"}},
		"no secret":             {"a.yaml", "provider: openai", []string{":1: api-key: is required and must not be empty"}},
		"unset variable":        {"a.yaml", "provider: openai\napi-key: ${UNSET}", []string{":2: api-key: environment variable UNSET is not set and ${UNSET} has no default"}},
		"two secrets":           {"a.yaml", "provider: openai\napi-key: hunter2\noauth: {access-token: hunter2}", []string{":1: only one of api-key, oauth and service-account may be given"}},
		"bad values":            {"a.yaml", "provider: openai\napi-key: k\nweight: -1\nproxy-url: ftp://hunter2", []string{":3: weight: must be between 0 and 1000000", ":4: proxy-url: must be an http, https or socks5 URL, or \"direct\""}},
		"faults":                {"a.yaml", "provider: openai\napi-key: k\nfaults: [{status: 500}]", []string{":3: faults: is only for providers of kind simulator"}},
		"id of the file's name": {"my key.yaml", "provider: openai\napi-key: k", []string{`:1: id: "my key" may hold only letters, digits and the characters .-_:@+`}},
		"projects":              {"a.yaml", "provider: openai\napi-key: k\nprojects: [p, '', p]", []string{":3: projects[1]: is required", ":3: projects[2]: \"p\" is the same as projects[0]"}},
		"too many projects":     {"a.yaml", "{provider: openai, api-key: k, projects: [p" + strings.Join(strings.Fields(strings.Repeat("p p ", 600)), ",p") + "]}", nil},
		"no token URL":          {"a.yaml", "provider: openai\noauth:\n  refresh-token: hunter2\n  client-secret: hunter2\n", []string{":2: oauth.token-url: is required with refresh-token", ":2: oauth.client-id: is required with client-secret"}},
		"bad login":             {"a.yaml", "provider: openai\noauth:\n  token-url: https://hunter2:hunter2@h/\n  refresh-token: hunter2 x\n  expires-at: hunter2\n  scopes: [a b]", []string{":3: oauth.token-url: must not hold a user or password", ":4: oauth.refresh-token: must not hold spaces, line breaks or control characters", ":5: oauth.expires-at: must be an instant such as 2030-12-31T23:59:59Z", ":6: oauth.scopes[0]: must not hold spaces, line breaks or control characters"}},
		"account not JSON":      {"a.yaml", "provider: openai\nservice-account: hunter2", []string{":2: service-account: is not the JSON that Google issues for a service account"}},
		"account too long":      {"a.yaml", "provider: openai\nservice-account: " + strings.Repeat("x", 9<<10), []string{":2: service-account: is too large for a service account's key"}},
		"account of a user":     {"a.json", account(map[string]string{"type": "authorized_user"}), []string{":2: service-account: is not a service account's key: its type must be \"service_account\""}},
		"account, no address":   {"a.json", account(map[string]string{"client_email": ""}), []string{":2: service-account: client_email is missing"}},
		"account, no key":       {"a.json", account(map[string]string{"private_key": ""}), []string{":2: service-account: private_key is missing"}},
		"account, no PEM":       {"a.json", account(map[string]string{"private_key": "hunter2"}), []string{":2: service-account: private_key is not in PEM form; its line breaks must be written as \\n"}},
		"account, cut key":      {"a.json", account(map[string]string{"private_key": strings.Replace(rsaKey, "MII", "MIJ", 1)}), []string{":2: service-account: private_key is not a usable RSA key"}},
		"account, other key":    {"a.json", account(map[string]string{"private_key": privateKey(t, false)}), []string{":2: service-account: private_key is not a usable RSA key"}},
		"account, bad URL":      {"a.json", account(map[string]string{"token_uri": "hunter2"}), []string{":2: service-account: token_uri must be an absolute http or https URL"}},
		"account, nested":       {"a.yaml", "provider: openai\nservice-account:\n  type: [x]\n", []string{":3: service-account.type: must be a string, not a list", ":2: service-account: is not a service account's key: its type must be \"service_account\""}},
		"account, file and key": {"a.yaml", "provider: openai\nservice-account: {file: keys/robot.json, type: x}\n", []string{":2: service-account: is either the name of a file in file, or a key; not both"}},
		"account, no file":      {"a.yaml", "provider: openai\nservice-account:\n  file: nowhere.json\n", []string{":3: service-account: file: file does not exist"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := testParser("").parse(filepath.Join("creds", tt.name), []byte(tt.text))
			require.Empty(t, f.credentials)
			require.NotEmpty(t, f.bad)
			require.NotContains(t, f.bad.Error(), "hunter2")
			if tt.want == nil {
				return
			}
			var got []string
			for _, e := range f.bad {
				got = append(got, strings.TrimPrefix(e.Error(), filepath.Join("creds", tt.name)))
			}
			require.ElementsMatch(t, tt.want, got)
		})
	}
}

func TestConfig_TakesLoginsOnlyInFiles(t *testing.T) {
	t.Parallel()
	_, err := Parse("c.yaml", []byte("providers:\n- name: a\n  kind: openai\n  credentials:\n  - {api-key: k}\n  - oauth: {access-token: k}\n  - {service-account: {file: x}, api-key: k, projects: [p]}\n"), nil)
	require.EqualError(t, err, strings.Join([]string{
		"c.yaml:6: providers[0].credentials[1].oauth: may be given only in a file of credentials-dir",
		"c.yaml:6: providers[0].credentials[1].api-key: is required and must not be empty",
		"c.yaml:7: providers[0].credentials[2].service-account: may be given only in a file of credentials-dir",
		"c.yaml:7: providers[0].credentials[2].projects: unknown key",
	}, "\n"))
}

func TestOAuth_SameLoginIgnoresWhatRefreshingBrings(t *testing.T) {
	t.Parallel()
	login := OAuth{TokenURL: "https://h/", RefreshToken: "r", AccessToken: "a", ExpiresAt: time.Unix(1, 0), Scopes: []string{"s"}}
	changed := func(change func(*OAuth)) *OAuth {
		o := login
		change(&o)
		return &o
	}
	alone := &OAuth{AccessToken: "a"}
	require.True(t, login.SameLogin(changed(func(o *OAuth) { o.AccessToken, o.ExpiresAt = "b", time.Unix(2, 0) }))) // HR7
	require.False(t, login.SameLogin(changed(func(o *OAuth) { o.RefreshToken = "other" })))
	require.False(t, login.SameLogin(changed(func(o *OAuth) { o.Scopes = nil })))
	require.False(t, login.SameLogin(nil))
	require.True(t, (*OAuth)(nil).SameLogin(nil))
	require.True(t, alone.SameLogin(&OAuth{AccessToken: "a"}))
	require.False(t, alone.SameLogin(&OAuth{AccessToken: "b"}), "nothing else brings a new one")
}

func FuzzCredentialFile(f *testing.F) {
	for _, seed := range []string{
		"provider: openai\napi-key: k\n", "provider: sim\nprojects: [a, b]\n", `{"provider": "openai", "oauth": {"token-url": "https://h/", "refresh-token": "r", "expires-at": "2030-01-02T05:04:05Z"}}`,
		"provider: openai\nservice-account: {type: service_account, client_email: a, private_key: b}", `{"provider":"sim","account":"\ud83d\ude00"}`, "provider: openai\nservice-account: {file: keys/robot.json}",
	} {
		f.Add([]byte(seed), true)
		f.Add([]byte(seed), false)
	}
	f.Fuzz(func(t *testing.T, data []byte, isJSON bool) {
		name := "creds/a.yaml"
		if isJSON {
			name = "creds/a.json"
		}
		file := testParser("{}").parse(name, data)
		require.NotEqual(t, len(file.bad) == 0, len(file.credentials) == 0)
		for _, e := range file.bad {
			require.Positive(t, e.Line, e.Error())
			require.Equal(t, name, e.File)
		}
		for _, c := range file.credentials {
			v := validator{}
			if file.kind == KindSimulator && c.OAuth == nil && c.ServiceAccount == nil {
				fill(&c.APIKey, c.ID)
			}
			v.credential("", file.kind, &c)
			v.check("id", checkID(c.ID))
			require.NoError(t, errors.Join(v.errs.Unwrap()...))
		}
	})
}
