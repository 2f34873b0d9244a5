package simulator

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy/providers/simulator/memory"
)

func TestCredential_MeetsItsFaultsInOrder(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		faults []Fault
		want   []int // statuses of the first requests
	}{
		"none":                 {nil, []int{0, 0}},
		"each":                 {[]Fault{{Status: 500}}, []int{500, 500}},
		"every third":          {[]Fault{{Status: 500, Every: 3}}, []int{0, 0, 500, 0, 0, 500}},
		"twice":                {[]Fault{{Status: 500, Times: 2}}, []int{500, 500, 0}},
		"every second, once":   {[]Fault{{Status: 500, Every: 2, Times: 1}}, []int{0, 500, 0, 0}},
		"the first that's due": {[]Fault{{Status: 1, Every: 2}, {Status: 2}}, []int{2, 1, 2, 1}},
		"the next when spent":  {[]Fault{{Status: 1, Times: 1}, {Status: 2, Times: 1}}, []int{1, 2, 0}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCredential(Credential{Faults: tt.faults}, memory.NewAccount("", 0, 0), time.Minute)
			var got []int
			for range tt.want {
				got = append(got, c.next(time.Time{}).Status)
			}
			require.Equal(t, tt.want, got)
			require.Equal(t, len(tt.want), c.requests())
		})
	}
}

func TestUpstream_KeepsFaultsOfCredentialsApart(t *testing.T) {
	t.Parallel()
	u := New(withFaults(Fault{Status: 503}))
	d := dialogs()[0]
	require.Equal(t, 503, post(t, u, d.path, d.body("", "hi")).status)
	r := request(d.path, d.body("", "hi"))
	r.Header.Set("Authorization", "Bearer second-key")
	require.Equal(t, 200, do(t, u, r).status)
}

func TestUpstream_FailsInTheShapeOfTheFormat(t *testing.T) {
	t.Parallel()
	tests := map[int][4]string{ // by dialog: what the error is called
		400: {"invalid_request_error", "invalid_request_error", "invalid_request_error", "INVALID_ARGUMENT"},
		401: {"invalid_api_key", "invalid_api_key", "authentication_error", "UNAUTHENTICATED"},
		402: {"insufficient_quota", "insufficient_quota", "billing_error", "FAILED_PRECONDITION"},
		403: {"invalid_request_error", "invalid_request_error", "permission_error", "PERMISSION_DENIED"},
		429: {"rate_limit_exceeded", "rate_limit_exceeded", "rate_limit_error", "RESOURCE_EXHAUSTED"},
		500: {"server_error", "server_error", "api_error", "INTERNAL"},
		502: {"server_error", "server_error", "api_error", "INTERNAL"},
		529: {"server_is_overloaded", "server_is_overloaded", "overloaded_error", "UNAVAILABLE"},
	}
	for status, names := range tests {
		u := New(withFaults(Fault{Status: status, Headers: map[string]string{"retry-after": "30"}}))
		for i, d := range dialogs() {
			a := post(t, u, d.path, d.body("", "hi"))
			require.Equal(t, status, a.status)
			require.Equal(t, "30", a.header.Get("Retry-After"))
			e := gjson.Get(a.body, "error")
			require.Contains(t, []string{e.Get("code").Str, e.Get("type").Str, e.Get("status").Str}, names[i], a.body)
		}
	}
}

func TestUpstream_AddsHeadersOfAFaultToANormalAnswer(t *testing.T) {
	t.Parallel()
	u := New(withFaults(Fault{Headers: map[string]string{"X-Ratelimit-Remaining-Requests": "0"}}))
	a := post(t, u, dialogs()[0].path, dialogs()[0].body("", "hi"))
	require.Equal(t, 200, a.status)
	require.Equal(t, "0", a.header.Get("X-Ratelimit-Remaining-Requests"))
}

func TestUpstream_CutsStreamsAfterSomeEvents(t *testing.T) {
	t.Parallel()
	for _, d := range dialogs() {
		for n := 1; n <= 5; n++ {
			path, body := d.streamRequest("[[words=20]]")
			a := do(t, New(withFaults(Fault{CutAfter: n})), request(path, body))
			require.ErrorIs(t, a.err, syscall.ECONNRESET, d.format)
			require.Len(t, parseEvents(t, a.body), n, d.format)
		}
	}
}

