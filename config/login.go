package config

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"reflect"
	"time"

	"go.yaml.in/yaml/v4"
)

// OAuth is a login whose access token is refreshed.
type OAuth struct {
	// TokenURL is the authorization server's token endpoint, http or https. Required with
	// RefreshToken.
	TokenURL string `yaml:"token-url"`
	// ClientID is the program that the login was made with; it may have a ClientSecret.
	ClientID     string `yaml:"client-id"`
	ClientSecret string `yaml:"client-secret" config:"secret"`
	// RefreshToken is the login itself. Without it AccessToken is used as long as it lasts.
	RefreshToken string `yaml:"refresh-token" config:"secret"`
	// AccessToken is the newest access token there is; empty = none. Required without
	// RefreshToken.
	AccessToken string `yaml:"access-token" config:"secret"`
	// ExpiresAt is when AccessToken is no longer accepted, in UTC; zero = it is not known.
	ExpiresAt time.Time `yaml:"expires-at"`
	// Scopes are asked for; empty = as at the login.
	Scopes []string `yaml:"scopes"`
}

// SameLogin reports whether o and other differ at most in the access token that a refresh
// token has brought, and in when it ends. Either may be nil.
func (o *OAuth) SameLogin(other *OAuth) bool {
	return reflect.DeepEqual(o.withoutToken(), other.withoutToken())
}

// withoutToken returns o without what a refresh token can bring anew.
func (o *OAuth) withoutToken() *OAuth {
	if o == nil || o.RefreshToken == "" {
		return o
	}
	login := *o
	login.AccessToken, login.ExpiresAt = "", time.Time{}
	return &login
}

// ServiceAccount is the key of a Google service account. In YAML it is the JSON that Google
// issues as a mapping or as text, or the one key file.
type ServiceAccount struct {
	// File is where Key was read from, absolute or relative to the folder of the
	// credential's file; empty = it was inline.
	File string
	// Key is the JSON that Google issues.
	Key string
}

const (
	maxKeyBytes = 8 << 10 // of a service account's JSON; a grant takes no longer one
	minKeyBits  = 1024    // shorter ones do not sign
)

// secret checks that c has one of the ways to authorize.
func (v *validator) secret(path string, c *Credential) {
	if c.OAuth == nil && c.ServiceAccount == nil {
		v.check(join(path, "api-key"), checkSecret(c.APIKey))
		return
	}
	if c.APIKey != "" || c.OAuth != nil && c.ServiceAccount != nil {
		v.failf(path, "only one of api-key, oauth and service-account may be given")
	}
	if c.OAuth != nil {
		v.oauth(join(path, "oauth"), c.OAuth)
	}
	if c.ServiceAccount != nil {
		_, err := readServiceAccount(c.ServiceAccount.Key)
		v.check(join(path, "service-account"), err)
	}
}

func (v *validator) oauth(path string, o *OAuth) {
	if o.RefreshToken == "" && o.AccessToken == "" {
		v.failf(path, "needs refresh-token or access-token")
	}
	if o.TokenURL != "" {
		v.check(join(path, "token-url"), checkTokenURL(o.TokenURL))
	} else if o.RefreshToken != "" {
		v.failf(join(path, "token-url"), "is required with refresh-token")
	}
	if o.ClientSecret != "" && o.ClientID == "" {
		v.failf(join(path, "client-id"), "is required with client-secret")
	}
	for _, token := range []struct{ key, value string }{
		{"client-id", o.ClientID},
		{"client-secret", o.ClientSecret},
		{"refresh-token", o.RefreshToken},
		{"access-token", o.AccessToken},
	} {
		if token.value != "" {
			v.check(join(path, token.key), checkSecret(token.value))
		}
	}
	for i, scope := range o.Scopes {
		v.check(at(join(path, "scopes"), i), checkSecret(scope))
	}
}

// googleKey is what counts of the JSON that Google issues for a service account.
type googleKey struct {
	Type       string `json:"type"`
	Email      string `json:"client_email"`
	PrivateKey string `json:"private_key"`
	TokenURL   string `json:"token_uri"`
	Project    string `json:"project_id"`
}

// readServiceAccount reads a key without looking into its private key. Its errors quote
// nothing.
func readServiceAccount(key string) (googleKey, error) {
	var k googleKey
	switch {
	case len(key) > maxKeyBytes:
		return k, errors.New("is too large for a service account's key")
	case json.Unmarshal([]byte(key), &k) != nil: // its error may quote a value
		return k, errors.New("is not the JSON that Google issues for a service account")
	case k.Type != "service_account":
		return k, errors.New(`is not a service account's key: its type must be "service_account"`)
	case k.Email == "":
		return k, errors.New("client_email is missing")
	case k.PrivateKey == "":
		return k, errors.New("private_key is missing")
	case k.TokenURL != "" && checkTokenURL(k.TokenURL) != nil:
		return k, errors.New("token_uri must be an absolute http or https URL")
	}
	return k, nil
}

// checkPrivateKey reports why k cannot sign. It takes a tenth of a millisecond, which is
// why Validate does without.
func (k googleKey) checkPrivateKey() error {
	block, _ := pem.Decode([]byte(k.PrivateKey))
	if block == nil {
		return errors.New(`private_key is not in PEM form; its line breaks must be written as \n`)
	}
	var private any
	var err error
	if private, err = x509.ParsePKCS8PrivateKey(block.Bytes); err != nil {
		private, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	}
	signs, ok := private.(*rsa.PrivateKey)
	if err != nil || !ok || signs.N.BitLen() < minKeyBits {
		return errors.New("private_key is not a usable RSA key")
	}
	return nil
}

// decodeServiceAccount sets account from a file name, from Google's JSON as text, or from
// its members, which are not ours: unknown ones are kept.
func (d *decoder) decodeServiceAccount(n *yaml.Node, account *ServiceAccount, path string) {
	text := func(n *yaml.Node, path string) (s string) {
		n = resolveAlias(n)
		if n.Kind != yaml.ScalarNode || n.Style&yaml.TaggedStyle != 0 {
			d.failf(n.Line, path, "must be a string, not %s", describe(n))
			return ""
		}
		s, err := expand(n.Value, d.getenv)
		if err != nil {
			d.failf(n.Line, path, "%v", err)
		}
		return s
	}
	if n.Kind == yaml.ScalarNode {
		account.Key = text(n, path)
		d.secrets = d.secrets || isWrittenOut(n)
		return
	}
	members := map[string]string{}
	d.eachKey(n, path, func(key, value *yaml.Node) {
		child := join(path, printable(key.Value))
		d.lines[child] = key.Line
		members[key.Value] = text(value, child)
		if key.Value == "private_key" {
			d.secrets = d.secrets || isWrittenOut(value)
		}
	})
	if file, ok := members["file"]; ok {
		account.File = file
		if len(members) > 1 || file == "" {
			d.failf(n.Line, path, "is either the name of a file in file, or a key; not both")
		}
		return
	}
	key, _ := json.Marshal(members) //nolint:errchkjson // strings cannot fail
	account.Key = string(key)
}
