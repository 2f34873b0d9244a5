package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/internal/fake"
)

// manageKey is the management key of rigs that have one.
const manageKey = "correct horse"

func manageable(c *config.Config) {
	c.Management = config.Management{SecretKey: manageKey, AllowRemote: true}
}

// failingAtA is an upstream that fails for a and tells its key, and takes a second for others.
func failingAtA(q fake.Request) fake.Reply {
	if q.Key == secretOf("a") {
		return fake.Reply{Status: http.StatusInternalServerError, Body: []byte(`{"error":{"message":"I know ` + secretOf("a") + `"}}`)}
	}
	return later(time.Second, answerTo(q))
}

// One request that fails over is told by metrics, spans and its capture as its record has it,
// in every format, streamed or not.
func TestObserve_TellsOneStoryEverywhere(t *testing.T) {
	t.Parallel()
	for _, d := range dialects() {
		for _, stream := range []bool{false, true} {
			t.Run(fmt.Sprint(d.name, "/", stream), func(t *testing.T) {
				t.Parallel()
				inBubble(t, setup{kinds: []string{d.kind}, adjust: manageable, script: failingAtA}, func(t *testing.T, r *rig) {
					got := r.ask(d, stream, "X-Request-Id", "story-1")
					require.Equal(t, http.StatusOK, got.status)
					require.Equal(t, d.want(stream), string(got.body))
					r.settle()
					inMetrics(t, r, d)
					inCapture(t, r, d, got)
					inSpans(t, r)
				})
			})
		}
	}
}

func inMetrics(t *testing.T, r *rig, d dialect) {
	require.Equal(t, http.StatusUnauthorized, r.get("/metrics").status, "a client's key is none for it")
	text := string(r.get("/metrics", "Authorization", "Bearer "+manageKey).body)
	record, err := r.gateway.RecordOf(t.Context(), "story-1")
	require.NoError(t, err)
	require.NotNil(t, record)
	in, model := string(record.FormatIn), record.Used
	lines := strings.Split(text, "\n")
	for _, want := range []string{
		fmt.Sprintf(`understudy_requests_total{credential="b",format_in=%q,format_out=%q,model=%q,outcome="success"} 1`, in, in, model),
		fmt.Sprintf(`understudy_attempts_total{credential="a",outcome="transient",provider=%q} 1`, d.kind),
		fmt.Sprintf(`understudy_attempts_total{credential="b",outcome="success",provider=%q} 1`, d.kind),
		fmt.Sprintf(`understudy_rests_total{credential="a",kind="transient",provider=%q} 1`, d.kind),
		fmt.Sprintf(`understudy_tokens_total{credential="b",kind="input",model=%q} %d`, model, record.Usage.InputTokens),
		fmt.Sprintf(`understudy_first_byte_seconds_sum{format_in=%q,model=%q} 1`, in, model),
		fmt.Sprintf(`understudy_request_duration_seconds_sum{format_in=%q,model=%q} 1`, in, model),
		fmt.Sprintf(`understudy_gateway_overhead_seconds_sum{format_in=%q} 0`, in),
		`understudy_in_flight_requests 0`,
		`understudy_waiting_requests 0`,
	} {
		require.Contains(t, lines, want)
	}
}

func inCapture(t *testing.T, r *rig, d dialect, got answer) {
	captures := r.watch.captures()
	require.Len(t, captures, 1)
	require.Contains(t, captures[0], string(got.body))
	require.Contains(t, captures[0], "request_id: story-1\n")
	require.Contains(t, captures[0], "attempt 1: a at "+d.kind)
	require.Contains(t, captures[0], "attempt 2: b at "+d.kind)
}

func inSpans(t *testing.T, r *rig) {
	var credentials []string
	for _, s := range r.watch.spans.GetSpans() {
		for _, a := range s.Attributes {
			if a.Key == "understudy.credential" {
				credentials = append(credentials, strings.Fields(s.Name)[0]+" "+a.Value.AsString())
			}
		}
	}
	require.Len(t, credentials, 4, "two acquires and two attempts")
	require.Equal(t, "acquire a", credentials[0])
	require.Equal(t, "acquire b", credentials[2])
	require.Regexp(t, " a$", credentials[1])
	require.Regexp(t, " b$", credentials[3])
}

// A request that waits is seen to wait.
func TestObserve_SeesRequestsThatWait(t *testing.T) {
	t.Parallel()
	s := setup{ids: []string{"a"}, adjust: func(c *config.Config) {
		manageable(c)
		c.Retry.MaxWait = time.Minute
		c.Providers[0].Credentials[0].MaxConcurrency = 1
	}, script: func(q fake.Request) fake.Reply { return later(time.Second, answerTo(q)) }}
	inBubble(t, s, func(t *testing.T, r *rig) {
		done := make(chan int, 2)
		for range 2 {
			go func() { done <- r.ask(dialects()[0], false).status }()
		}
		r.settle()
		text := string(r.get("/metrics", "X-Management-Key", manageKey).body)
		require.Contains(t, text, "understudy_waiting_requests 1\n")
		require.Contains(t, text, "understudy_in_flight_requests 2\n")
		require.Equal(t, http.StatusOK, <-done)
		require.Equal(t, http.StatusOK, <-done)
	})
}

// What an upstream says of a key reaches the client as it is, but is not written down.
func TestMG25_AnUpstreamThatTellsTheKeyIsNotQuoted(t *testing.T) {
	t.Parallel()
	told := fake.Reply{
		Status: http.StatusBadRequest, Header: http.Header{"Content-Type": {"application/json"}}, Body: []byte(`{"error":{"message":"you are ` + secretOf("a") + `"}}`),
	}
	inBubble(t, setup{ids: []string{"a"}, adjust: func(c *config.Config) { c.Logging.Requests = "errors" }, script: first(told)}, func(t *testing.T, r *rig) {
		resp := r.open(r.request(http.MethodPost, "/v1/chat/completions", dialects()[0].question1))
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusBadRequest, resp.StatusCode)
		r.settle()
		captures := r.watch.captures()
		require.Len(t, captures, 1)
		require.Contains(t, captures[0], `you are ***"`)
		list, err := r.gateway.Captures(10)
		require.NoError(t, err)
		require.Len(t, list, 1)
	})
}
