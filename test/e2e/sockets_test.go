package e2e

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/internal/fake"
)

func TestSockets_AnswerWithTheEventsOfTheStream(t *testing.T) {
	for name, plainly := range map[string]bool{"over WebSocket": false, "over HTTP": true} {
		t.Run(name, func(t *testing.T) {
			inSocketBubble(t, socketSetup{plainly: plainly}, func(t *testing.T, r *socketRig) {
				c := r.dial()
				c.say(create(`"hi"`, ``))
				var kinds []string
				for {
					frame := c.next()
					kinds = append(kinds, strings.TrimPrefix(frame.Get("type").String(), "response."))
					if kinds[len(kinds)-1] == "completed" {
						break
					}
				}
				require.Equal(t, "created in_progress output_item.added content_part.added output_text.delta output_text.delta "+
					"output_text.delta output_text.done content_part.done output_item.done completed", strings.Join(kinds, " "))
			})
		})
	}
}

// WS1
func TestSockets_RefuseWhatTheyDoNotKnow(t *testing.T) {
	inSocketBubble(t, socketSetup{}, func(t *testing.T, r *socketRig) {
		c := r.dial()
		for frame, want := range map[string]string{
			`{"type":"response.append","input":[]}`:   "400 invalid_event_type",
			`{"type":"response.create","input":"hi"}`: "400 missing_model",
			`{"type":"response.cancel"}`:              "400 invalid_event_type",
			`{"model":"m"}`:                           "400 invalid_event_type",
			`{"type":7}`:                              "400 invalid_event_type",
			`{"type":"response.create"`:               "400 invalid_json",
			`[]`:                                      "400 invalid_json",
			`{"type":"response.create","model":"nobody","input":"hi"}`:     "404 model_not_found",
			`{"type":"response.create","model":"m","stream_id":7}`:         "400 invalid_stream_id",
			`{"type":"response.create","model":"m","stream_id":""}`:        "400 invalid_stream_id",
			`{"type":"response.create","model":"m","input":7,"model":"n"}`: "400 invalid_json",
		} {
			c.say(frame)
			got := c.next()
			require.Equal(t, want, got.Get("status").String()+" "+got.Get("error.code").String(), frame)
			require.Equal(t, "error", got.Get("type").String())
			require.NotEmpty(t, got.Get("error.message").String())
		}
		require.NotEmpty(t, c.ask(create(`"hi"`, ``)), "the socket is as good as before")
		require.Len(t, r.sockets.Frames(), 1)
	})
}

// WS2
func TestSockets_WarmUpWithoutTheUpstream(t *testing.T) {
	for _, input := range []string{`[]`, userSays("be brief")} {
		for name, plainly := range map[string]bool{"over WebSocket": false, "over HTTP": true} {
			t.Run(name, func(t *testing.T) {
				inSocketBubble(t, socketSetup{plainly: plainly}, func(t *testing.T, r *socketRig) {
					c := r.dial()
					c.say(create(input, `,"generate":false,"store":false`))
					created := c.next()
					require.Equal(t, "response.created", created.Get("type").String())
					completed := c.next()
					require.Equal(t, "response.completed", completed.Get("type").String())
					require.Equal(t, "completed", completed.Get("response.status").String())
					require.Equal(t, "[]", completed.Get("response.output").Raw)
					require.Equal(t, "0", completed.Get("response.usage.output_tokens").Raw)
					id := completed.Get("response.id").String()
					require.Equal(t, id, created.Get("response.id").String())
					require.Empty(t, r.sockets.Requests())
					require.Empty(t, r.sockets.Frames())

					c.ask(create(userSays("hi"), after(id)))
					body := r.lastBody()
					require.False(t, body.Get("previous_response_id").Exists())
					require.Equal(t, strings.TrimSpace(strings.TrimPrefix(texts(gjson.Parse(input))+" user:hi", " ")), texts(body.Get("input")))
				})
			})
		}
	}
}

