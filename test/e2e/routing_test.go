package e2e

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/internal/fake"
	"github.com/understudyhq/understudy/providers"
)

// always makes everybody answer alike.
func always(reply fake.Reply) func(fake.Request) fake.Reply {
	return func(fake.Request) fake.Reply { return reply }
}

func TestRT2_MaxCredentialsBoundsTheAttempts(t *testing.T) {
	t.Parallel()
	for limit, want := range map[int][]string{1: {"a"}, 2: {"a", "b"}, 0: {"a", "b", "c"}} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			t.Parallel()
			for _, stream := range []bool{false, true} {
				for _, d := range dialects() {
					r := start(t, setup{
						kinds: []string{d.kind}, script: always(fake.Error(string(d.format), 500)),
						adjust: func(c *config.Config) { c.Retry = config.Retry{MaxCredentials: limit} },
					})
					got := r.ask(d, stream)
					require.Equal(t, http.StatusInternalServerError, got.status)
					require.Equal(t, want, r.served())
				}
			}
		})
	}
}

func TestRT5_ARequestKeepsTheSettingsItBeganWith(t *testing.T) {
	t.Parallel()
	arrived, go1 := make(chan struct{}), make(chan struct{})
	r := start(t, setup{
		script: always(fake.Error("openai-chat", 500)),
		around: func(upstream http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				arrived <- struct{}{}
				<-go1
				upstream.ServeHTTP(w, req)
			})
		},
		adjust: func(c *config.Config) { c.Retry.MaxCredentials = 2 },
	})
	d := dialects()[0]
	done := make(chan int)
	req := r.request(http.MethodPost, d.plain, d.question1)
	go func() {
		resp, err := r.client.Do(req)
		if err != nil {
			done <- 0
			return
		}
		done <- read(t, resp).status
	}()
	<-arrived
	next := r.config()
	next.Retry.MaxCredentials = 1
	_, err := r.gateway.Apply(next)
	require.NoError(t, err)
	close(go1)
	<-arrived // the second attempt, which the new settings would not allow
	require.Equal(t, http.StatusInternalServerError, <-done)
	require.Equal(t, []string{"a", "b"}, r.served())
}

func TestRT8_AReadyCredentialServesWithoutWaiting(t *testing.T) {
	t.Parallel()
	reply := fake.Error("openai-chat", 429)
	reply.Header.Set("Retry-After", "60")
	inBubble(t, setup{script: first(reply)}, func(t *testing.T, r *rig) {
		d := dialects()[0]
		r.ask(d, false)
		before := time.Now()
		require.Equal(t, d.want(false), string(r.ask(d, false).body))
		require.Zero(t, time.Since(before))
		require.Equal(t, []string{"a", "b", "b"}, r.served())
	})
}

func TestRT15_ARequestFaultIsAnsweredAsItIs(t *testing.T) {
	t.Parallel()
	for _, d := range dialects() {
		for _, status := range []int{400, 409, 413, 422} {
			for _, stream := range []bool{false, true} {
				t.Run(fmt.Sprint(d.name, "/", status, "/", stream), func(t *testing.T) {
					t.Parallel()
					reply := fake.Error(string(d.format), status)
					reply.Header.Set("X-Detail", "kept")
					r := start(t, setup{kinds: []string{d.kind}, script: first(reply)})
					got := r.ask(d, stream)
					require.Equal(t, status, got.status)
					require.Equal(t, string(reply.Body), string(got.body))
					require.Equal(t, "kept", got.header.Get("X-Detail"))
					require.Equal(t, []string{"a"}, r.served())
					require.Equal(t, providers.RequestFault, r.attempted("a", 1).Outcome.Kind)
					require.Equal(t, "active", r.view("a").Status)
				})
			}
		}
	}
}

