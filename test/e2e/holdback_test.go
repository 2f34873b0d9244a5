package e2e

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/internal/fake"
	"github.com/understudyhq/understudy/providers"
)

// paced is a stream of a dialect with pauses between its events.
func (d dialect) paced(pause time.Duration, chunks ...[]byte) fake.Reply {
	return fake.Reply{Header: d.good(true).Header, Chunks: chunks, ChunkDelay: pause}
}

// An answer's head leaves with its first payload byte, or a second after the handshake.
func TestSE6_TheHeadWaitsForTheFirstPayload(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		pause time.Duration
		plain time.Duration            // when the head leaves a stream that begins with payload
		late  map[string]time.Duration // and those of dialects with a handshake
	}{
		"events in quick succession": {300 * time.Millisecond, 300 * time.Millisecond, map[string]time.Duration{"responses": 900 * time.Millisecond, "messages": 600 * time.Millisecond}},
		"slow ones":                  {3 * time.Second, 3 * time.Second, map[string]time.Duration{"responses": 4 * time.Second, "messages": 4 * time.Second}},
	} {
		for _, d := range dialects() {
			t.Run(name+"/"+d.name, func(t *testing.T) {
				t.Parallel()
				headAlone := []byte{}
				reply := d.paced(tt.pause, append([][]byte{headAlone}, d.good(true).Chunks...)...)
				inBubble(t, setup{kinds: []string{d.kind}, script: first(reply)}, func(t *testing.T, r *rig) {
					asked := time.Now()
					resp := r.open(r.request(http.MethodPost, d.streamed, d.questionN))
					want, ok := tt.late[d.name]
					if !ok {
						want = tt.plain
					}
					require.Equal(t, want, time.Since(asked))
					got := read(t, resp)
					require.NoError(t, got.err)
					require.Equal(t, d.want(true), string(got.body))
				})
			})
		}
	}
}

// Trouble right behind the handshake is failed over, and the client sees nothing of it. A
// second later the handshake has left, and the trouble is told behind it.
func TestSE1_TroubleRightBehindTheHandshakeIsFailedOver(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		pause time.Duration
		over  bool // failed over
	}{
		"at once":       {0, true},
		"after 0.9 s":   {450 * time.Millisecond, true},
		"after 1.2 s":   {600 * time.Millisecond, false},
		"after minutes": {2 * time.Minute, false},
	} {
		for _, d := range []dialect{dialects()[1], dialects()[2]} {
			t.Run(d.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				reply := d.paced(tt.pause, append(d.handshake(), d.overloaded())...)
				sent := string(reply.Chunks[0]) + string(reply.Chunks[1]) + string(reply.Chunks[2])
				inBubble(t, setup{kinds: []string{d.kind}, script: first(reply)}, func(t *testing.T, r *rig) {
					got := r.ask(d, true)
					require.NoError(t, got.err)
					require.Equal(t, http.StatusOK, got.status)
					body, _ := d.withoutKeepalives(string(got.body))
					if tt.over {
						require.Equal(t, d.want(true), body)
						require.Equal(t, []string{"a", "b"}, r.served())
					} else {
						require.Equal(t, sent, body)
						require.Equal(t, []string{"a"}, r.served())
					}
					require.Equal(t, providers.Overloaded, r.attempted("a", 1).Outcome.Kind)
					require.Equal(t, providers.Overloaded, r.state("a", "m").Kind)
				})
			})
		}
	}
}