// WS3
func TestSockets_SendTheWholeConversationToUpstreamsWithoutAMemory(t *testing.T) {
	number := 0
	script := func(q fake.Request) fake.Reply { // as upstreams do, each answer has an id of its own
		number++
		reply := fake.Answer("openai-responses", true, 2)
		for i := range reply.Chunks {
			reply.Chunks[i] = []byte(strings.ReplaceAll(string(reply.Chunks[i]), "resp_fake", "resp_"+string(rune('0'+number))))
		}
		return reply
	}
	inSocketBubble(t, socketSetup{plainly: true, setup: setup{script: script}}, func(t *testing.T, r *socketRig) {
		c := r.dial()
		id := c.ask(create(userSays("one"), `,"store":false`))
		id = c.ask(create(userSays("two"), after(id)))
		c.ask(create(userSays("three"), after(id)))
		body := r.lastBody()
		require.False(t, body.Get("previous_response_id").Exists())
		require.Equal(t, "user:one assistant:word1 word2 user:two assistant:word1 word2 user:three", texts(body.Get("input")))
		require.False(t, body.Get("input.1.id").Exists())

		// On another connection the gateway remembers nothing: what was not to be stored is for
		// the upstream to judge.
		r.dial().ask(create(userSays("four"), after(id)))
		require.Equal(t, id, r.lastBody().Get("previous_response_id").String())
	})
}

// WS5
func TestSockets_AppendToTheLastRequest(t *testing.T) {
	inSocketBubble(t, socketSetup{}, func(t *testing.T, r *socketRig) {
		c := r.dial()
		first := c.ask(create(userSays("one"), `,"instructions":"be brief","store":false`))
		c.ask(`{"type":"response.append","input":` + userSays("two") + `}`)
		body := r.lastBody()
		require.Equal(t, first, body.Get("previous_response_id").String())
		require.Equal(t, "be brief", body.Get("instructions").String())
		require.Equal(t, "m", body.Get("model").String())
		require.Equal(t, "user:two", texts(body.Get("input")))

		c.ask(`{"type":"response.append","instructions":"go on","input":[{"role":"developer","content":"x"}]}`)
		body = r.lastBody()
		require.True(t, body.Get("previous_response_id").Exists(), "a developer message replaces nothing")
		require.Equal(t, "go on", body.Get("instructions").String())

		for _, said := range []string{`{"role":"assistant","content":"y"}`, `{"type":"function_call","call_id":"c","name":"f","arguments":"{}"}`} {
			c.ask(`{"type":"response.append","input":[{"role":"user","content":"x"},` + said + `]}`)
			body = r.lastBody()
			require.False(t, body.Get("previous_response_id").Exists(), "it is the whole conversation")
			require.Len(t, body.Get("input").Array(), 2)
		}
	})
}

// WS10
func TestSockets_SayThatAnAnswerIsNotKnown(t *testing.T) {
	inSocketBubble(t, socketSetup{setup: setup{kinds: []string{config.KindAnthropic}}}, func(t *testing.T, r *socketRig) {
		c := r.dial()
		id := c.ask(create(userSays("one"), `,"store":false`))
		c.ask(create(userSays("two"), after(id)))
		status, code := r.dial().refused(create(userSays("three"), after(id)))
		require.EqualValues(t, http.StatusNotFound, status)
		require.Equal(t, "previous_response_not_found", code)
		c.ask(create(userSays("three"), after(id))) // here it is
	})
}

func TestSockets_KeepTheOrderInsideALane(t *testing.T) {
	say := func(f fake.Frame) fake.Script {
		script := sayTo(f)
		script.Delay = time.Second
		return script
	}
	inSocketBubble(t, socketSetup{say: say}, func(t *testing.T, r *socketRig) {
		c, began := r.dial(), time.Now()
		for _, lane := range []string{"", "", "a", "a", `b\"`} {
			rest := ""
			if lane != "" {
				rest = `,"stream_id":"` + lane + `"`
			}
			c.say(create(`"hi"`, rest))
		}
		open := map[string]int{}
		ended := map[string]int{}
		for len(ended) < 3 || ended[""] < 2 || ended["a"] < 2 {
			frame := c.next()
			lane := frame.Get("stream_id").String()
			switch frame.Get("type").String() {
			case "response.created":
				require.Zero(t, open[lane])
				open[lane]++
			case "response.completed":
				open[lane]--
				ended[lane]++
			}
		}
		require.Equal(t, map[string]int{"": 2, "a": 2, `b"`: 1}, ended)
		require.Less(t, time.Since(began), 25*time.Second, "lanes do not wait for each other")
		opened, _ := r.sockets.Conns()
		require.Equal(t, 3, opened, "one for each lane")
	})
}

