package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/internal/fake"
)

// recoverable are the close codes after which the same can be asked again.
var recoverable = []int{1001, 1005, 1006, 1011, 1012, 1013, 1015, fake.CutOff}

// closing returns how a fake upstream closes with a code. 1005, 1006 and 1015 are never sent.
func closing(code int) int {
	switch code {
	case 1005:
		return websocket.CloseNoStatusReceived
	case 1006, 1015:
		return fake.CutOff
	default:
		return code
	}
}

// WS19
func TestSocketLinks_AreKeptForTheNextTurn(t *testing.T) {
	inSocketBubble(t, socketSetup{pings: 20 * time.Second}, func(t *testing.T, r *socketRig) {
		c := r.dial("Openai-Beta", "responses_websockets=2026-02-06", "Session-Id", "s", "X-Other", "y")
		id := ""
		for n := range 5 {
			rest := `,"store":false`
			if n > 0 {
				rest = after(id)
			}
			id = c.ask(create(userSays(fmt.Sprint(n)), rest))
			time.Sleep(time.Minute)
		}
		opened, _ := r.sockets.Conns()
		require.Equal(t, 1, opened)
		require.Greater(t, r.sockets.Pongs(), 10, "a link that waits is not silent")
		for n, f := range r.sockets.Frames() {
			require.Equal(t, "response.create", gjson.GetBytes(f.Body, "type").String())
			require.False(t, gjson.GetBytes(f.Body, "stream").Exists())
			require.Equal(t, "user:"+fmt.Sprint(n), texts(gjson.GetBytes(f.Body, "input")))
			require.Equal(t, n > 0, gjson.GetBytes(f.Body, "previous_response_id").Exists())
			require.Equal(t, "responses_websockets=2026-02-06", f.Header.Get("Openai-Beta"))
			require.Equal(t, "y", f.Header.Get("X-Other"))
			require.Empty(t, f.Header.Get("Origin"))
		}
	})
}

// WS21: between turns.
func TestSocketLinks_ThatDiedAreReplacedWithoutNotice(t *testing.T) {
	for _, code := range recoverable {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			say := func(f fake.Frame) fake.Script {
				script := sayTo(f)
				if f.Conn == 1 {
					script.Close, script.CloseAfter, script.CloseDelay = closing(code), 1000, time.Minute
				}
				return script
			}
			inSocketBubble(t, socketSetup{say: say}, func(t *testing.T, r *socketRig) {
				c := r.dial()
				id := c.ask(create(userSays("one"), `,"store":false`))
				time.Sleep(2 * time.Minute)
				id = c.ask(create(userSays("two"), after(id)))
				body := r.lastBody()
				require.False(t, body.Get("previous_response_id").Exists())
				require.Equal(t, "user:one assistant:word1 word2 word3 user:two", texts(body.Get("input")))
				c.ask(create(userSays("three"), after(id)))
				require.Equal(t, "user:three", texts(r.lastBody().Get("input")))
				require.Equal(t, "a1 a2 a2", order(r))
				r.settle()
				require.Equal(t, "active", r.view("a").Status)
			})
		})
	}
}

// order returns which credential's connections were asked, in order.
func order(r *socketRig) string {
	var all []string
	for _, sent := range r.sent() {
		id, _, _ := strings.Cut(sent, " ")
		all = append(all, id)
	}
	return strings.Join(all, " ")
}

// WS21: the connection dies when it is asked, before anything came back. What was stored is
// asked for again as it was, what was not with all that came before.
func TestSocketLinks_ThatDieOfAQuestionAreReplacedOnce(t *testing.T) {
	for _, code := range recoverable {
		for _, store := range []string{"true", "false"} {
			t.Run(fmt.Sprint(code, " store ", store), func(t *testing.T) {
				say := func(f fake.Frame) fake.Script {
					if f.Conn == 1 && f.N == 2 {
						return fake.Script{Close: closing(code)}
					}
					return sayTo(f)
				}
				inSocketBubble(t, socketSetup{say: say}, func(t *testing.T, r *socketRig) {
					c := r.dial()
					id := c.ask(create(userSays("one"), `,"store":`+store))
					c.ask(create(userSays("two"), `,"store":`+store+`,"previous_response_id":"`+id+`"`))
					require.Equal(t, "a1 a1 a2", order(r))
					require.Equal(t, store == "true", r.lastBody().Get("previous_response_id").Exists())
				})
			})
		}
	}
}