func TestRT25_AnAddedCredentialIsThereForTheNextRequest(t *testing.T) {
	t.Parallel()
	r := start(t, setup{ids: []string{"a"}, script: first(fake.Error("openai-chat", 500))})
	d := dialects()[0]
	require.Equal(t, http.StatusInternalServerError, r.ask(d, false).status)
	next := r.config()
	next.Providers[0].Credentials = append(next.Providers[0].Credentials, config.Credential{ID: "b", APIKey: secretOf("b")})
	_, err := r.gateway.Apply(next)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, r.ask(d, false).status)
}

// When all have failed the client gets the last one's own answer, and a time to come back.
func TestExhausted_TheLastAnswerIsPassedOn(t *testing.T) {
	t.Parallel()
	for _, d := range dialects() {
		for _, tt := range []struct {
			status int
			wait   string
		}{{500, "1"}, {429, "1"}, {503, "1"}} {
			for _, stream := range []bool{false, true} {
				t.Run(fmt.Sprint(d.name, "/", tt.status, "/", stream), func(t *testing.T) {
					t.Parallel()
					reply := fake.Error(string(d.format), tt.status)
					inBubble(t, setup{kinds: []string{d.kind}, script: always(reply)}, func(t *testing.T, r *rig) {
						got := r.ask(d, stream)
						require.Equal(t, tt.status, got.status)
						require.Equal(t, "application/json", got.header.Get("Content-Type"))
						require.Equal(t, string(reply.Body), string(got.body))
						require.Equal(t, tt.wait, got.header.Get("Retry-After"))
						require.Equal(t, []string{"a", "b", "c"}, r.served())
					})
				})
			}
		}
	}
}

// Now all of them rest: nobody is asked, and the client is told until when.
func TestCD1_AllResting(t *testing.T) {
	t.Parallel()
	for _, d := range dialects() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			reply := fake.Error(string(d.format), 429)
			reply.Header.Set("Retry-After", "90")
			inBubble(t, setup{kinds: []string{d.kind}, script: always(reply)}, func(t *testing.T, r *rig) {
				r.ask(d, true)
				time.Sleep(10500 * time.Millisecond)
				got := r.ask(d, true)
				require.Equal(t, http.StatusTooManyRequests, got.status)
				d.requireError(t, string(got.body), "model_cooldown")
				require.Equal(t, []string{"a", "b", "c"}, r.served())

				wait, err := strconv.Atoi(got.header.Get("Retry-After"))
				require.NoError(t, err)
				require.GreaterOrEqual(t, wait, 80) // 79.5 rounded up, and up to 9 of jitter
				require.LessOrEqual(t, wait, 89)
				e := gjson.GetBytes(got.body, "error")
				require.EqualValues(t, wait, e.Get("reset_seconds").Int())
				require.Equal(t, "m", e.Get("model").Str)
				require.Equal(t, d.kind, e.Get("provider").Str)
				reset, err := time.Parse(time.RFC3339, e.Get("reset_time").Str)
				require.NoError(t, err)
				require.LessOrEqual(t, math.Abs(time.Until(reset).Seconds()-float64(wait)), 1.0)
				require.Empty(t, got.header.Get("X-Should-Retry"))

				time.Sleep(time.Until(reset))
				r.ask(d, true)
				require.Greater(t, len(r.served()), 3, "at that time somebody is back")
			})
		})
	}
}

// Out without a time: the client is told why, and that trying again does not help.
func TestCD4_NobodyUsable(t *testing.T) {
	t.Parallel()
	for _, d := range dialects() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			r := start(t, setup{kinds: []string{d.kind}, adjust: func(c *config.Config) {
				for i := range c.Providers[0].Credentials {
					c.Providers[0].Credentials[i].Disabled = true
				}
			}})
			got := r.ask(d, true)
			r.requireRefused(t, d, got, http.StatusServiceUnavailable, "no_credential_available")
			require.Contains(t, gjson.GetBytes(got.body, "error.message").Str, "3 disabled")
		})
	}
}

