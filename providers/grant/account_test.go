package grant_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/providers"
	"github.com/understudyhq/understudy/providers/grant"
)

// rsaKey is made once: it takes a while.
var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func pemOf(tb testing.TB, key any) string {
	tb.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(tb, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// serviceKey is a key as Google issues it, with changes; a nil value removes a field.
func serviceKey(tb testing.TB, changes map[string]any) []byte {
	tb.Helper()
	fields := map[string]any{
		"type": "service_account", "project_id": "my-project", "private_key_id": "key-1",
		"private_key": pemOf(tb, rsaKey()), "client_email": "robot@my-project.iam.gserviceaccount.com",
		"client_id": "1", "auth_uri": "https://accounts.google.com/o/oauth2/auth",
		"token_uri": "https://auth.example/token", "universe_domain": "googleapis.com",
	}
	for name, value := range changes {
		if fields[name] = value; value == nil {
			delete(fields, name)
		}
	}
	data, err := json.Marshal(fields)
	require.NoError(tb, err)
	return data
}

// google is an authorization server for service accounts.
type google struct {
	t      *testing.T
	issued int
	claims []map[string]any
	status int // 0 = as it should be
}

func (g *google) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if g.status != 0 {
		w.WriteHeader(g.status)
		_, _ = fmt.Fprint(w, `{"error":"invalid_grant","error_description":"Invalid JWT Signature."}`)
		return
	}
	_ = r.ParseForm()
	claims, err := verify(r.PostForm.Get("assertion"))
	if err != nil || r.PostForm.Get("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer" {
		g.t.Errorf("not an assertion: %v", err)
		return
	}
	g.issued++
	g.claims = append(g.claims, claims)
	_, _ = fmt.Fprintf(w, `{"access_token":"ya29.%d","expires_in":3599,"token_type":"Bearer"}`, g.issued)
}

func (g *google) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	g.ServeHTTP(w, r)
	return w.Result(), nil
}

// verify checks the signature of a JSON web token and returns its claims.
func verify(token string) (map[string]any, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, errors.New("not a token")
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err := rsa.VerifyPKCS1v15(&rsaKey().PublicKey, crypto.SHA256, sum[:], signature); err != nil {
		return nil, err
	}
	var claims map[string]any
	for _, part := range parts[:2] {
		data, err := base64.RawURLEncoding.DecodeString(part)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(data, &claims); err != nil {
			return nil, err
		}
	}
	return claims, nil
}

func TestServiceAccount_SignsForATokenThatItRenews(t *testing.T) {
	t.Parallel()
	key := serviceKey(t, nil)
	synctest.Test(t, func(t *testing.T) {
		server := &google{t: t}
		g, err := grant.NewServiceAccount(grant.ServiceAccountOptions{Key: string(key), Transport: server})
		require.NoError(t, err)
		require.Zero(t, g.Current())
		now := time.Now()
		require.Equal(t, "ya29.1", mustRenew(t, g))
		require.Equal(t, 3599*time.Second, g.Current().Lifetime)
		require.Equal(t, now.Add(3599*time.Second).UTC(), g.Current().ExpiresAt)
		require.Equal(t, "ya29.2", mustRenew(t, g))

		claims := server.claims[0]
		require.Equal(t, "robot@my-project.iam.gserviceaccount.com", claims["iss"])
		require.Equal(t, "https://auth.example/token", claims["aud"])
		require.Equal(t, "https://www.googleapis.com/auth/cloud-platform", claims["scope"])
		require.Equal(t, "RS256", claims["alg"])
		require.Equal(t, "key-1", claims["kid"])
		issued, expires := time.Unix(int64(claims["iat"].(float64)), 0), time.Unix(int64(claims["exp"].(float64)), 0)
		require.WithinDuration(t, now, issued, time.Minute)
		require.Equal(t, time.Hour, expires.Sub(issued), "Google refuses longer ones")

		g, err = grant.NewServiceAccount(grant.ServiceAccountOptions{Key: string(key), Transport: server, Scopes: []string{"a", "b"}})
		require.NoError(t, err)
		mustRenew(t, g)
		require.Equal(t, "a b", server.claims[2]["scope"])

		server.status = http.StatusBadRequest
		_, err = renew(t, g)
		require.ErrorIs(t, err, providers.ErrGrantEnded)
		require.EqualError(t, err, "the login has ended: the authorization server refused: status 400 invalid_grant")
	})
}

func TestServiceAccount_ReportsAServerInTrouble(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		server roundTrip
		want   string
	}{
		"broken":    {answer(500, "text/plain", "hunter2"), "the authorization server refused: status 500"},
		"garbage":   {answer(200, "text/plain", "hunter2"), "the authorization server's answer holds no access token"},
		"no token":  {answer(200, "application/json", `{"id_token":"hunter2"}`), "the authorization server's answer holds no access token"},
		"redirect":  {answer(302, "text/plain", ""), "the authorization server refused: status 302"},
		"too large": {answer(200, "application/json", strings.Repeat(" ", 1<<20)), "ask the authorization server: the authorization server's answer is too large"},
		"an error in a good answer": {
			answer(200, "application/json", `{"error":"invalid_scope"}`), "the authorization server refused: status 200 invalid_scope",
		},
		"hangs": {func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}, "ask the authorization server: timeout"},
	}
	key := serviceKey(t, nil)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				g, err := grant.NewServiceAccount(grant.ServiceAccountOptions{Key: string(key), Transport: tt.server})
				require.NoError(t, err)
				_, err = renew(t, g)
				require.EqualError(t, err, tt.want)
				require.NotErrorIs(t, err, providers.ErrGrantEnded)
			})
		})
	}
}

