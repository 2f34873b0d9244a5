package e2e

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/actors"
	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/internal/fake"
)

// item is an input item that only who made it can read.
func item(kind, maker string, n int) string {
	return fmt.Sprintf(`{"type":"%s","id":"x", "encrypted_content" : "enc_%s_%d"}`, kind, maker, n)
}

// thinking answers like made, with an item of encrypted reasoning; a compaction is such an
// item and nothing else.
func thinking(q fake.Request) fake.Reply {
	who := strings.TrimPrefix(q.Key, upstreamMark)
	header := http.Header{"Content-Type": {"application/json"}}
	if q.Path == "/v1/responses/compact" {
		return fake.Reply{Header: header, Body: []byte(`{"id":"resp_x","object":"response.compaction","output":[` + item("compaction", who, q.N) + `]}`)}
	}
	reply := made(q)
	reasoning := item("reasoning", who, q.N)
	for i, chunk := range reply.Chunks {
		if bytes.Contains(chunk, []byte("event: response.output_item.done")) {
			done := fmt.Sprintf("event: response.output_item.done\ndata: {\"type\":\"response.output_item.done\",\"output_index\":0,\"item\":%s}\n\n", reasoning)
			reply.Chunks[i] = append([]byte(done), chunk...)
		}
	}
	reply.Body = bytes.Replace(reply.Body, []byte(`"output":[`), []byte(`"output":[`+reasoning+`,`), 1)
	return reply
}

// think makes an encrypted item and returns its maker.
func (p *pinRig) think(way string) string {
	p.t.Helper()
	before := len(p.served())
	target, body := "/v1/responses", `{"model":"m","input":"think"}`
	switch way {
	case "streamed":
		body = streaming(body)
	case "compacted":
		target += "/compact"
	}
	got := p.post(target, body)
	require.Equal(p.t, http.StatusOK, got.status, "%s", got.body)
	require.Contains(p.t, string(got.body), "enc_")
	return p.served()[before]
}

// inThought runs f with an upstream that thinks.
func inThought(t *testing.T, adjust func(*config.Config), f func(t *testing.T, p *pinRig)) {
	t.Helper()
	p := &pinRig{}
	inBubble(t, setup{adjust: adjust, script: p.script(thinking)}, func(t *testing.T, r *rig) {
		p.rig = r
		f(t, p)
	})
}

func TestEncrypted_GoesToItsMakerWithoutAffinity(t *testing.T) {
	t.Parallel()
	for _, way := range []string{"whole", "streamed", "compacted"} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			inThought(t, inTurn, func(t *testing.T, p *pinRig) {
				for range 3 {
					maker := p.think(way)
					n := p.upstream.Calls(secretOf(maker))
					body := fmt.Sprintf(`{"model":"m","input":[%s,{"role":"user","content":"go on"}]}`, item("reasoning", maker, n))
					for range 3 {
						require.Equal(t, http.StatusOK, p.post("/v1/responses", body, "X-Request-Id", "next").status)
						require.Equal(t, secretOf(maker), p.lastRequest().Key)
						require.Equal(t, body, string(p.lastRequest().Body))
						record := p.record("next")
						require.Equal(t, actors.WhyBound, record.Attempts[0].Why)
						require.Zero(t, record.Dropped)
					}
				}
			})
		})
	}
}

// The latest item is the one that counts: what is before it was made in the same conversation
// by credentials that have failed since.
func TestEncrypted_TheLatestMakerGoesFirst(t *testing.T) {
	t.Parallel()
	inThought(t, inTurn, func(t *testing.T, p *pinRig) {
		one, two := p.think("whole"), p.think("whole")
		require.NotEqual(t, one, two)
		body := fmt.Sprintf(`{"model":"m","input":[%s,%s,%s]}`, item("reasoning", one, 1), item("reasoning", two, 1), item("reasoning", "nobody", 1))
		require.Equal(t, http.StatusOK, p.post("/v1/responses", body, "X-Request-Id", "next").status)
		require.Equal(t, secretOf(two), p.lastRequest().Key)
		require.Equal(t, fmt.Sprintf(`{"model":"m","input":[%s,%s]}`, item("reasoning", two, 1), item("reasoning", "nobody", 1)), string(p.lastRequest().Body))
		require.Equal(t, 1, p.record("next").Dropped)
	})
}