// A first connection that dies of its question is a failed attempt: another credential serves,
// on the same socket of the client.
func TestSocketLinks_FailOverBeforeTheFirstEvent(t *testing.T) {
	failures := map[string]fake.Script{
		"429":        {Frames: [][]byte{[]byte(`{"type":"error","status":429,"error":{"code":"rate_limit_exceeded","message":"slow down"},"headers":{"retry-after":"7"}}`)}},
		"overloaded": {Frames: [][]byte{[]byte(`{"type":"error","error":{"code":"server_is_overloaded","type":"service_unavailable_error","message":"x"}}`)}},
		"handshake":  {Frames: fake.SocketAnswer("resp_x", 1)[:2], Close: fake.CutOff, CloseAfter: 9},
	}
	for _, code := range recoverable {
		failures[fmt.Sprint(code)] = fake.Script{Close: closing(code)}
	}
	for name, failure := range failures {
		t.Run(name, func(t *testing.T) {
			say := func(f fake.Frame) fake.Script {
				if idOf(f.Key) == "a" {
					return failure
				}
				return sayTo(f)
			}
			inSocketBubble(t, socketSetup{say: say}, func(t *testing.T, r *socketRig) {
				c := r.dial()
				c.ask(create(`"hi"`, ``))
				require.Equal(t, "a1 b2", order(r))
				require.Equal(t, "resting", r.view("a").Status)
			})
		})
	}
}

func TestSocketLinks_FailOverBetweenTurns(t *testing.T) {
	say := func(f fake.Frame) fake.Script {
		if idOf(f.Key) == "a" && f.N == 2 {
			return fake.Script{Frames: [][]byte{[]byte(`{"type":"error","status":429,"error":{"code":"rate_limit_exceeded","message":"slow down"}}`)}}
		}
		return sayTo(f)
	}
	inSocketBubble(t, socketSetup{say: say}, func(t *testing.T, r *socketRig) {
		c := r.dial()
		id := c.ask(create(userSays("one"), `,"store":false`))
		id = c.ask(create(userSays("two"), after(id)))
		require.Equal(t, "a1 a1 b2", order(r))
		require.Equal(t, "user:one assistant:word1 word2 word3 user:two", texts(r.lastBody().Get("input")))
		c.ask(create(userSays("three"), after(id)))
		require.Equal(t, "a1 a1 b2 b2", order(r))
		require.Equal(t, "user:three", texts(r.lastBody().Get("input")))
	})
}

// WS15: behind the first event one typed error, never two, and the socket lives.
func TestSocketLinks_TellTroubleInMidAnswerOnce(t *testing.T) {
	for _, code := range recoverable {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			say := func(f fake.Frame) fake.Script {
				script := sayTo(f)
				if f.Conn == 1 {
					script.Close, script.CloseAfter = closing(code), 5
				}
				return script
			}
			inSocketBubble(t, socketSetup{say: say}, func(t *testing.T, r *socketRig) {
				c := r.dial()
				c.say(create(`"hi"`, ``))
				last, before := c.end()
				require.Equal(t, "response.failed", last.Get("type").String())
				require.Equal(t, "upstream_error", last.Get("response.error.code").String())
				require.Equal(t, "resp_a_1_1", last.Get("response.id").String())
				require.Equal(t, 5, before)
				c.say(create(`"hi"`, ``))
				require.Equal(t, "response.created", c.next().Get("type").String(), "nothing came in between")
				_, _ = c.end()
			})
		})
	}
}

// WS14
func TestSocketLinks_ShowWhatIsTheRequestsFault(t *testing.T) {
	for code, want := range map[int]string{1008: "400 policy_violation", 1009: "413 message_too_big"} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			say := func(f fake.Frame) fake.Script {
				if f.Conn == 1 && f.N == 2 {
					return fake.Script{Close: code, Reason: "the reason"}
				}
				return sayTo(f)
			}
			inSocketBubble(t, socketSetup{say: say}, func(t *testing.T, r *socketRig) {
				c := r.dial()
				c.ask(create(`"hi"`, ``))
				c.say(create(`"hi"`, ``))
				got := c.next()
				require.Equal(t, want, got.Get("status").String()+" "+got.Get("error.code").String())
				require.Equal(t, "the reason", got.Get("error.message").String())
				require.Equal(t, "a1 a1", order(r), "nobody else is asked")
				if code == 1009 {
					mirrored, frames := c.closed()
					require.Equal(t, 1009, mirrored)
					require.Empty(t, frames)
					return
				}
				c.ask(create(`"hi"`, ``))
			})
		})
	}
}

