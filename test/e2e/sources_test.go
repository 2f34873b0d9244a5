package e2e

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/actors"
	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/internal/session"
)

// lastRecord returns what the gateway has noted of the request that was sent last. It is
// certain to be there only when requests are served in process.
func (r *rig) lastRecord() *actors.Record {
	r.t.Helper()
	records, err := r.gateway.Records(r.t.Context(), 1)
	require.NoError(r.t, err)
	require.Len(r.t, records, 1)
	return records[0]
}

// AF13: of several signals the strongest counts, and the record says which.
func TestAF13_TheStrongestSignalCounts(t *testing.T) {
	t.Parallel()
	r := start(t, setup{adjust: sticky, bubble: true})
	body, header := "", []string{}
	hashes := map[session.Key]session.Source{}
	for _, step := range []struct {
		source      session.Source
		member      string
		name, value string
	}{
		{},
		{source: session.SourceOpening, member: `,"messages":[{"role":"user","content":"hi"}]`},
		{source: session.SourceConversation, member: `,"conversation":"c1"`},
		{source: session.SourceUser, member: `,"metadata":{"user_id":"ann"}`},
		{source: session.SourceSession, member: `,"session_id":"s1"`},
		{source: session.SourcePromptCacheKey, member: `,"prompt_cache_key":"k1"`},
		{source: session.SourceAffinity, name: "X-Session-Affinity", value: "a1"},
		{source: session.SourceCodex, name: "session_id", value: "t1"},
		{source: session.SourceHeader, name: "X-Session-ID", value: "h1"},
		{source: session.SourceClaude, name: "X-Claude-Code-Session-Id", value: uuid1},
	} {
		body += step.member
		if step.name != "" {
			header = append(header, step.name, step.value)
		}
		noise := append([]string{"X-Client-Request-Id", "r1", "Idempotency-Key", "i1"}, header...)
		require.Equal(t, http.StatusOK, r.post("/v1/chat/completions", `{"model":"m"`+body+`}`, noise...).status)
		record := r.lastRecord()
		require.Equal(t, step.source, record.Source)
		require.Equal(t, step.source == "", record.Session.IsZero())
		require.Empty(t, hashes[record.Session], "another one than that of %s", hashes[record.Session])
		hashes[record.Session] = step.source
	}
}

// AF15: header names match in any case, also for a host that calls the handler itself.
func TestAF15_HeaderNamesMatchInAnyCase(t *testing.T) {
	t.Parallel()
	for _, bubble := range []bool{false, true} {
		t.Run(fmt.Sprint("in process ", bubble), func(t *testing.T) {
			t.Parallel()
			r := start(t, setup{adjust: sticky, bubble: bubble})
			for _, name := range []string{"X-Session-Id", "x-session-id", "X-SESSION-ID", "x-Session-iD"} {
				req := r.request(http.MethodPost, "/v1/chat/completions", `{"model":"m"}`)
				req.Header[name] = []string{"s"} // as it stands
				require.Equal(t, http.StatusOK, r.send(req).status)
				if bubble {
					require.Equal(t, session.SourceHeader, r.lastRecord().Source, name)
				}
			}
			requireSame(t, r.served())
		})
	}
}

func TestAF36_SeveralIDsNameOneBinding(t *testing.T) {
	t.Parallel()
	key, conv := `,"prompt_cache_key":"k1"`, `,"conversation":"c1"`
	other := chatTurn(`,"conversation":"c2"`)
	tests := map[string]struct{ together, apart []turn }{
		"key and conversation, then only that (AF36)":       {[]turn{chatTurn(key + conv), chatTurn(conv)}, []turn{other}},
		"key, then both, then only the conversation (AF37)": {[]turn{chatTurn(key), chatTurn(key + conv), chatTurn(conv), chatTurn(key), chatTurn(conv)}, []turn{other}},
		"a header comes and goes":                           {[]turn{headerTurn("X-Session-ID", "s1"), withHeader(chatTurn(key), "X-Session-ID", "s1"), chatTurn(key)}, []turn{headerTurn("X-Session-ID", "s2")}},
		"one key, two conversations (AF38)":                 {[]turn{chatTurn(key + conv), chatTurn(conv), chatTurn(key + conv)}, []turn{chatTurn(key + `,"conversation":"c2"`), other}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, setup{adjust: sticky}, func(t *testing.T, r *rig) {
				one := r.play(tt.together...)
				requireSame(t, one)
				two := r.play(tt.apart...)
				requireSame(t, two)
				require.NotEqual(t, one[0], two[0])
				requireSame(t, append(r.play(tt.together...), one[0]))
				requireSame(t, append(r.play(tt.apart...), two[0]))
			})
		})
	}
}

// AF39: the newest 64 names of a conversation are kept.
func TestAF39_TheNewestNamesAreKept(t *testing.T) {
	t.Parallel()
	inBubble(t, setup{adjust: sticky}, func(t *testing.T, r *rig) {
		key := func(i int) string { return fmt.Sprintf(`,"prompt_cache_key":"k%d"`, i) }
		var turns []turn
		for i := range 70 {
			turns = append(turns, chatTurn(key(i)+`,"conversation":"c1"`))
		}
		one := r.play(turns...)
		requireSame(t, one)
		require.Equal(t, one[:1], r.play(chatTurn(key(69))))
		require.Equal(t, one[:1], r.play(chatTurn(key(10))))
		require.Equal(t, one[:1], r.play(chatTurn(`,"conversation":"c1"`)))
		require.NotEqual(t, one[:1], r.play(chatTurn(key(0))), "forgotten: the next one's turn")
	})
}

// AF42: an opening is a session of one client only, and only where no id is given.
func TestAF42_AnOpeningIsOneClients(t *testing.T) {
	t.Parallel()
	r := start(t, setup{adjust: func(c *config.Config) {
		sticky(c)
		c.APIKeys = append(c.APIKeys, config.APIKey{Key: clientMark + "two"})
	}})
	opening := `{"model":"m","messages":[{"role":"user","content":"hi"}]}`
	grown := `{"model":"m","messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"A"},{"role":"user","content":"2"}]}`
	say := func(body string, header ...string) string {
		require.Equal(t, http.StatusOK, r.post("/v1/chat/completions", body, header...).status)
		served := r.served()
		return served[len(served)-1]
	}
	mine := say(opening)
	theirs := say(opening, "Authorization", "Bearer "+clientMark+"two")
	named := say(opening, "X-Session-ID", "s")
	requireSpread(t, []string{mine, theirs, named})
	for range 2 {
		require.Equal(t, theirs, say(grown, "Authorization", "Bearer "+clientMark+"two"))
		require.Equal(t, mine, say(grown))
		require.Equal(t, named, say(grown, "X-Session-ID", "s"))
	}
}
