package grant_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/providers"
	"github.com/understudyhq/understudy/providers/grant"
)

func TestExchange_ReadsAnswers(t *testing.T) {
	t.Parallel()
	const json, form, text, html = "application/json", "application/x-www-form-urlencoded", "text/plain", "text/html"
	const refused = "the authorization server refused: status "
	const ended = "the login has ended: " + refused
	const none = "the authorization server's answer holds no access token"
	tests := map[string]struct {
		status            int
		contentType, body string
		want              string // token or error
	}{
		"JSON":               {200, json, `{"access_token":"new","token_type":"Bearer"}`, "new"},
		"JSON called text":   {200, text, ` {"access_token":"new"}`, "new"},
		"JSON called HTML":   {200, html, `{"access_token":"new"}`, "new"},
		"form":               {200, form, "access_token=new&token_type=bearer&expires_in=7", "new"},
		"created":            {201, json, `{"access_token":"new"}`, "new"},
		"revoked":            {400, json, `{"error":"invalid_grant","error_description":"hunter2"}`, ended + "400 invalid_grant"},
		"revoked, form":      {400, form, "error=invalid_grant", ended + "400 invalid_grant"},
		"revoked with a 200": {200, json, `{"error":"invalid_grant"}`, ended + "200 invalid_grant"},
		"OpenAI, expired":    {401, json, `{"error":{"message":"hunter2","code":"refresh_token_expired"}}`, ended + "401 refresh_token_expired"},
		"OpenAI, reused":     {401, json, `{"error":{"code":"refresh_token_reused"}}`, ended + "401 refresh_token_reused"},
		"OpenAI, revoked":    {401, json, `{"error":{"code":"refresh_token_invalidated"}}`, ended + "401 refresh_token_invalidated"},

		"invalid client":      {401, json, `{"error":"invalid_client"}`, refused + "401 invalid_client"},
		"unauthorized client": {400, json, `{"error":"unauthorized_client"}`, refused + "400 unauthorized_client"},
		"invalid scope":       {400, json, `{"error":"invalid_scope"}`, refused + "400 invalid_scope"},
		"overloaded":          {503, json, `{"error":"temporarily_unavailable"}`, refused + "503 temporarily_unavailable"},
		"unknown code":        {400, json, `{"error":"hunter2"}`, refused + "400"},
		"code in text":        {400, text, `invalid_grant`, refused + "400"},
		"a proxy's page":      {502, html, "<html>hunter2</html>", refused + "502"},
		"redirect":            {307, text, "", refused + "307"},
		"nothing":             {200, json, "", none},
		"not an object":       {200, json, `["access_token","hunter2"]`, none},
		"null":                {200, json, `null`, none},
		"empty token":         {200, json, `{"access_token":""}`, none},
		"no token":            {200, json, `{"refresh_token":"hunter2"}`, none},
		"number for a token":  {200, json, `{"access_token":12345678}`, none},
		"broken lifetime":     {200, json, `{"access_token":"new","expires_in":"hunter2"}`, none},
		"token with a break":  {200, json, `{"access_token":"hunter2\r\nX-Evil: 1"}`, none},
		"token beyond ASCII":  {200, json, `{"access_token":"hünter2"}`, none},
		"half of it":          {200, json, `{"access_token":"hunter2"`, none},
		"binary":              {200, json, "\x00\x01\xff", none},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			token, err := renew(t, oauth(t, options(answer(tt.status, tt.contentType, tt.body))))
			if !strings.Contains(tt.want, " ") {
				require.NoError(t, err)
				require.Equal(t, tt.want, token)
				return
			}
			require.EqualError(t, err, tt.want)
			require.Equal(t, strings.HasPrefix(tt.want, ended), errors.Is(err, providers.ErrGrantEnded))
			require.Empty(t, token)
		})
	}
}

func TestExchange_GivesUpOnAServerThatHangs(t *testing.T) {
	t.Parallel()
	hang := map[string]roundTrip{
		"no answer": func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		},
		"no end of the answer": func(r *http.Request) (*http.Response, error) {
			body, w := io.Pipe()
			go func() {
				_, _ = io.WriteString(w, `{"access_token":"hunter2"`)
				<-r.Context().Done()
				_ = w.CloseWithError(r.Context().Err())
			}()
			return &http.Response{StatusCode: http.StatusOK, Body: body}, nil
		},
	}
	for name, server := range hang {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				begun := time.Now()
				g := oauth(t, options(server))
				for n := range 2 {
					_, err := renew(t, g)
					require.EqualError(t, err, "ask the authorization server: timeout")
					require.Equal(t, time.Duration(n+1)*30*time.Second, time.Since(begun))
				}
			})
		})
	}
}

