package sdk_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openai/openai-go/v3/responses"
	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/internal/fake"
	"github.com/understudyhq/understudy/providers"
)

// socketWorld is an upstream behind the gateway, for clients that speak WebSocket. It asks for
// a tool when it is told to, and hangs when it is told to.
type socketWorld struct {
	name string
	kind string
	link bool // the gateway speaks WebSocket to it
}

func socketWorlds() []socketWorld {
	return []socketWorld{
		{"a WebSocket upstream", config.KindOpenAI, true},
		{"an HTTP upstream", config.KindOpenAI, false},
		{"an Anthropic upstream", config.KindAnthropic, false},
	}
}

// serve returns the world as an upstream, and how many turns it has been asked for.
func (w socketWorld) serve(turns *atomic.Int32) upstream {
	return upstream{name: w.name, providers: func(t *testing.T, _ [][]config.Fault) []config.Provider {
		sockets := fake.NewSockets(func(f fake.Frame) fake.Script {
			return fake.Script{
				Frames: fake.AsFrames(w.reply(f.Body), fmt.Sprintf("resp_%d", turns.Add(1))),
				Hang:   strings.Contains(string(f.Body), "hang"),
			}
		}, func(q fake.Request) fake.Reply {
			reply := w.reply(q.Body)
			id := fmt.Sprintf("resp_%d", turns.Add(1))
			for i, chunk := range reply.Chunks {
				reply.Chunks[i] = []byte(strings.NewReplacer("resp_fake", id, "msg_fake", "msg_"+id, "msg_1", "msg_"+id).Replace(string(chunk)))
			}
			return reply
		})
		server := httptest.NewServer(sockets)
		t.Cleanup(server.Close)
		base := server.URL
		if w.kind == config.KindOpenAI {
			base += "/v1"
		}
		return []config.Provider{{
			Name: "up", Kind: w.kind, BaseURL: base, Models: []config.Model{{Name: "m"}},
			Credentials: []config.Credential{{ID: "a", APIKey: "secret-of-a", Websockets: w.link}},
		}}
	}}
}

// reply answers the body of a request over HTTP, or a frame.
func (w socketWorld) reply(body []byte) fake.Reply {
	asked := string(body)
	switch {
	case strings.Contains(asked, "hang"):
		reply := fake.Answer(string(w.format()), true, 9)
		reply.Chunks = reply.Chunks[:7]
		reply.Hang, reply.HangAfter = true, 7
		return reply
	case strings.Contains(asked, "use the tool") && !strings.Contains(asked, "call_1_result"):
		return w.toolCall()
	default:
		return fake.Answer(string(w.format()), true, 3)
	}
}

func (w socketWorld) format() providers.Format {
	if w.kind == config.KindAnthropic {
		return providers.Anthropic
	}
	return providers.OpenAIResponses
}

// toolCall is a streamed answer that asks for a tool.
func (w socketWorld) toolCall() fake.Reply {
	var events []string
	if w.kind == config.KindAnthropic {
		events = []string{
			`{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":7,"output_tokens":1}}}`,
			`{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"call_1","name":"look","input":{}}}`,
			`{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"at\":1}"}}`,
			`{"type":"content_block_stop","index":0}`,
			`{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":9}}`,
			`{"type":"message_stop"}`,
		}
	} else {
		const call = `{"id":"fc_1","type":"function_call","status":"completed","call_id":"call_1","name":"look","arguments":"{\"at\":1}"}`
		events = []string{
			`{"type":"response.created","sequence_number":0,"response":{"id":"resp_fake","object":"response","status":"in_progress","output":[]}}`,
			`{"type":"response.output_item.added","sequence_number":1,"output_index":0,"item":` + strings.Replace(call, `{\"at\":1}`, "", 1) + `}`,
			`{"type":"response.function_call_arguments.done","sequence_number":2,"item_id":"fc_1","output_index":0,"arguments":"{\"at\":1}"}`,
			`{"type":"response.output_item.done","sequence_number":3,"output_index":0,"item":` + call + `}`,
			`{"type":"response.completed","sequence_number":4,"response":{"id":"resp_fake","object":"response","status":"completed","output":[` + call + `]}}`,
		}
	}
	reply := fake.Reply{Header: http.Header{"Content-Type": {"text/event-stream"}}}
	for _, event := range events {
		var head struct{ Type string }
		_ = json.Unmarshal([]byte(event), &head)
		reply.Chunks = append(reply.Chunks, []byte("event: "+head.Type+"\ndata: "+event+"\n\n"))
	}
	return reply
}