// WS22
func TestSocketLinks_ThatAreRefusedFallBackToHTTPForTenMinutes(t *testing.T) {
	for _, status := range []int{426, 404, 503} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			upgrades := 0
			refuse := func(*http.Request) int { upgrades++; return status }
			inSocketBubble(t, socketSetup{refuse: refuse}, func(t *testing.T, r *socketRig) {
				c := r.dial("Openai-Beta", "responses_websockets=2026-02-06, other=1")
				id := c.ask(create(userSays("one"), `,"store":false`))
				c.ask(create(userSays("two"), after(id)))
				require.Equal(t, 1, upgrades)
				require.Len(t, r.sockets.Requests(), 2)
				require.Equal(t, "other=1", r.lastRequest().Header.Get("Openai-Beta"))
				require.Regexp(t, "^user:one assistant:.* user:two$", texts(r.lastBody().Get("input")))
				time.Sleep(11 * time.Minute)
				c.ask(create(`"hi"`, ``))
				require.Equal(t, 2, upgrades)
			})
		})
	}
}

func TestSocketLinks_ThatAreRefusedForTheSecretSayItOfTheCredential(t *testing.T) {
	refuse := func(r *http.Request) int {
		if strings.HasSuffix(r.Header.Get("Authorization"), secretOf("a")) {
			return http.StatusUnauthorized
		}
		return 0
	}
	inSocketBubble(t, socketSetup{refuse: refuse}, func(t *testing.T, r *socketRig) {
		c := r.dial()
		c.ask(create(`"hi"`, ``))
		require.Equal(t, "b1", order(r))
		require.Equal(t, "unauthorized", r.view("a").Status)
		require.Empty(t, r.sockets.Requests())
	})
}

func TestSocketLinks_EndBeforeTheirLifeDoes(t *testing.T) {
	inSocketBubble(t, socketSetup{}, func(t *testing.T, r *socketRig) {
		c := r.dial()
		id := c.ask(create(userSays("one"), `,"store":false`))
		for range 11 {
			time.Sleep(5*time.Minute + time.Second)
			id = c.ask(create(userSays("more"), after(id)))
		}
		opened, _ := r.sockets.Conns()
		require.Equal(t, 2, opened)
		last := r.sockets.Frames()[len(r.sockets.Frames())-1]
		require.Equal(t, 2, last.Conn)
		require.Len(t, gjson.GetBytes(last.Body, "input").Array(), 23)
	})
}

func TestSocketLinks_EndWithTheirClient(t *testing.T) {
	inSocketBubble(t, socketSetup{}, func(t *testing.T, r *socketRig) {
		c := r.dial()
		c.ask(create(`"hi"`, ``))
		require.NoError(t, c.Close())
		time.Sleep(time.Second)
		_, open := r.sockets.Conns()
		require.Zero(t, open)
	})
	hang := func(fake.Frame) fake.Script { return fake.Script{Hang: true} }
	inSocketBubble(t, socketSetup{say: hang}, func(t *testing.T, r *socketRig) {
		c := r.dial()
		c.say(create(`"hi"`, ``))
		time.Sleep(time.Second)
		require.NoError(t, c.Close())
		time.Sleep(time.Second)
		_, open := r.sockets.Conns()
		require.Zero(t, open, "an answer that nobody waits for ends, even while nothing comes")
		records, err := r.gateway.Records(t.Context(), 1)
		require.NoError(t, err)
		require.Equal(t, 499, records[0].Status)
		require.EqualValues(t, "canceled", records[0].Outcome)
	})
}

func TestSocketLinks_OfCredentialsThatLeaveFinishTheirTurn(t *testing.T) {
	say := func(f fake.Frame) fake.Script {
		script := sayTo(f)
		script.Delay = time.Second
		return script
	}
	inSocketBubble(t, socketSetup{say: say}, func(t *testing.T, r *socketRig) {
		c := r.dial()
		c.say(create(userSays("one"), `,"store":false`))
		c.next()
		changed := r.config()
		changed.Providers[0].Credentials = changed.Providers[0].Credentials[1:]
		_, err := r.gateway.Apply(changed)
		require.NoError(t, err)
		last, _ := c.end()
		require.Equal(t, "response.completed", last.Get("type").String())
		c.ask(create(userSays("two"), after(last.Get("response.id").String())))
		require.Equal(t, "a1 b2", order(r))
		require.Equal(t, "user:one assistant:word1 word2 word3 user:two", texts(r.lastBody().Get("input")))
	})
}

func TestSocketLinks_AreForgottenByUpstreamsThatSaySo(t *testing.T) {
	say := func(f fake.Frame) fake.Script {
		if f.N == 2 {
			return fake.Script{Frames: [][]byte{[]byte(`{"type":"error","status":400,"error":{"code":"previous_response_not_found","message":"Previous response with id 'x' not found.","param":"previous_response_id"}}`)}}
		}
		return sayTo(f)
	}
	inSocketBubble(t, socketSetup{say: say}, func(t *testing.T, r *socketRig) {
		c := r.dial()
		id := c.ask(create(userSays("one"), ``))
		c.ask(create(userSays("two"), `,"previous_response_id":"`+id+`"`))
		require.Equal(t, "a1 a1 a1", order(r))
		require.Equal(t, "user:one assistant:word1 word2 word3 user:two", texts(r.lastBody().Get("input")))
	})
}