func TestNewServiceAccount_SaysWhatIsWrongWithAKey(t *testing.T) {
	t.Parallel()
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	const form = "service account: the key is not JSON of the form that Google issues"
	const private = "service account: the private_key is not an RSA key"
	tests := map[string]struct {
		key  []byte
		want string
	}{
		"empty":           {nil, form},
		"not JSON":        {[]byte("hunter2"), form},
		"two documents":   {[]byte(`{"type":"service_account"} {"hunter2":1}`), form},
		"wrong type":      {serviceKey(t, map[string]any{"client_email": 12345}), form},
		"other file":      {serviceKey(t, map[string]any{"type": "authorized_user"}), `service account: the key's type is not "service_account"`},
		"null":            {[]byte("null"), `service account: the key's type is not "service_account"`},
		"no email":        {serviceKey(t, map[string]any{"client_email": nil}), "service account: the key has no client_email"},
		"token URL":       {serviceKey(t, map[string]any{"token_uri": "file:///hunter2"}), "service account: the key's token_uri is not an http or https URL"},
		"no private key":  {serviceKey(t, map[string]any{"private_key": nil}), "service account: the private_key is not PEM"},
		"not PEM":         {serviceKey(t, map[string]any{"private_key": "hunter2"}), "service account: the private_key is not PEM"},
		"not a key":       {serviceKey(t, map[string]any{"private_key": "-----BEGIN PRIVATE KEY-----\naHVudGVyMg==\n-----END PRIVATE KEY-----\n"}), private},
		"elliptic curve":  {serviceKey(t, map[string]any{"private_key": pemOf(t, curve)}), private},
		"larger than any": {[]byte(strings.Repeat(" ", 1<<20)), "service account: the key is too large"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := grant.NewServiceAccount(grant.ServiceAccountOptions{Key: string(tt.key), Transport: &google{}})
			require.EqualError(t, err, tt.want)
			_, err = grant.ProjectOf(string(tt.key))
			require.EqualError(t, err, tt.want)
		})
	}
	_, err = grant.NewServiceAccount(grant.ServiceAccountOptions{Key: string(serviceKey(t, nil))})
	require.EqualError(t, err, "no transport")
}

func TestServiceAccount_TakesEveryFormOfKey(t *testing.T) {
	t.Parallel()
	pkcs1 := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(rsaKey())})
	for name, key := range map[string][]byte{
		"PKCS 1":       serviceKey(t, map[string]any{"private_key": string(pkcs1)}),
		"no token_uri": serviceKey(t, map[string]any{"token_uri": nil}),
	} {
		var host string
		server := &google{t: t}
		g, err := grant.NewServiceAccount(grant.ServiceAccountOptions{Key: string(key), Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			host = r.URL.Host
			return server.RoundTrip(r)
		})})
		require.NoError(t, err, name)
		require.Equal(t, "ya29.1", mustRenew(t, g), name)
		require.Contains(t, []string{"auth.example", "oauth2.googleapis.com"}, host)
	}
	project, err := grant.ProjectOf(string(serviceKey(t, nil)))
	require.NoError(t, err)
	require.Equal(t, "my-project", project)
}

// FuzzServiceAccountKey writes a good private key in the place of KEY, which keeps the
// inputs short.
func FuzzServiceAccountKey(f *testing.F) {
	private, err := json.Marshal(pemOf(f, rsaKey()))
	require.NoError(f, err)
	f.Add([]byte(`{"type":"service_account","client_email":"a@b","private_key":KEY,"token_uri":"https://h/t"}`))
	f.Add([]byte(`{"type":"service_account","client_email":"a@b","private_key":KEY,"private_key_id":"k","project_id":"p"}`))
	f.Add([]byte(`{"type":"service_account","client_email":"a@b","private_key":"-----BEGIN PRIVATE KEY-----\naHVudGVyMg==\n-----END PRIVATE KEY-----\n"}`))
	f.Add([]byte(`{"type":"service_account","client_email":"a@b","token_uri":"http://h"}`))
	f.Add([]byte("null"))
	f.Fuzz(func(t *testing.T, key []byte) {
		key = bytes.ReplaceAll(key, []byte("KEY"), private)
		g, err := grant.NewServiceAccount(grant.ServiceAccountOptions{Key: string(key), Transport: answer(200, "application/json", `{"access_token":"new"}`)})
		if err != nil {
			require.Nil(t, g)
			require.True(t, strings.HasPrefix(err.Error(), "service account: "), err)
			require.Less(t, len(err.Error()), 100, "quotes nothing")
			return
		}
		_, err = renew(t, g)
		require.NoError(t, err, "a key that is accepted signs")
	})
}

// A key that was checked where it was read is not checked again; should it be bad after all,
// nobody is asked and nothing is quoted.
func TestServiceAccount_BelievesThatAKeyWasChecked(t *testing.T) {
	t.Parallel()
	key := string(serviceKey(t, map[string]any{"private_key": "hunter2"}))
	server := &google{t: t}
	g, err := grant.NewServiceAccount(grant.ServiceAccountOptions{Key: key, KeyChecked: true, Transport: server})
	require.NoError(t, err)
	_, err = renew(t, g)
	require.ErrorContains(t, err, "ask the authorization server")
	require.NotContains(t, err.Error(), "hunter2")
}