func TestSockets_HaveLimits(t *testing.T) {
	hang := func(fake.Frame) fake.Script { return fake.Script{Hang: true} }
	inSocketBubble(t, socketSetup{say: hang}, func(t *testing.T, r *socketRig) {
		c := r.dial()
		for range 16 {
			c.say(create(`"hi"`, ``))
		}
		status, code := c.refused(create(`"hi"`, ``))
		require.Equal(t, "websocket_stream_limit_reached", code)
		require.EqualValues(t, http.StatusTooManyRequests, status)
	})
	inSocketBubble(t, socketSetup{}, func(t *testing.T, r *socketRig) {
		c := r.dial()
		for i := range 32 {
			c.ask(create(`"hi"`, `,"stream_id":"`+strconv.Itoa(i)+`"`))
		}
		c.ask(create(`"hi"`, ``)) // which needs no name
		c.say(create(`"hi"`, `,"stream_id":"one more"`))
		got := c.next()
		require.Equal(t, "websocket_stream_limit_reached", got.Get("error.code").String())
		require.Equal(t, "one more", got.Get("stream_id").String())
	})
}

func TestSockets_AreForClientsWithAKey(t *testing.T) {
	inSocketBubble(t, socketSetup{}, func(t *testing.T, r *socketRig) {
		_, resp, err := r.tryDial("Authorization", "Bearer wrong")
		require.Error(t, err)
		require.Equal(t, http.StatusUnauthorized, resp.StatusCode)
		_, resp, err = r.tryDial("Origin", "https://elsewhere.example")
		require.Error(t, err)
		require.Equal(t, http.StatusForbidden, resp.StatusCode)
		r.dial("Origin", "http://gateway.test")
		r.dial("Origin", "http://localhost:3000")
		got := r.get("/v1/responses")
		require.Equal(t, http.StatusUpgradeRequired, got.status)

		c := r.dial()
		c.ask(create(`"hi"`, ``))
		changed := r.config()
		changed.APIKeys = []config.APIKey{{Key: clientKey, Name: "one", Models: []string{"other-*"}}}
		_, err = r.gateway.Apply(changed)
		require.NoError(t, err)
		status, code := c.refused(create(`"hi"`, ``))
		require.Equal(t, "model_not_found", code, "its rights are looked at again")
		require.EqualValues(t, http.StatusNotFound, status)
		changed = r.config()
		changed.APIKeys = []config.APIKey{{Key: clientMark + "another", Name: "two"}}
		_, err = r.gateway.Apply(changed)
		require.NoError(t, err)
		_, code = c.refused(create(`"hi"`, ``))
		require.Equal(t, "invalid_api_key", code)
	})
}

func TestSockets_AreWrittenIntoRecords(t *testing.T) {
	inSocketBubble(t, socketSetup{setup: setup{adjust: func(c *config.Config) { c.Routing.SessionAffinity = true }}}, func(t *testing.T, r *socketRig) {
		c := r.dial("X-Request-Id", "mine")
		for range 2 {
			c.ask(create(`"hi"`, ``))
		}
		r.settle()
		records, err := r.gateway.Records(t.Context(), 10)
		require.NoError(t, err)
		require.Len(t, records, 2)
		require.Equal(t, "mine.2", records[0].RequestID)
		require.Equal(t, "mine.1", records[1].RequestID)
		for _, record := range records {
			require.EqualValues(t, "socket", record.Source)
			require.EqualValues(t, "openai-responses", record.FormatOut)
			require.EqualValues(t, 3, record.Usage.OutputTokens)
			require.Equal(t, http.StatusOK, record.Status)
		}
		require.Equal(t, records[0].Session, records[1].Session)
		require.EqualValues(t, "bound", records[0].Attempts[0].Why)
	})
}
