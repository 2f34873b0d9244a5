package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/internal/fake"
)

// Rules of the operator's come before the built-in ones.
func TestRT16_RT17_RT19_RT20_ErrorRules(t *testing.T) {
	t.Parallel()
	stop := config.ErrorRule{Status: 429, Action: "stop"}
	zap := saysNo(500, `{"error":{"message":"The zap 17 is out.","code":"weird"}}`)
	packed := saysNo(500, compress(t, "gzip", string(zap.Body)))
	packed.Header = http.Header{"Content-Type": {"application/json"}, "Content-Encoding": {"gzip"}}
	event := fake.Reply{
		Header: http.Header{"Content-Type": {"text/event-stream"}},
		Chunks: [][]byte{[]byte(`data: {"error":{"message":"The zap 17 is out.","code":"weird"}}` + "\n\n")},
	}
	const rest = 10 * time.Minute
	tests := map[string]struct {
		reply      fake.Reply
		provider   []config.ErrorRule
		credential []config.ErrorRule // of a
		off        bool               // cooldown
		status     int
		served     string
		rest       time.Duration // of a; 0 = none
	}{
		"stop: no other, no round, no rest (RT16)": {reply: refusal(429), provider: []config.ErrorRule{stop}, status: 429, served: "a"},
		"another status":                             {reply: refusal(500), provider: []config.ErrorRule{stop}, status: 200, served: "ab", rest: time.Second},
		"next: another one, no rest":                 {reply: refusal(400), provider: []config.ErrorRule{{Status: 400, Action: "next"}}, status: 200, served: "ab"},
		"rest: another one, and a rest":              {reply: refusal(400), provider: []config.ErrorRule{{Status: 400, Action: "rest", Rest: rest}}, status: 200, served: "ab", rest: rest},
		"rest with cooldown off (RT17)":              {reply: refusal(500), provider: []config.ErrorRule{{Status: 500, Action: "rest", Rest: rest}}, off: true, status: 200, served: "ab", rest: rest},
		"rest shorter than the hint":                 {reply: refusal(429, "Retry-After", "9999"), provider: []config.ErrorRule{{Status: 429, Action: "rest", Rest: rest}}, status: 200, served: "ab", rest: rest},
		"rest, not the credential as a whole":        {reply: refusal(401), provider: []config.ErrorRule{{Status: 401, Action: "rest", Rest: rest}}, status: 200, served: "ab", rest: rest},
		"ignore: as without it, but no rest":         {reply: refusal(500), provider: []config.ErrorRule{{Status: 500, Action: "ignore"}}, status: 200, served: "ab"},
		"ignore what is the client's fault":          {reply: refusal(400), provider: []config.ErrorRule{{Status: 400, Action: "ignore"}}, status: 400, served: "a"},
		"ignore a refused secret":                    {reply: refusal(401), provider: []config.ErrorRule{{Status: 401, Action: "ignore"}}, status: 200, served: "ab"},
		"the body contains it":                       {reply: zap, provider: []config.ErrorRule{{BodyContains: "zap 17", Action: "stop"}}, status: 500, served: "a"},
		"not quite":                                  {reply: zap, provider: []config.ErrorRule{{BodyContains: "Zap 17", Action: "stop"}}, status: 200, served: "ab", rest: time.Second},
		"the body matches (RT19)":                    {reply: zap, provider: []config.ErrorRule{{BodyRegex: `zap \d+ is`, Action: "stop"}}, status: 500, served: "a"},
		"the packed body does (RT19)":                {reply: packed, provider: []config.ErrorRule{{Status: 500, BodyRegex: `zap \d+ is`, Action: "stop"}}, status: 500, served: "a"},
		"an event's data does (RT19)":                {reply: event, provider: []config.ErrorRule{{BodyRegex: `^\{"error".*zap`, Action: "rest", Rest: rest}}, status: 200, served: "ab", rest: rest},
		"the status matches, the body not":           {reply: zap, provider: []config.ErrorRule{{Status: 500, BodyContains: "zip", Action: "stop"}}, status: 200, served: "ab", rest: time.Second},
		"the first one counts":                       {reply: zap, provider: []config.ErrorRule{{Status: 500, Action: "stop"}, {Status: 500, Action: "next"}}, status: 500, served: "a"},
		"the credential's come first":                {reply: zap, provider: []config.ErrorRule{{Status: 500, Action: "next"}}, credential: []config.ErrorRule{{Status: 500, Action: "stop"}}, status: 500, served: "a"},
		"those of another one do not concern (RT20)": {reply: refusal(429), credential: []config.ErrorRule{stop}, status: 429, served: "ba"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ids, script := []string{"a", "b"}, plan{"a": {tt.reply}}.script
			if tt.served[0] == 'b' {
				ids, script = []string{"b", "a"}, plan{"a": {tt.reply}, "b": {tt.reply}}.script
			}
			inBubble(t, setup{ids: ids, script: script, adjust: func(c *config.Config) {
				c.Retry.Rounds, c.Cooldown.Disabled = 2, tt.off
				p := &c.Providers[0]
				p.ErrorRules = tt.provider
				for i := range p.Credentials {
					if p.Credentials[i].ID == "a" {
						p.Credentials[i].ErrorRules = tt.credential
					}
				}
			}}, func(t *testing.T, r *rig) {
				d, asked := dialects()[0], time.Now()
				got := r.ask(d, true)
				require.Equal(t, tt.status, got.status)
				require.Equal(t, tt.served, strings.Join(r.served(), ""))
				state := r.state("a", "m")
				if tt.rest == 0 {
					require.Zero(t, state)
					require.Equal(t, "active", r.view("a").Status)
					return
				}
				require.Equal(t, asked.Add(tt.rest), state.Until)
				require.True(t, state.Resting(asked))
			})
		})
	}
}

// A rule may stop a round, but not what has begun: it still says what the failure means.
func TestRT16_ARuleForAnErrorInsideAStream(t *testing.T) {
	t.Parallel()
	for _, d := range dialects() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			reply, after, sent := d.opening()
			failure := d.failing("zap")
			reply.Chunks = append(reply.Chunks[:after], failure)
			inBubble(t, setup{kinds: []string{d.kind}, script: first(reply), adjust: func(c *config.Config) {
				c.Providers[0].ErrorRules = []config.ErrorRule{{BodyContains: "zap", Action: "rest", Rest: time.Hour}}
			}}, func(t *testing.T, r *rig) {
				asked := time.Now()
				got := r.ask(d, true)
				require.Equal(t, sent+string(failure), string(got.body))
				require.Equal(t, []string{"a"}, r.served())
				require.Equal(t, asked.Add(time.Hour), r.state("a", "m").Until)
			})
		})
	}
}

// failing is an error event that says text, to follow a stream's opening.
func (d dialect) failing(text string) []byte {
	event := strings.Replace(string(d.overloaded()), "Too much.", text, 1)
	if d.array {
		return []byte(",\n" + event[1:])
	}
	return []byte(event)
}
