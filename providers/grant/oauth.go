package grant

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/understudyhq/understudy/providers"
)

// saveTime bounds one Save.
const saveTime = 30 * time.Second

// OAuthOptions describe a login: what RFC 6749 needs to refresh its access token.
type OAuthOptions struct {
	// TokenURL is the authorization server's token endpoint, http or https. Required.
	TokenURL string
	// ClientID and ClientSecret are those of the program that the login was made with. Most
	// have no secret.
	ClientID     string
	ClientSecret providers.Secret
	// RefreshToken is the login itself. Required. A server may replace it with each answer.
	RefreshToken providers.Secret
	// Scopes are asked for; empty = as at the login.
	Scopes []string
	// Token is the access token there is already; the zero Token if there is none.
	Token providers.Token
	// Transport reaches the authorization server. Required.
	Transport http.RoundTripper
	// Limits bounds how many renew at a time; nil = no bound.
	Limits *Limits
	// Save keeps a new access token, the refresh token that goes with it and the access
	// token's expiry (zero = it is not known) where they survive. A token is given out only
	// after Save has returned nil. Until then they are kept, and the next renewal begins
	// with another Save. ctx ends after 30 s. nil = they are not kept.
	Save func(ctx context.Context, access, refresh string, expiresAt time.Time) error
}

// NewOAuth returns a grant that refreshes the login of o. What is missing is an error.
func NewOAuth(o OAuthOptions) (*Grant, error) {
	switch {
	case !isEndpoint(o.TokenURL):
		return nil, errors.New("token-url: must be an absolute http or https URL")
	case o.RefreshToken.Empty():
		return nil, errors.New("refresh-token: is required")
	case o.Transport == nil:
		return nil, errors.New("no transport")
	}
	o.Scopes = slices.Clone(o.Scopes)
	l := &login{OAuthOptions: o, style: oauth2.AuthStyleInParams}
	return &Grant{renew: l.renew, limits: o.Limits, tokenURL: o.TokenURL, current: o.Token}, nil
}

func isEndpoint(address string) bool {
	u, err := url.Parse(address)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Hostname() != "" && u.User == nil
}

// login is an OAuth login with the state it is in. The grant calls it from one goroutine
// at a time.
type login struct {
	OAuthOptions // RefreshToken is the newest

	style   oauth2.AuthStyle // how the client authenticates
	settled bool             // whether the server has accepted style
	unsaved providers.Token  // got, but not kept yet; zero = none
}

func (l *login) renew() (providers.Token, error) {
	if !l.unsaved.Secret.Empty() {
		token, err := l.save()
		if err != nil || token.Usable(time.Now()) {
			return token, err
		}
	}
	if err := l.refresh(); err != nil {
		return providers.Token{}, err
	}
	return l.save()
}

// refresh asks for a new token. RFC 6749 has two ways for a client to authenticate, and
// servers that know only one. Only when the first way was not accepted, and so the refresh
// token not looked at, the other is tried: to send a refresh token twice can end a login.
func (l *login) refresh() error {
	err := l.ask(l.style)
	var r refusal
	if l.settled || l.ClientSecret.Empty() || !errors.As(err, &r) || !r.ofClient() {
		return err
	}
	return l.ask(oauth2.AuthStyleInHeader)
}

func (l *login) ask(style oauth2.AuthStyle) error {
	e := &exchange{transport: l.Transport}
	// oauth2.Config would refresh as well, but without scopes and with a style for each host
	// found by trying both.
	config := clientcredentials.Config{
		ClientID: l.ClientID, ClientSecret: l.ClientSecret.Reveal(), TokenURL: l.TokenURL, Scopes: l.Scopes, AuthStyle: style,
		EndpointParams: url.Values{"grant_type": {"refresh_token"}, "refresh_token": {l.RefreshToken.Reveal()}},
	}
	asked := time.Now()
	answer, err := config.Token(e.context())
	token, err := e.token(answer, err, asked)
	if err != nil {
		return err
	}
	l.style, l.settled, l.unsaved = style, true, token
	if rotated := answer.RefreshToken; rotated != "" {
		l.RefreshToken = providers.NewSecret(rotated)
	}
	return nil
}

// save keeps the token that is not kept yet and returns it.
func (l *login) save() (providers.Token, error) {
	token := l.unsaved
	if l.Save != nil {
		ctx, cancel := context.WithTimeout(context.Background(), saveTime)
		defer cancel()
		if err := l.Save(ctx, token.Secret.Reveal(), l.RefreshToken.Reveal(), token.ExpiresAt); err != nil {
			return providers.Token{}, fmt.Errorf("save the new token: %w", err)
		}
	}
	l.unsaved = providers.Token{}
	return token, nil
}