// TestExchange_OverANetwork meets servers that misbehave on the wire.
func TestExchange_OverANetwork(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"access_token":"stolen"}`)
	}))
	t.Cleanup(elsewhere.Close)
	raw := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			c, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				return
			}
			defer c.Close()
			_, _ = io.WriteString(c, text)
		}
	}
	tests := map[string]struct {
		handler http.HandlerFunc
		want    string
	}{
		"redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		}, "the authorization server refused: status 307"},
		"huge body": {func(w http.ResponseWriter, _ *http.Request) {
			for err := error(nil); err == nil; { // until the client hangs up
				_, err = io.WriteString(w, strings.Repeat("hunter2 ", 4096))
			}
		}, "ask the authorization server: the authorization server's answer is too large"},
		"nothing at all":  {raw(""), "ask the authorization server: connection closed early"},
		"not HTTP":        {raw(`{"access_token":"hunter2"}` + "\n"), "ask the authorization server: broken answer"},
		"broken header":   {raw("HTTP/1.1 200 OK\r\nhunter2\r\n\r\n"), "ask the authorization server: broken answer"},
		"body cut short":  {raw("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{\"access_token\":\"hunter2\"}"), "ask the authorization server: connection closed early"},
		"plain, good":     {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"access_token":"new"}`) }, ""},
		"server in pain":  {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "hunter2", http.StatusInternalServerError) }, "the authorization server refused: status 500"},
		"aborted handler": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "ask the authorization server: connection closed early"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(tt.handler)
			defer server.Close()
			o := options(server.Client().Transport)
			o.TokenURL = server.URL
			token, err := renew(t, oauth(t, o))
			if tt.want == "" {
				require.NoError(t, err)
				require.Equal(t, "new", token)
				return
			}
			require.EqualError(t, err, tt.want)
		})
	}
}

func TestExchange_NamesAServerThatIsNotThere(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())
	transport := &http.Transport{}
	o := options(transport)
	o.TokenURL = "http://" + address + "/token?hunter2"
	_, err = renew(t, oauth(t, o))
	require.EqualError(t, err, fmt.Sprintf("ask the authorization server: dial tcp %s: connect: connection refused", address))

	tls := httptest.NewTLSServer(http.NotFoundHandler())
	defer tls.Close()
	o.TokenURL = tls.URL
	_, err = renew(t, oauth(t, o))
	require.ErrorContains(t, err, "failed to verify certificate")
	transport.CloseIdleConnections()
}

func FuzzTokenAnswer(f *testing.F) {
	f.Add(200, "application/json", `{"access_token":"new","expires_in":3600,"refresh_token":"r"}`)
	f.Add(200, "application/x-www-form-urlencoded", "access_token=new&expires_in=3600")
	f.Add(200, "text/plain", `{"access_token":"new","expires_in":"x"}`)
	f.Add(400, "application/json", `{"error":"invalid_grant","error_description":"x"}`)
	f.Add(401, "application/json", `{"error":{"code":"refresh_token_reused"}}`)
	f.Add(302, "", "\xff{")
	f.Fuzz(func(t *testing.T, status int, contentType, body string) {
		if status < 100 || status > 999 {
			t.Skip("not HTTP")
		}
		kept := &store{}
		o := options(answer(status, contentType, body))
		o.RefreshToken, o.ClientSecret, o.Save = providers.NewSecret("refresh-hunter2"), providers.NewSecret("client-hunter2"), kept.Save
		g, err := grant.NewOAuth(o)
		require.NoError(t, err)
		token, err := renew(t, g)
		if err == nil {
			require.NotEmpty(t, token)
			require.False(t, strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }), "%q", token)
			require.Len(t, kept.calls, 1)
			require.NotEmpty(t, kept.calls[0].refresh)
			require.GreaterOrEqual(t, g.Current().Lifetime, time.Duration(0))
			require.Equal(t, g.Current().ExpiresAt.IsZero(), g.Current().Lifetime == 0)
			return
		}
		require.NotContains(t, err.Error(), "hunter2")
		require.Less(t, len(err.Error()), 120, "not the answer: %s", err)
		if token := g.Current().Secret.Reveal(); token != "access-0" {
			require.ErrorContains(t, err, "again")
		}
	})
}
