package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestCommands_ShowTables(t *testing.T) {
	t.Parallel()
	server := recorded(t)
	tests := map[string]func(*operation) error{
		"status":      showStatus,
		"credentials": listCredentials,
		"sessions": func(o *operation) error {
			list, err := o.list(o.ctx, "/sessions", nil, 0)
			require.NoError(t, err)
			return o.sessionTable(list)
		},
		"usage": func(o *operation) error {
			list, err := o.list(o.ctx, "/usage", nil, 0)
			require.NoError(t, err)
			return o.usageTable(list)
		},
		"requests": func(o *operation) error {
			list, err := o.list(o.ctx, "/requests", nil, 0)
			require.NoError(t, err)
			return o.requestTable(list)
		},
	}
	for name, show := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			golden(t, name, shown(t, server, show))
		})
	}
}

func TestExplain_TellsWhatHappened(t *testing.T) {
	t.Parallel()
	server := recorded(t)
	for _, id := range []string{"slow", "twice", "nobody", "refused", "turn-2"} {
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			golden(t, "explain-"+id, shown(t, server, func(o *operation) error { return o.explain(id) }))
		})
	}
}

// Rare things that the recorded requests do not have.
func TestStory_TellsRareThings(t *testing.T) {
	t.Parallel()
	r := requestView{
		ID: "a\x1b[2Jb", Asked: "m", Used: "n", Client: "team", FormatIn: "openai-chat", FormatOut: "anthropic", Operation: "generate",
		Status: 499, Lost: []string{"logit_bias"}, Dropped: 1, TotalMS: 10,
	}
	for _, why := range []string{"pin", "warm", "probe"} {
		r.Attempts = append(r.Attempts, attemptView{Credential: why, Why: why, Outcome: "transient", TotalMS: 3})
	}
	require.NoError(t, json.Unmarshal([]byte(`{"ready":0,"rejected":[{"credential":"a","reason":"lower-tier"},{"credential":"b","reason":"saturated"},
		{"credential":"c","reason":"excluded-model"},{"credential":"d","reason":"disabled"}],"more":7}`), &r.Rejected))
	story := r.story(time.UTC)
	for _, want := range []string{
		`client key "team"`, "exists only there", "served this session before", "find out whether it still must",
		"no answer (transient)", "a (of a lower priority); b (at its max-concurrency); c (does not serve this model); d (disabled); and 7 more",
		"it went away", `served as "n"`, "translated to anthropic", "could not say: logit_bias", "1 item of encrypted reasoning left out",
		"9ms in attempts that failed (90 %)",
	} {
		require.Contains(t, story, want)
	}
	require.NotContains(t, story, "\x1b", "nothing that a client chose reaches the terminal as it is")
}

func TestEvents_AreToldUntilTheGatewayEnds(t *testing.T) {
	t.Parallel()
	server := recorded(t)
	got := command(t, "", on(server, "events", "--json")...)
	require.Equal(t, exitUnavailable, got.code)
	lines := strings.Split(strings.TrimSpace(got.out), "\n")
	require.Len(t, lines, recordedEvents)
	for _, line := range lines {
		require.True(t, json.Valid([]byte(line)), line)
	}
	var out bytes.Buffer
	o := &operation{out: &out, now: func() time.Time { return time.Time{} }}
	stream := "data: {\"dropped\":3,\"kind\":\"configuration\",\"what\":\"applied\",\"changes\":[\"a\",\"b\"],\n" +
		"data: \"until\":\"0001-01-01T00:00:02Z\"}\n\n: alive\n\n"
	require.Error(t, o.follow(t.Context(), strings.NewReader(stream)))
	require.Equal(t, "(3 events are missing here: they came faster than they could be shown)\n"+
		"00:00:00.000 configuration applied for=2s changes=a,b\n", out.String())
	golden(t, "events", shown(t, server, func(o *operation) error {
		resp, err := o.send(o.ctx, "GET", "/events", nil, nil)
		require.NoError(t, err)
		defer resp.Body.Close()
		require.Error(t, o.follow(o.ctx, resp.Body))
		return nil
	}))
}

func FuzzReadEvents(f *testing.F) {
	f.Add("id: 1\ndata: {}\n\n: alive\n\ndata: a\ndata: b\n\n")
	f.Add("data\n\ndata:\n\ndata: open end")
	f.Fuzz(func(t *testing.T, stream string) {
		seen := 0
		_ = readEvents(strings.NewReader(stream), func(data []byte) error {
			seen += len(data)
			require.NotEmpty(t, data)
			return nil
		})
		require.LessOrEqual(t, seen, len(stream))
	})
}

func TestSpan_IsShort(t *testing.T) {
	t.Parallel()
	for want, d := range map[string]time.Duration{
		"0s": -time.Second, "12µs": 12345, "1.2ms": 1234567, "1.5s": 1500 * time.Millisecond, "1m40s": 100 * time.Second,
		"2h5m": 2*time.Hour + 5*time.Minute, "3d4h": 76 * time.Hour,
	} {
		require.Equal(t, want, span(d))
	}
}
