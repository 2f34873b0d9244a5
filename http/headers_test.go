package httpapi

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/providers"
)

func TestOutboundHeader_PassesOnlyWhatConcernsTheUpstream(t *testing.T) {
	t.Parallel()
	client := http.Header{
		"Anthropic-Version": {"2023-06-01"}, "Anthropic-Beta": {"a,b", "c"}, "Openai-Organization": {"o"},
		"X-Stainless-Retry-Count": {"0"}, "Idempotency-Key": {"i"}, "User-Agent": {"sdk/1"}, "Content-Type": {"application/json"},
		"X-Session-Id": {"s"},

		"Authorization": {"Bearer client"}, "X-Api-Key": {"client"}, "X-Goog-Api-Key": {"client"}, "Cookie": {"c"},
		"Host": {"h"}, "Content-Length": {"3"}, "Accept-Encoding": {"gzip"}, "Content-Encoding": {"gzip"}, "Expect": {"100-continue"},
		"X-Management-Key": {"m"}, "X-Understudy-Debug": {"d"}, "X-Forwarded-For": {"1.2.3.4"}, "Forwarded": {"f"},
		"X-Real-Ip": {"1.2.3.4"}, "Via": {"v"}, "Connection": {"keep-alive, x-secret"}, "X-Secret": {"s"},
		"Keep-Alive": {"5"}, "Te": {"trailers"}, "Trailer": {"t"}, "Transfer-Encoding": {"chunked"}, "Upgrade": {"u"},
		"Proxy-Authorization": {"p"}, "Proxy-Connection": {"p"},
	}
	credential := newPool(nil).credentials[0]
	credential.Upstream.Headers = []providers.Header{
		{Name: "x-team", Value: providers.NewSecret("a")},
		{Name: "X-Copy", Value: providers.NewSecret("$anthropic-beta")},
		{Name: "X-Absent", Value: providers.NewSecret("$X-Nothing")},
		{Name: "X-Leak", Value: providers.NewSecret("$Authorization")},
		{Name: "X-Both", Value: providers.NewSecret("upstream")},
	}
	credential.Headers = []providers.Header{{Name: "X-Both", Value: providers.NewSecret("credential")}}
	before := client.Clone()
	require.Equal(t, http.Header{
		"Anthropic-Version": {"2023-06-01"}, "Anthropic-Beta": {"a,b", "c"}, "Openai-Organization": {"o"},
		"X-Stainless-Retry-Count": {"0"}, "Idempotency-Key": {"i"}, "User-Agent": {"sdk/1"}, "Content-Type": {"application/json"},
		"X-Session-Id": {"s"}, "Accept-Encoding": {"identity"}, "Authorization": {"Bearer secret-a"},
		"X-Team": {"a"}, "X-Copy": {"a,b", "c"}, "X-Both": {"credential"},
	}, outboundHeader(client, credential))
	require.Equal(t, before, client, "another attempt needs them again")
}

func TestOutboundHeader_InventsNoUserAgent(t *testing.T) {
	t.Parallel()
	seen := make(chan http.Header, 1)
	pool := newPool(nil).toServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen <- r.Header
		_, _ = io.WriteString(w, "{}")
	}))
	r := httptest.NewRequest(http.MethodPost, "/v1/responses", strings.NewReader(chatBody))
	newTestServer(pool, live()).Handler().ServeHTTP(httptest.NewRecorder(), r)
	require.NotContains(t, <-seen, "User-Agent")
}

func TestRequest_PassesTheQueryWithoutTheKey(t *testing.T) {
	t.Parallel()
	var query string
	pool := newPool(func(r *http.Request) (*http.Response, error) {
		query = r.URL.RawQuery
		return answer(200, "application/json", "{}")(r)
	})
	send(newTestServer(pool, live()), "POST", "/v1/messages?z=1&beta=true&key=client&a=%2f", chatBody)
	require.Equal(t, "z=1&beta=true&a=%2f", query)
}

func TestCopyAnswerHeader_PassesOnlyWhatConcernsTheClient(t *testing.T) {
	t.Parallel()
	pool := newPool(answer(200, "application/json", "{}",
		"X-Request-Id", "theirs", "Request-Id", "r", "X-Ratelimit-Remaining-Requests", "9", "Openai-Processing-Ms", "3",
		"Content-Length", "999", "Set-Cookie", "c=1", "Alt-Svc", "h3", "Server-Timing", "x;dur=1",
		"Strict-Transport-Security", "s", "Connection", "close, X-Hop", "X-Hop", "h", "Keep-Alive", "1", "Upgrade", "u",
		"Transfer-Encoding", "chunked", "Trailer", "T", "X-Codex-Turn-State", "ts",
		"X-Understudy-Credential", "whose", "X-Understudy-Attempts", "7"))
	w := send(newTestServer(pool, live()), "POST", "/v1/chat/completions", chatBody, "X-Request-Id", "mine")
	timing := w.Header().Get("Server-Timing")
	require.Regexp(t, `^gateway;dur=\d+\.\d{3}$`, timing)
	require.Equal(t, http.Header{
		"Content-Type": {"application/json"}, "Content-Length": {"2"}, "Server-Timing": {timing}, "X-Request-Id": {"mine"},
		"X-Upstream-Request-Id": {"theirs"}, "Request-Id": {"r"}, "X-Ratelimit-Remaining-Requests": {"9"},
		"Openai-Processing-Ms": {"3"}, "X-Codex-Turn-State": {"ts"},
	}, w.Header())
}