// What never came to an answer is the gateway's to tell.
func TestExhausted_NoAnswerAtAll(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		reply  fake.Reply
		status int
		code   string
	}{
		"reset":               {fake.Reply{Reset: true}, http.StatusBadGateway, "upstream_error"},
		"empty":               {fake.Reply{}, http.StatusBadGateway, "upstream_error"},
		"SE3 an empty stream": {fake.Reply{Header: http.Header{"Content-Type": {"text/event-stream"}}, Chunks: [][]byte{{}}}, http.StatusBadGateway, "upstream_error"},
		"SE17 silence":        {fake.Reply{Hang: true}, http.StatusGatewayTimeout, "upstream_timeout"},
	}
	for _, d := range dialects() {
		for name, tt := range tests {
			t.Run(d.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				inBubble(t, setup{kinds: []string{d.kind}, script: always(tt.reply)}, func(t *testing.T, r *rig) {
					got := r.ask(d, true)
					require.Equal(t, tt.status, got.status)
					require.Equal(t, "application/json", got.header.Get("Content-Type"))
					d.requireError(t, string(got.body), tt.code)
					require.Equal(t, []string{"a", "b", "c"}, r.served())
				})
			})
		}
	}
}

// An error that comes before a stream has begun is a plain answer with a status of its own.
func TestSE7_AnErrorAsTheFirstEventIsAPlainError(t *testing.T) {
	t.Parallel()
	for _, d := range dialects() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			reply := fake.Reply{Header: d.good(true).Header, Chunks: append(d.handshake(), d.overloaded())}
			r := start(t, setup{kinds: []string{d.kind}, script: always(reply)})
			got := r.ask(d, true)
			want := http.StatusServiceUnavailable
			if d.format == providers.Anthropic {
				want = 529
			}
			require.Equal(t, want, got.status)
			require.Equal(t, "application/json", got.header.Get("Content-Type"))
			require.Equal(t, "Too much.", gjson.GetBytes(got.body, "error.message").Str)
			require.Equal(t, []string{"a", "b", "c"}, r.served())
		})
	}
}

func TestSE1_TheHeadersAreThoseOfTheAttemptThatServed(t *testing.T) {
	t.Parallel()
	for _, d := range dialects() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			r := start(t, setup{kinds: []string{d.kind}, script: func(q fake.Request) fake.Reply {
				reply := d.good(true)
				if q.Key == secretOf("a") {
					reply.Chunks = append(d.handshake(), d.overloaded())
				}
				reply.Header = reply.Header.Clone()
				reply.Header.Set("X-Served-By", q.Key[len(upstreamMark):])
				if q.Key == secretOf("a") {
					reply.Header.Set("X-Failed", "1")
				}
				return reply
			}})
			got := r.ask(d, true)
			require.Equal(t, d.want(true), string(got.body))
			require.Equal(t, []string{"b"}, got.header.Values("X-Served-By"))
			require.Empty(t, got.header.Values("X-Failed"))
		})
	}
}

func TestSE21_AnOddModelNameMakesNoOddError(t *testing.T) {
	t.Parallel()
	for _, d := range formats()[:3] {
		r := start(t, setup{kinds: []string{d.kind}})
		for _, model := range []string{`a\"b`, `\u0000`, `<script>`, `💥`, `\ud83d`} {
			got := r.post(d.plain, `{"model":"`+model+`"}`)
			r.requireRefused(t, d, got, http.StatusNotFound, "model_not_found")
		}
	}
}

// Equal credentials serve equally often, whoever asks at the same time.
func TestRoundRobin_IsEven(t *testing.T) {
	t.Parallel()
	r := start(t, setup{adjust: func(c *config.Config) { c.Routing.Strategy = config.RoundRobin }})
	d := dialects()[0]
	r.storm(t, 60, func() *http.Request { return r.request(http.MethodPost, d.plain, d.question1) })
	count := map[string]int{}
	for _, id := range r.served() {
		count[id]++
	}
	require.Equal(t, map[string]int{"a": 20, "b": 20, "c": 20}, count)
}
