package grant

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/tidwall/gjson"
	"golang.org/x/oauth2"

	"github.com/understudyhq/understudy/providers"
)

const (
	// exchangeTime bounds one request to an authorization server, answer included.
	exchangeTime = 30 * time.Second
	// maxAnswerBytes bounds its answer; a token with all its claims has a few KiB.
	maxAnswerBytes = 256 << 10
)

var (
	errAnswerTooLarge = errors.New("the authorization server's answer is too large")
	errNoToken        = errors.New("the authorization server's answer holds no access token")
)

// exchange is one request to an authorization server, and the transport it goes through.
// What went wrong is read here and not from the library's errors, which quote addresses
// and whole answers.
type exchange struct {
	transport http.RoundTripper
	err       error // why there is no answer
	status    int
	body      []byte
}

// client returns the client for the exchange. It follows no redirect: the request holds
// secrets that are for one server only.
func (e *exchange) client() *http.Client {
	return &http.Client{
		Transport:     e,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// context returns the context through which the library takes the client.
func (e *exchange) context() context.Context {
	return context.WithValue(context.Background(), oauth2.HTTPClient, e.client())
}

// RoundTrip implements http.RoundTripper. It reads the whole answer.
func (e *exchange) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(r.Context(), exchangeTime)
	defer cancel()
	resp, err := e.transport.RoundTrip(r.WithContext(ctx))
	if err != nil {
		e.err = err
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswerBytes+1))
	if err == nil && len(body) > maxAnswerBytes {
		err = errAnswerTooLarge
	}
	if err != nil {
		e.err = err
		return nil, err
	}
	e.status, e.body = resp.StatusCode, body
	if trimmed := bytes.TrimSpace(body); len(trimmed) > 0 && trimmed[0] == '{' {
		if resp.Header == nil {
			resp.Header = http.Header{}
		}
		resp.Header.Set("Content-Type", "application/json") // some servers call theirs text/plain
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// token is what the exchange brought, if the library made t of it, or why it brought none.
// asked is when it began.
func (e *exchange) token(t *oauth2.Token, err error, asked time.Time) (providers.Token, error) {
	switch {
	case e.err != nil:
		return providers.Token{}, fmt.Errorf("ask the authorization server: %s", plainly(e.err))
	case e.status == 0:
		return providers.Token{}, fmt.Errorf("ask the authorization server: %s", plainly(err))
	case e.refused():
		return providers.Token{}, e.refusal()
	case err != nil || !printable(t.AccessToken):
		return providers.Token{}, errNoToken
	}
	token := providers.Token{Secret: providers.NewSecret(t.AccessToken)}
	// The library counts from when the answer came, the server from before that. A lifetime
	// that is not positive says nothing.
	if lifetime := time.Until(t.Expiry).Round(time.Second); !t.Expiry.IsZero() && lifetime > 0 {
		token.Lifetime, token.ExpiresAt = lifetime, asked.Add(lifetime).UTC()
	}
	return token, nil
}

// refused reports whether the answer is an error; some servers send one with status 200.
func (e *exchange) refused() bool {
	return e.status < 200 || e.status > 299 || e.code() != ""
}

// refusal says how the server refused, and whether that ends the login.
func (e *exchange) refusal() error {
	r := refusal{status: e.status, code: e.code()}
	if ends(r.code) {
		return fmt.Errorf("%w: %w", providers.ErrGrantEnded, r)
	}
	return r
}

// code is the error code of the answer, "" if there is none that is known. Others are not
// repeated, because they may be anything.
func (e *exchange) code() string {
	var code string
	if gjson.ValidBytes(e.body) {
		member := gjson.GetBytes(e.body, "error")
		if member.IsObject() {
			member = member.Get("code") // OpenAI's form
		}
		code = member.Str
	} else if form, err := url.ParseQuery(string(e.body)); err == nil {
		code = form.Get("error")
	}
	if ends(code) || isKnown(code) {
		return code
	}
	return ""
}

const codeInvalidClient = "invalid_client"

// isKnown reports whether code is one of RFC 6749, or one that vendors are known to
// answer, that does not end a login.
func isKnown(code string) bool {
	switch code {
	case "invalid_request", codeInvalidClient, "unauthorized_client", "unsupported_grant_type", "invalid_scope",
		"access_denied", "deleted_client", "server_error", "slow_down", "temporarily_unavailable":
		return true
	default:
		return false
	}
}

// ends reports whether an error code says that there will be no other token. By RFC 6749,
// section 5.2, only invalid_grant speaks of the login: it "is invalid, expired, revoked".
// invalid_client and unauthorized_client speak of the program that asks: its secret is
// wrong, or it was not allowed this. That is mended at the server or in the configuration
// and the same login goes on, so they are errors like others, to be tried again. The rest
// is OpenAI's for invalid_grant.
func ends(code string) bool {
	switch code {
	case "invalid_grant", "refresh_token_expired", "refresh_token_reused", "refresh_token_invalidated":
		return true
	default:
		return false
	}
}

// refusal is an answer that is an error.
type refusal struct {
	status int
	code   string // "" if it is not a known one
}

func (r refusal) Error() string {
	return strings.TrimSuffix(fmt.Sprintf("the authorization server refused: status %d %s", r.status, r.code), " ")
}

// ofClient reports whether the server did not accept how the client authenticates.
func (r refusal) ofClient() bool {
	return r.code == codeInvalidClient || r.status == http.StatusUnauthorized && r.code == ""
}

// plainly says what went wrong on the way, without what a server may have sent.
func plainly(err error) string {
	var (
		timeout interface{ Timeout() bool }
		op      *net.OpError
		cert    *tls.CertificateVerificationError
	)
	switch {
	case errors.Is(err, errAnswerTooLarge):
		return errAnswerTooLarge.Error()
	case errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	case errors.As(err, &op):
		return op.Error()
	case errors.As(err, &cert):
		return cert.Error()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "connection closed early"
	default:
		return "broken answer"
	}
}

// printable reports whether s can be a token: RFC 6749 wants visible characters, and a
// header takes no others.
func printable(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}
