package e2e

import (
	"context"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"
	"github.com/tmaxmax/go-sse"

	"github.com/understudyhq/understudy/internal/fake"
	"github.com/understudyhq/understudy/providers"
)

// requireBroken checks that a client was sent the beginning of an answer and then, as its
// format tells it, the gateway's error code, and nothing after that.
func (d dialect) requireBroken(t *testing.T, got answer, sent, code string) {
	t.Helper()
	require.NoError(t, got.err, "the stream itself ends in good order")
	require.Equal(t, http.StatusOK, got.status)
	rest, ok := strings.CutPrefix(string(got.body), sent)
	require.True(t, ok, "%s", got.body)
	if d.array {
		require.True(t, gjson.ValidBytes(got.body), "%s", got.body)
		elements := gjson.ParseBytes(got.body).Array()
		d.requireError(t, elements[len(elements)-1].Raw, code)
		require.False(t, elements[len(elements)-2].Get("error").Exists())
		return
	}
	var events []sse.Event
	for event, err := range sse.Read(strings.NewReader(rest), nil) {
		require.NoError(t, err)
		events = append(events, event)
	}
	require.Len(t, events, 1, "%q", rest)
	last := events[0]
	switch d.format {
	case providers.OpenAIResponses:
		require.Equal(t, "response.failed", last.Type)
		require.Equal(t, "response.failed", gjson.Get(last.Data, "type").Str)
		require.Equal(t, "resp_fake", gjson.Get(last.Data, "response.id").Str)
		require.Equal(t, "failed", gjson.Get(last.Data, "response.status").Str)
		require.Equal(t, code, gjson.Get(last.Data, "response.error.code").Str)
		require.EqualValues(t, strings.Count(sent, "event: "), gjson.Get(last.Data, "sequence_number").Int())
	case providers.Anthropic:
		require.Equal(t, "error", last.Type)
		d.requireError(t, last.Data, code)
	default:
		require.Empty(t, last.Type)
		d.requireError(t, last.Data, code)
	}
}

// requireError checks that a text is an error of the gateway in the dialect's shape.
func (d dialect) requireError(t *testing.T, text, code string) {
	t.Helper()
	require.True(t, gjson.Valid(text), "%s", text)
	require.Equal(t, code, gjson.Get(text, d.errorCode).Str, "%s", text)
	require.NotEmpty(t, gjson.Get(text, d.errorClass).Str, "%s", text)
	require.NotEmpty(t, gjson.Get(text, "error.message").Str, "%s", text)
	switch d.format {
	case providers.Anthropic:
		require.Equal(t, "error", gjson.Get(text, "type").Str)
		require.NotEmpty(t, gjson.Get(text, "request_id").Str)
	case providers.Gemini:
		require.Equal(t, gjson.Number, gjson.Get(text, "error.code").Type)
	default:
		require.True(t, gjson.Get(text, "error.param").Exists())
	}
}

// requireFailed checks that the credential a is the only one asked, and that what it did
// counts as a failure.
func (r *rig) requireFailed(kind providers.Kind) {
	r.t.Helper()
	require.Equal(r.t, []string{"a"}, r.served(), "nobody else is asked any more")
	require.Equal(r.t, kind, r.attempted("a", 1).Outcome.Kind)
	require.Equal(r.t, kind, r.rested("a").State.Kind)
	view := r.view("a")
	require.Equal(r.t, [3]uint64{1, 0, 1}, [3]uint64{view.Attempts, view.Served, view.Failed})
}

func TestSE2_SE8_SE13_ACutAfterTheFirstByteIsToldInTheStream(t *testing.T) {
	t.Parallel()
	breaks := map[string]func(reply *fake.Reply, after int){
		"cut":             func(reply *fake.Reply, after int) { reply.CutAfter = after },
		"end without end": func(reply *fake.Reply, after int) { reply.EndAfter = after },
		"cut inside an event": func(reply *fake.Reply, after int) {
			reply.Chunks[after] = reply.Chunks[after][:len(reply.Chunks[after])/2]
			reply.CutAfter = after + 1
		},
	}
	for _, d := range dialects() {
		for name, spoil := range breaks {
			t.Run(d.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				reply, after, sent := d.opening()
				spoil(&reply, after)
				r := start(t, setup{kinds: []string{d.kind}, script: first(reply)})
				d.requireBroken(t, r.ask(d, true), sent, "upstream_error")
				r.requireFailed(providers.Transient)
			})
		}
	}
}

// resetLater holds an upstream's reset back until the client has seen what came before it:
// a reset may overtake it otherwise.
type resetLater struct {
	http.ResponseWriter
	seen <-chan struct{}
}

func (w resetLater) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w resetLater) Hijack() (conn net.Conn, err error) {
	<-w.seen
	conn, _, err = http.NewResponseController(w.ResponseWriter).Hijack()
	return conn, err
}

func TestSE2_AResetAfterTheFirstByteIsToldInTheStream(t *testing.T) {
	t.Parallel()
	for _, d := range dialects() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			reply, after, sent := d.opening()
			reply.Reset, reply.ResetAfter = true, after
			seen := make(chan struct{})
			r := start(t, setup{kinds: []string{d.kind}, script: first(reply), around: func(upstream http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
					upstream.ServeHTTP(resetLater{w, seen}, req)
				})
			}})
			resp := r.open(r.request(http.MethodPost, d.streamed, d.questionN))
			begin := make([]byte, len(sent))
			_, err := io.ReadFull(resp.Body, begin)
			require.NoError(t, err)
			close(seen)
			got := read(t, resp)
			got.body = slices.Concat(begin, got.body)
			d.requireBroken(t, got, sent, "upstream_error")
			r.requireFailed(providers.Transient)
		})
	}
}

