package grant

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"slices"
	"time"

	"golang.org/x/oauth2/jwt"

	"github.com/understudyhq/understudy/providers"
)

const (
	// cloudScope is what a service account asks for if nothing else is given. It opens
	// Vertex and the Gemini API.
	cloudScope = "https://www.googleapis.com/auth/cloud-platform"
	// googleTokenURL is for keys that name no token endpoint.
	googleTokenURL = "https://oauth2.googleapis.com/token"

	maxKeyBytes = 8 << 10 // Google's have 2.4 KB, and to check longer ones takes longer
	minKeyBits  = 1024    // shorter ones do not sign
)

// ServiceAccountOptions describe a Google service account.
type ServiceAccountOptions struct {
	// Key is the JSON that Google issues for it. Required.
	Key string
	// KeyChecked says that somebody has made sure that the private key in Key signs, which
	// takes longer than all the rest.
	KeyChecked bool
	// Scopes are asked for; empty = the whole of Google Cloud that the account may use.
	Scopes []string
	// Transport reaches the authorization server. Required.
	Transport http.RoundTripper
	// Limits bounds how many renew at a time; nil = no bound.
	Limits *Limits
}

// NewServiceAccount returns a grant for a service account, which has no token at first. A
// Key that is not a service account's is an error; it says what is wrong and quotes nothing.
func NewServiceAccount(o ServiceAccountOptions) (*Grant, error) {
	key, err := parseKey(o.Key)
	if err == nil && !o.KeyChecked {
		err = checkPrivateKey(key.PrivateKey.Reveal())
	}
	if err != nil {
		return nil, err
	}
	if o.Transport == nil {
		return nil, errors.New("no transport")
	}
	a := &account{key: providers.NewSecret(o.Key), scopes: slices.Clone(o.Scopes), transport: o.Transport}
	if len(a.scopes) == 0 {
		a.scopes = []string{cloudScope}
	}
	return &Grant{renew: a.renew, limits: o.Limits, tokenURL: key.TokenURL}, nil
}

// ProjectOf returns the project that a service account's key belongs to; empty if it does
// not say.
func ProjectOf(key string) (string, error) {
	k, err := parseKey(key)
	if err == nil {
		err = checkPrivateKey(k.PrivateKey.Reveal())
	}
	return k.Project, err
}

// account is a service account.
type account struct {
	key       providers.Secret // as it was given: there may be thousands
	scopes    []string
	transport http.RoundTripper
}

func (a *account) renew() (providers.Token, error) {
	key, err := parseKey(a.key.Reveal())
	if err != nil {
		return providers.Token{}, err
	}
	e := &exchange{transport: a.transport}
	config := jwt.Config{
		Email: key.Email, PrivateKey: []byte(key.PrivateKey.Reveal()), PrivateKeyID: key.PrivateKeyID,
		Scopes: a.scopes, TokenURL: key.TokenURL,
	}
	asked := time.Now()
	answer, err := config.TokenSource(e.context()).Token()
	return e.token(answer, err, asked)
}

// serviceKey is what is needed of a service account's key.
type serviceKey struct {
	Email        string
	PrivateKey   providers.Secret
	PrivateKeyID string
	TokenURL     string
	Project      string
}

// parseKey reads a key without looking into its private key.
func parseKey(data string) (serviceKey, error) {
	if len(data) > maxKeyBytes {
		return serviceKey{}, errors.New("service account: the key is too large")
	}
	var file struct {
		Type         string `json:"type"`
		Email        string `json:"client_email"`
		PrivateKey   string `json:"private_key"`
		PrivateKeyID string `json:"private_key_id"`
		TokenURL     string `json:"token_uri"`
		Project      string `json:"project_id"`
	}
	if json.Unmarshal([]byte(data), &file) != nil { // its error may quote a value
		return serviceKey{}, errors.New("service account: the key is not JSON of the form that Google issues")
	}
	if file.TokenURL == "" {
		file.TokenURL = googleTokenURL
	}
	switch {
	case file.Type != "service_account":
		return serviceKey{}, errors.New(`service account: the key's type is not "service_account"`)
	case file.Email == "":
		return serviceKey{}, errors.New("service account: the key has no client_email")
	case !isEndpoint(file.TokenURL):
		return serviceKey{}, errors.New("service account: the key's token_uri is not an http or https URL")
	}
	return serviceKey{
		Email: file.Email, PrivateKey: providers.NewSecret(file.PrivateKey), PrivateKeyID: file.PrivateKeyID,
		TokenURL: file.TokenURL, Project: file.Project,
	}, nil
}

// checkPrivateKey makes sure that text holds a key that signs.
func checkPrivateKey(text string) error {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return errors.New("service account: the private_key is not PEM")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		parsed, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if err != nil || !ok || key.N.BitLen() < minKeyBits { // parsing validates
		return errors.New("service account: the private_key is not an RSA key")
	}
	return nil
}