func inEverySocketWorld(t *testing.T, test func(t *testing.T, ctx context.Context, g *gateway, c *responses.ResponseConnection)) {
	for _, w := range socketWorlds() {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			var turns atomic.Int32
			g := startGateway(t, w.serve(&turns), setup{})
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			sdk := g.openAI()
			c, err := sdk.Responses.Connect(ctx, responses.ResponseConnectionOptions{})
			require.NoError(t, err)
			defer c.Abort()
			test(t, ctx, g, c)
		})
	}
}

// ask sends one frame and returns the response that it came to.
func ask(t *testing.T, ctx context.Context, c *responses.ResponseConnection, frame string) *responses.Response { //nolint:revive // as the SDK
	t.Helper()
	require.NoError(t, c.SendRaw(ctx, json.RawMessage(frame)))
	response, err := c.FinalResponse(ctx)
	require.NoError(t, err)
	return response
}

func turn(input, previous string) string {
	if previous != "" {
		previous = `,"previous_response_id":"` + previous + `"`
	}
	return `{"type":"response.create","model":"m","store":false,"tools":[{"type":"function","name":"look","parameters":{"type":"object","properties":{"at":{"type":"integer"}}},"strict":false}],"input":` + input + previous + `}`
}

func TestOpenAISockets_TakeTurns(t *testing.T) {
	inEverySocketWorld(t, func(t *testing.T, ctx context.Context, g *gateway, c *responses.ResponseConnection) {
		previous := ""
		for n := range 3 {
			got := ask(t, ctx, c, turn(fmt.Sprintf(`"question %d"`, n), previous))
			require.Equal(t, "word1 word2 word3", got.OutputText())
			require.NotEqual(t, previous, got.ID)
			previous = got.ID
		}
		require.Equal(t, []providers.Kind{providers.Success, providers.Success, providers.Success}, g.outcomes(t, 3))
	})
}

func TestOpenAISockets_UseTools(t *testing.T) {
	inEverySocketWorld(t, func(t *testing.T, ctx context.Context, _ *gateway, c *responses.ResponseConnection) {
		got := ask(t, ctx, c, turn(`"use the tool"`, ""))
		require.Len(t, got.Output, 1)
		call := got.Output[0].AsFunctionCall()
		require.Equal(t, "look", call.Name)
		require.JSONEq(t, `{"at":1}`, call.Arguments)
		result := fmt.Sprintf(`[{"type":"function_call_output","call_id":%q,"output":"call_1_result"}]`, call.CallID)
		got = ask(t, ctx, c, turn(result, got.ID))
		require.Equal(t, "word1 word2 word3", got.OutputText())
	})
}

func TestOpenAISockets_Cancel(t *testing.T) {
	inEverySocketWorld(t, func(t *testing.T, ctx context.Context, g *gateway, c *responses.ResponseConnection) {
		require.NoError(t, c.SendRaw(ctx, json.RawMessage(turn(`"hang"`, ""))))
		for {
			event, err := c.Recv(ctx)
			require.NoError(t, err)
			if event.Type == "response.output_text.delta" {
				break
			}
		}
		c.Abort()
		require.Equal(t, []providers.Kind{providers.Canceled}, g.outcomes(t, 1))
	})
}

func TestOpenAISockets_RunLanes(t *testing.T) {
	inEverySocketWorld(t, func(t *testing.T, ctx context.Context, _ *gateway, c *responses.ResponseConnection) {
		lanes := map[string]*responses.ResponseLane{}
		for _, name := range []string{"a", "b"} {
			lane, err := c.Lane(name)
			require.NoError(t, err)
			defer lane.Close()
			lanes[name] = lane
			frame := strings.Replace(turn(`"hi"`, ""), `"model"`, `"stream_id":"`+name+`","model"`, 1)
			require.NoError(t, c.SendRaw(ctx, json.RawMessage(frame)))
		}
		for _, lane := range lanes {
			got, err := lane.FinalResponse(ctx)
			require.NoError(t, err)
			require.Equal(t, "word1 word2 word3", got.OutputText())
		}
	})
}

func TestOpenAISockets_ShowErrors(t *testing.T) {
	inEverySocketWorld(t, func(t *testing.T, ctx context.Context, _ *gateway, c *responses.ResponseConnection) {
		require.NoError(t, c.SendRaw(ctx, json.RawMessage(`{"type":"response.create","model":"unknown","input":"hi"}`)))
		event, err := c.Recv(ctx)
		require.NoError(t, err)
		require.Equal(t, "error", event.Type)
		require.Contains(t, event.RawJSON(), "model_not_found")
		require.Equal(t, "word1 word2 word3", ask(t, ctx, c, turn(`"hi"`, "")).OutputText())
	})
}