func TestSE2_SilenceAfterTheFirstByteIsToldInTheStream(t *testing.T) {
	t.Parallel()
	for _, d := range dialects() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			reply, after, sent := d.opening()
			reply.Hang, reply.HangAfter = true, after
			inBubble(t, setup{kinds: []string{d.kind}, script: first(reply)}, func(t *testing.T, r *rig) {
				asked := time.Now()
				got := r.ask(d, true)
				require.Equal(t, r.config().Timeouts.StreamIdle, time.Since(asked))
				body, _ := d.withoutKeepalives(string(got.body))
				got.body = []byte(body)
				d.requireBroken(t, got, sent, "upstream_timeout")
				r.requireFailed(providers.Transient)
			})
		})
	}
}

// A stream may pause for minutes and last for any time: reasoning does.
func TestStream_LivesThroughPauses(t *testing.T) {
	t.Parallel()
	for _, d := range dialects() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			reply := d.good(true)
			reply.ChunkDelay = 140 * time.Second // payload has to come within 300s, two pauses after a handshake
			inBubble(t, setup{kinds: []string{d.kind}, script: first(reply)}, func(t *testing.T, r *rig) {
				got := r.ask(d, true)
				require.NoError(t, got.err)
				body, keepalives := d.withoutKeepalives(string(got.body))
				require.Equal(t, d.want(true), body)
				if d.array {
					require.Zero(t, keepalives, "a JSON array has no comments")
				} else {
					require.GreaterOrEqual(t, keepalives, 8*(len(reply.Chunks)-3))
				}
				require.Equal(t, providers.Success, r.attempted("a", 1).Outcome.Kind)
			})
		})
	}
}

// withoutKeepalives takes out of a stream what the gateway sends to keep it alive, and
// counts it: comments or, for Google's SDKs, which stumble over those, blank lines.
func (d dialect) withoutKeepalives(stream string) (rest string, n int) {
	sign := ": keepalive\n\n"
	if d.format == providers.Gemini {
		sign = "\r\n\r\n"
		for rest = stream; strings.Contains(rest, sign+sign); n++ {
			rest = strings.Replace(rest, sign+sign, sign, 1)
		}
		return rest, n
	}
	return strings.ReplaceAll(stream, sign, ""), strings.Count(stream, sign)
}

func TestSE9_TheUpstreamsOwnErrorInAStreamIsTheOnlyOne(t *testing.T) {
	t.Parallel()
	for _, d := range dialects() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			reply, after, sent := d.opening()
			failure := d.overloaded()
			if d.array {
				failure = append([]byte(",\n"), failure[1:]...)
			}
			reply.Chunks = append(reply.Chunks[:after], failure)
			r := start(t, setup{kinds: []string{d.kind}, script: first(reply)})
			got := r.ask(d, true)
			require.NoError(t, got.err)
			require.Equal(t, sent+string(failure), string(got.body))
			r.requireFailed(providers.Overloaded)
		})
	}
}

func TestSE9_WhatBreaksBehindItsEndIsWhole(t *testing.T) {
	t.Parallel()
	for _, d := range dialects() {
		if d.name == "gemini" {
			continue // after its finish reason more may follow, so only a good end is one
		}
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			reply := d.good(true)
			reply.CutAfter = len(reply.Chunks)
			r := start(t, setup{kinds: []string{d.kind}, script: first(reply)})
			got := r.ask(d, true)
			require.NoError(t, got.err)
			require.Equal(t, d.want(true), string(got.body))
			require.Equal(t, []string{"a"}, r.served())
		})
	}
}

// A client that leaves takes the upstream's request with it, and nobody is to blame.
func TestSE17_AClientThatLeavesCancelsTheUpstream(t *testing.T) {
	t.Parallel()
	for _, d := range dialects() {
		for _, begun := range []bool{false, true} {
			t.Run(d.name+"/"+map[bool]string{false: "before", true: "after"}[begun]+" the first byte", func(t *testing.T) {
				t.Parallel()
				reply, after, _ := d.opening()
				reply.Hang, reply.HangAfter = true, 0
				if begun {
					reply.HangAfter = after
				}
				arrived, left := make(chan struct{}), make(chan struct{})
				r := start(t, setup{kinds: []string{d.kind}, script: first(reply), around: func(upstream http.Handler) http.Handler {
					return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
						close(arrived)
						defer close(left)
						upstream.ServeHTTP(w, req)
					})
				}})
				ctx, leave := context.WithCancel(t.Context())
				defer leave()
				req := r.request(http.MethodPost, d.streamed, d.questionN).WithContext(ctx)
				if begun {
					resp := r.open(req)
					defer resp.Body.Close()
				} else {
					go func() { <-arrived; leave() }()
					resp, err := r.client.Do(req)
					require.ErrorIs(t, err, context.Canceled)
					require.Nil(t, resp)
				}
				leave()
				<-left
				require.Equal(t, providers.Canceled, r.attempted("a", 1).Outcome.Kind)
				require.Equal(t, "active", r.view("a").Status)
				require.Equal(t, []string{"a"}, r.served())
			})
		}
	}
}