func TestUpstream_CutsPlainAnswersInHalf(t *testing.T) {
	t.Parallel()
	for _, d := range dialogs() {
		u := New(withFaults(Fault{CutAfter: 3, Times: 1}))
		cut := do(t, u, request(d.path, d.body("", "Hello")))
		require.ErrorIs(t, cut.err, syscall.ECONNRESET, d.format)
		require.Equal(t, 200, cut.status)
		require.NotEmpty(t, cut.body)
		require.False(t, gjson.Valid(cut.body))
	}
}

func TestUpstream_CutsRealConnectionsToo(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(New(withFaults(Fault{CutAfter: 2})))
	defer server.Close()
	client := server.Client()
	for _, d := range dialogs() {
		for _, stream := range []bool{false, true} {
			path, body := d.path, d.body("", "Hello")
			if stream {
				path, body = d.streamRequest("Hello")
			}
			r := request(path, body)
			r.URL.Scheme, r.URL.Host = "http", server.Listener.Addr().String()
			response, err := client.Do(r)
			require.NoError(t, err)
			_, err = io.ReadAll(response.Body)
			require.NoError(t, response.Body.Close())
			require.ErrorIs(t, err, io.ErrUnexpectedEOF, "%s, stream %v", d.format, stream)
		}
	}
	client.CloseIdleConnections()
}

func TestUpstream_TakesItsTime(t *testing.T) {
	tests := map[string]struct {
		options Options
		text    string
		want    time.Duration // of a plain answer
		chunk   time.Duration // more for each of a stream's pauses
	}{
		"at once":         {options(), "Hello", 0, 0},
		"latency":         {Options{Latency: time.Second, ChunkDelay: time.Minute}, "Hello", time.Second, time.Minute},
		"fault":           {withFaults(Fault{Delay: time.Second}), "Hello", time.Second, 0},
		"failing fault":   {withFaults(Fault{Status: 500, Delay: time.Second}), "Hello", time.Second, 0},
		"marks":           {options(), "[[delay=3s]] hi [[chunk=2s]]", 3 * time.Second, 2 * time.Second},
		"mark over chunk": {Options{ChunkDelay: time.Minute}, "[[chunk=2s]]", 0, 2 * time.Second},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if tt.options.Credentials == nil {
					tt.options.Credentials = options().Credentials
				}
				u := New(tt.options)
				for _, d := range dialogs() {
					start := time.Now()
					post(t, u, d.path, d.body("", tt.text))
					require.Equal(t, tt.want, time.Since(start), d.format)

					start = time.Now()
					path, body := d.streamRequest(tt.text)
					a := post(t, u, path, body)
					want := tt.want
					if a.status == http.StatusOK {
						for range countChunks(t, a.body) - 1 {
							want += tt.chunk
						}
					}
					require.Equal(t, want, time.Since(start), d.format)
				}
			})
		})
	}
}

func countChunks(t *testing.T, stream string) int {
	t.Helper()
	return len(parseEvents(t, stream)) + strings.Count(stream, "data: [DONE]\n")
}

func TestUpstream_StopsWaitingWhenTheClientGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := New(options())
		for _, text := range []string{"[[delay=1h]]", "[[chunk=1h]] Hello"} {
			for _, d := range dialogs() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				path, body := d.streamRequest(text)
				start := time.Now()
				response, err := u.Transport().RoundTrip(request(path, body).WithContext(ctx))
				if err == nil {
					_, err = io.ReadAll(response.Body)
					require.NoError(t, response.Body.Close())
				}
				require.ErrorIs(t, err, context.DeadlineExceeded, "%s %s", d.format, text)
				require.Equal(t, time.Minute, time.Since(start))
				cancel()
			}
		}
	})
}

func TestUpstream_ForgetsPrefixesAfterTheTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := New(options())
		d := dialogs()[0]
		_, usage := d.say(t, u, "Hello")
		require.Zero(t, usage.CachedTokens)
		time.Sleep(DefaultCacheTTL - time.Second)
		_, usage = d.say(t, u, "Hello")
		require.EqualValues(t, 2, usage.CachedTokens)
		time.Sleep(DefaultCacheTTL - time.Second)
		_, usage = d.say(t, u, "Hello")
		require.EqualValues(t, 2, usage.CachedTokens, "use renews it")
		time.Sleep(DefaultCacheTTL)
		_, usage = d.say(t, u, "Hello")
		require.Zero(t, usage.CachedTokens)
	})
}