func TestEncrypted_OutranksTheSession(t *testing.T) {
	t.Parallel()
	inThought(t, sticky, func(t *testing.T, p *pinRig) {
		s := []string{"X-Session-ID", "s"}
		require.Equal(t, http.StatusOK, p.post("/v1/responses", `{"model":"m","input":"hi"}`, s...).status)
		bound := p.served()[0]
		maker := p.think("whole")
		require.NotEqual(t, bound, maker)
		body := fmt.Sprintf(`{"model":"m","input":[%s]}`, item("reasoning", maker, 1))
		require.Equal(t, http.StatusOK, p.post("/v1/responses", body, s...).status)
		require.Equal(t, secretOf(maker), p.lastRequest().Key)
	})
}

// Whoever cannot read an item gets the request without it, and with every other byte.
func TestEncrypted_IsLeftOutForOtherAccountsOnly(t *testing.T) {
	t.Parallel()
	const other = `{"role":"user", "content":"\u0068i, enc_a_1 \"encrypted_content\""} `
	mine, unknown, compaction := item("reasoning", "a", 1), item("reasoning", "nobody", 7), item("compaction", "a", 1)
	bodies := map[string]struct {
		before, after string
		dropped       int
	}{
		"model first":       {`{"model":"alias-of-m","input":[` + mine + `,` + other + `],"x":1.0}`, `{"model":"m","input":[` + other + `],"x":1.0}`, 1},
		"model last":        {`{ "input" : [` + other + `,` + mine + `] ,"x":[ ],"model": "alias-of-m" }`, `{ "input" : [` + other + `] ,"x":[ ],"model": "m" }`, 1},
		"no alias":          {`{"input":[` + mine + `,` + other + `],"model":"m"}`, `{"input":[` + other + `],"model":"m"}`, 1},
		"suffix":            {`{"input":[` + mine + `,` + other + `],"model":"alias-of-m(high)"}`, `{"input":[` + other + `],"model":"m","reasoning":{"effort":"high"}}`, 1},
		"several":           {`{"model":"alias-of-m","input":[` + mine + "\n,\n" + mine + `,` + other + `,` + mine + `]}`, `{"model":"m","input":[` + other + `]}`, 3},
		"nothing else":      {`{"model":"m","input":[` + mine + `]}`, `{"model":"m","input":[]}`, 1},
		"unknown are kept":  {`{"model":"m","input":[` + unknown + `,` + mine + `,` + unknown + `]}`, `{"model":"m","input":[` + unknown + `,` + unknown + `]}`, 1},
		"only unknown":      {`{"model":"m","input":[` + unknown + `]}`, `{"model":"m","input":[` + unknown + `]}`, 0},
		"compaction":        {`{"model":"m","input":[` + compaction + `,` + other + `]}`, `{"model":"m","input":[` + other + `]}`, 1},
		"input given twice": {`{"model":"m","input":[` + mine + `],"input":[` + mine + `,` + other + `]}`, `{"model":"m","input":[` + mine + `],"input":[` + other + `]}`, 1},
		"a large one":       {`{"model":"alias-of-m","input":[` + mine + `,` + other + `],"x":"` + strings.Repeat("x", 100_000) + `"}`, `{"model":"m","input":[` + other + `],"x":"` + strings.Repeat("x", 100_000) + `"}`, 1},
	}
	accounts := func(c *config.Config) { // filled first to last
		all := c.Providers[0].Credentials
		all[0].Account, all[1].Account, all[2].Account = "acme", "acme", "other"
		c.Providers[0].Models = append(c.Providers[0].Models, config.Model{Name: "m2"})
	}
	sent := func(p *pinRig, id string) string {
		p.t.Helper()
		last := p.lastRequest()
		require.Equal(p.t, secretOf(id), last.Key)
		return string(last.Body)
	}
	for name, body := range bodies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, over := range []string{"in process", "sockets"} {
				check := func(t *testing.T, p *pinRig) {
					require.Equal(t, "a", p.think("whole"))
					whole := strings.ReplaceAll(body.before, "alias-of-m", "m")
					if strings.Contains(whole, "(high)") {
						whole = strings.Replace(whole, `"m(high)"`, `"m","reasoning":{"effort":"high"}`, 1)
					}

					require.Equal(t, http.StatusOK, p.post("/v1/responses", body.before, "X-Request-Id", "maker").status)
					require.Equal(t, whole, sent(p, "a"))
					require.Zero(t, p.record("maker").Dropped)

					p.fail("a", http.StatusInternalServerError)
					require.Equal(t, http.StatusOK, p.post("/v1/responses", body.before, "X-Request-Id", "fellow").status)
					require.Equal(t, whole, sent(p, "b"))
					require.Zero(t, p.record("fellow").Dropped)

					p.fail("b", http.StatusInternalServerError)
					require.Equal(t, http.StatusOK, p.post("/v1/responses", body.before, "X-Request-Id", "stranger").status)
					require.Equal(t, body.after, sent(p, "c"))
					require.Equal(t, body.dropped, p.record("stranger").Dropped)
				}
				if over == "sockets" {
					p := &pinRig{}
					p.rig = start(t, setup{adjust: accounts, script: p.script(thinking)})
					check(t, p)
					continue
				}
				inThought(t, accounts, check)
			}
		})
	}
}