// WS17
func TestSocketLinks_TakeDoneForCompleted(t *testing.T) {
	say := func(f fake.Frame) fake.Script {
		script := sayTo(f)
		last := len(script.Frames) - 1
		script.Frames[last] = []byte(strings.Replace(string(script.Frames[last]), "response.completed", "response.done", 1))
		return script
	}
	inSocketBubble(t, socketSetup{say: say}, func(t *testing.T, r *socketRig) {
		c := r.dial()
		c.say(create(userSays("one"), `,"store":false`))
		last, _ := c.end()
		require.Equal(t, "response.done", last.Get("type").String())
		c.say(create(userSays("two"), after(last.Get("response.id").String())))
		_, _ = c.end()
		require.Equal(t, "a1 a1", order(r))
		require.Equal(t, "user:two", texts(r.lastBody().Get("input")))
	})
}

// WS7, and what only the maker's memory holds.
func TestSocketLinks_KeepOnlyWhatCanBeSentBack(t *testing.T) {
	items := `{"type":"reasoning","id":"rs_1","summary":[]},{"type":"reasoning","id":"rs_2","summary":[],"encrypted_content":"e"},` +
		`{"type":"function_call","id":"fc_1","status":"completed","call_id":"c1","name":"f","arguments":"{}"},{"type":"function_call","id":"fc_2","arguments":"{}"}`
	say := func(f fake.Frame) fake.Script {
		if f.Conn > 1 {
			return sayTo(f)
		}
		return fake.Script{Close: 1001, CloseAfter: 9, Frames: [][]byte{
			[]byte(`{"type":"response.created","sequence_number":0,"response":{"id":"resp_1"}}`),
			[]byte(`{"type":"response.completed","sequence_number":1,"response":{"id":"resp_1","status":"completed","output":[` + items + `]}}`),
		}}
	}
	inSocketBubble(t, socketSetup{say: say}, func(t *testing.T, r *socketRig) {
		c := r.dial()
		id := c.ask(create(userSays("one"), `,"store":false`))
		c.ask(create(`[{"type":"function_call_output","call_id":"c1","output":"o"}]`, after(id)))
		require.JSONEq(t, `[{"type":"message","role":"user","content":"one"},{"type":"reasoning","summary":[],"encrypted_content":"e"},`+
			`{"type":"function_call","call_id":"c1","name":"f","arguments":"{}"},{"type":"function_call_output","call_id":"c1","output":"o"}]`, r.lastBody().Get("input").Raw)
	})
	// At another account the reasoning goes too, and the record says so.
	accounts := func(c *config.Config) {
		for i := range c.Providers[0].Credentials {
			c.Providers[0].Credentials[i].Account = fmt.Sprint("account-", i)
		}
	}
	moved := func(f fake.Frame) fake.Script {
		if idOf(f.Key) == "a" && f.Conn > 1 {
			return fake.Script{Frames: [][]byte{[]byte(`{"type":"error","status":429,"error":{"code":"rate_limit_exceeded","message":"x"}}`)}}
		}
		script := say(f)
		for i := range script.Frames { // what is encrypted is known by its event
			if i == 0 && f.Conn == 1 {
				script.Frames = append(script.Frames[:1:1], append([][]byte{[]byte(`{"type":"response.output_item.done","sequence_number":1,"output_index":0,"item":{"type":"reasoning","id":"rs_2","summary":[],"encrypted_content":"ZW5jcnlwdGVk"}}`)}, []byte(strings.Replace(string(script.Frames[1]), `"encrypted_content":"e"`, `"encrypted_content":"ZW5jcnlwdGVk"`, 1)))...)
			}
		}
		return script
	}
	inSocketBubble(t, socketSetup{say: moved, setup: setup{adjust: accounts}}, func(t *testing.T, r *socketRig) {
		c := r.dial()
		id := c.ask(create(userSays("one"), `,"store":false`))
		c.ask(create(`[{"type":"function_call_output","call_id":"c1","output":"o"}]`, after(id)))
		require.NotContains(t, r.lastBody().Raw, "encrypted_content")
		r.settle()
		records, err := r.gateway.Records(t.Context(), 1)
		require.NoError(t, err)
		require.Equal(t, 1, records[0].Dropped)
	})
}