// A handshake is no payload: whoever falls silent behind it has not begun.
func TestSE1_SilenceBehindTheHandshakeIsATimeout(t *testing.T) {
	t.Parallel()
	for _, d := range []dialect{dialects()[1], dialects()[2]} {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			reply := d.paced(0, append(d.handshake(), []byte{})...)
			reply.Hang, reply.HangAfter = true, 2
			sent := string(reply.Chunks[0]) + string(reply.Chunks[1])
			inBubble(t, setup{kinds: []string{d.kind}, script: first(reply)}, func(t *testing.T, r *rig) {
				asked := time.Now()
				got := r.ask(d, true)
				require.Equal(t, r.config().Timeouts.FirstByte, time.Since(asked))
				body, _ := d.withoutKeepalives(string(got.body))
				got.body = []byte(body)
				d.requireBroken(t, got, sent, "upstream_timeout")
				r.requireFailed(providers.Transient)
			})
		})
	}
}

// limited is the event with which an upstream tells in a stream that a limit is reached, and
// for how long.
func (d dialect) limited() []byte {
	switch d.format {
	case providers.OpenAIResponses:
		return []byte("event: response.failed\n" + `data: {"type":"response.failed","sequence_number":2,"response":{"id":"resp_fake","object":"response","status":"failed","error":{"code":"rate_limit_exceeded","message":"Rate limit reached. Please try again in 7.66s."},"output":[]}}` + "\n\n")
	case providers.Anthropic:
		return []byte("event: error\n" + `data: {"type":"error","error":{"type":"rate_limit_error","message":"Please try again in 7.66s."}}` + "\n\n")
	case providers.Gemini:
		element := `{"error":{"code":429,"message":"Quota.","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"7.66s"}]}}`
		if d.array {
			return []byte(element)
		}
		return []byte("data: " + element + "\r\n\r\n")
	default:
		return []byte(`data: {"error":{"message":"Please try again in 7.66s.","type":"requests","param":null,"code":"rate_limit_exceeded"}}` + "\n\n")
	}
}

// An error inside a stream counts with its hint, before and after the first byte.
func TestSE2_AnErrorsHintCountsInsideAStreamToo(t *testing.T) {
	t.Parallel()
	for _, d := range dialects() {
		for name, begun := range map[string]bool{"before the first byte": false, "after it": true} {
			t.Run(d.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				reply, after, sent := d.opening()
				failure := d.limited()
				switch {
				case begun && d.array:
					failure = append([]byte(",\n"), failure...)
				case d.array:
					failure = append(append([]byte("["), failure...), ']')
				}
				if begun {
					reply.Chunks = append(reply.Chunks[:after], failure)
				} else {
					reply.Chunks = append(d.handshake(), failure)
				}
				inBubble(t, setup{kinds: []string{d.kind}, script: first(reply)}, func(t *testing.T, r *rig) {
					asked := time.Now()
					got := r.ask(d, true)
					if begun {
						require.Equal(t, sent+string(failure), string(got.body))
						require.Equal(t, []string{"a"}, r.served())
					} else {
						require.Equal(t, d.want(true), string(got.body))
						require.Equal(t, []string{"a", "b"}, r.served())
					}
					rest := r.state("a", "m")
					require.Equal(t, providers.RateLimited, rest.Kind)
					requireHint(t, 7660*time.Millisecond, rest.Until.Sub(asked))
				})
			})
		}
	}
}

// When nobody does better, the error that came first in a stream is told with its hint.
func TestSE7_AnErrorAsTheFirstEventTellsWhenToComeAgain(t *testing.T) {
	t.Parallel()
	for _, d := range dialects() {
		failure := d.limited()
		if d.array {
			failure = append(append([]byte("["), failure...), ']')
		}
		reply := fake.Reply{Header: d.good(true).Header, Chunks: append(d.handshake(), failure)}
		inBubble(t, setup{kinds: []string{d.kind}, script: always(reply)}, func(t *testing.T, r *rig) {
			got := r.ask(d, true)
			require.Equal(t, http.StatusTooManyRequests, got.status, d.name)
			require.Equal(t, "8", got.header.Get("Retry-After"), d.name)
			require.Equal(t, "application/json", got.header.Get("Content-Type"))
			require.Equal(t, []string{"a", "b", "c"}, r.served())
		})
	}
}