// In one request: the maker gets all of it and fails, a stranger gets it without.
func TestEncrypted_IsLeftOutInTheSameRequest(t *testing.T) {
	t.Parallel()
	inThought(t, nil, func(t *testing.T, p *pinRig) {
		require.Equal(t, "a", p.think("whole"))
		p.fail("a", http.StatusTooManyRequests)
		body := `{"model":"m","input":[` + item("reasoning", "a", 1) + `,{"role":"user","content":"hi"}]}`
		require.Equal(t, http.StatusOK, p.post("/v1/responses", body, "X-Request-Id", "both").status)
		requests := p.upstream.Requests()
		require.Equal(t, []string{"a", "a", "b"}, p.served())
		require.Equal(t, body, string(requests[1].Body))
		require.Equal(t, `{"model":"m","input":[{"role":"user","content":"hi"}]}`, string(requests[2].Body))
		require.Equal(t, 1, p.record("both").Dropped)
	})
}

func TestEncrypted_AMakerThatIsGoneIsReplaced(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*config.Config){
		"disabled": func(c *config.Config) { c.Providers[0].Credentials[0].Disabled = true },
		"removed":  func(c *config.Config) { c.Providers[0].Credentials = c.Providers[0].Credentials[1:] },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inThought(t, nil, func(t *testing.T, p *pinRig) {
				require.Equal(t, "a", p.think("whole"))
				p.reconfigure(change)
				body := `{"model":"m","input":[` + item("reasoning", "a", 1) + `,{"role":"user","content":"hi"}]}`
				require.Equal(t, http.StatusOK, p.post("/v1/responses", body).status)
				require.Equal(t, secretOf("b"), p.lastRequest().Key)
				require.Equal(t, `{"model":"m","input":[{"role":"user","content":"hi"}]}`, string(p.lastRequest().Body))
			})
		})
	}
}

// Where a response lies is a must, who encrypted something is a wish.
func TestEncrypted_YieldsToAPreviousResponse(t *testing.T) {
	t.Parallel()
	inThought(t, inTurn, func(t *testing.T, p *pinRig) {
		one, two := p.think("whole"), p.think("whole")
		body := fmt.Sprintf(`{"model":"m","previous_response_id":"resp_%s_1","input":[%s]}`, one, item("reasoning", two, 1))
		require.Equal(t, http.StatusOK, p.post("/v1/responses", body).status)
		require.Equal(t, secretOf(one), p.lastRequest().Key)
		require.Equal(t, fmt.Sprintf(`{"model":"m","previous_response_id":"resp_%s_1","input":[]}`, one), string(p.lastRequest().Body))
	})
}
