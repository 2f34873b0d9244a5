package messages

import (
	"encoding/json"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/internal/sse"
)

// accumulate puts a stream together as the vendor's SDKs do, and fails on whatever one of
// them would refuse: wrong order of blocks, a block that is not closed, anything behind the
// end. It returns the message, and whether the stream has come to its end.
func accumulate(t require.TestingT, stream []byte) (message map[string]any, whole bool) {
	a := accumulator{t: t}
	var scanner sse.Scanner
	require.NoError(t, scanner.Feed(stream, a.take))
	require.NoError(t, scanner.Close(a.take))
	return a.message, a.over
}

type accumulator struct {
	t       require.TestingT
	message map[string]any
	blocks  []any
	open    map[string]any
	input   string
	ended   bool // message_delta has come
	over    bool
	failed  bool
}

func (a *accumulator) take(event sse.Event) error {
	var e struct {
		Type    string         `json:"type"`
		Index   int            `json:"index"`
		Message map[string]any `json:"message"`
		Block   map[string]any `json:"content_block"`
		Delta   map[string]any `json:"delta"`
		Usage   map[string]any `json:"usage"`
		Error   map[string]any `json:"error"`
	}
	require.NoError(a.t, json.Unmarshal(event.Data, &e), string(event.Data))
	require.Equal(a.t, string(event.Name), e.Type)
	require.False(a.t, a.over || a.failed, "nothing may follow the end: %s", event.Data)
	if e.Type == "message_start" {
		require.Nil(a.t, a.message)
		a.message = e.Message
		return nil
	}
	require.NotNil(a.t, a.message, "message_start comes first")
	switch e.Type {
	case "content_block_start":
		require.Nil(a.t, a.open)
		require.False(a.t, a.ended)
		require.Equal(a.t, len(a.blocks), e.Index)
		a.open, a.input = e.Block, ""
	case "content_block_delta":
		require.NotNil(a.t, a.open)
		require.Equal(a.t, len(a.blocks), e.Index)
		a.delta(e.Delta)
	case "content_block_stop":
		require.NotNil(a.t, a.open)
		require.Equal(a.t, len(a.blocks), e.Index)
		a.stop()
	case "message_delta":
		require.False(a.t, a.ended)
		require.Nil(a.t, a.open)
		a.ended = true
		a.message["stop_reason"], a.message["stop_sequence"] = e.Delta["stop_reason"], e.Delta["stop_sequence"]
		a.message["usage"], a.message["content"] = e.Usage, append([]any{}, a.blocks...)
	case "message_stop":
		require.True(a.t, a.ended)
		a.over = true
	case "error":
		require.NotEmpty(a.t, e.Error["type"])
		a.failed = true
	default:
		require.Fail(a.t, "unknown event "+e.Type)
	}
	return nil
}

func (a *accumulator) delta(delta map[string]any) {
	for kind, member := range map[string][2]string{
		"text_delta": {kindText, "text"}, "thinking_delta": {kindThinking, "thinking"}, "signature_delta": {kindThinking, "signature"},
	} {
		if delta["type"] == kind {
			require.Equal(a.t, member[0], a.open["type"])
			a.open[member[1]] = a.open[member[1]].(string) + delta[member[1]].(string)
			return
		}
	}
	require.Equal(a.t, "input_json_delta", delta["type"])
	require.Equal(a.t, kindToolUse, a.open["type"])
	a.input += delta["partial_json"].(string)
}

// stop closes a block. Input that is no object is emptied, as the Go SDK does.
func (a *accumulator) stop() {
	if a.open["type"] == kindToolUse && a.input != "" {
		input := map[string]any{}
		if json.Unmarshal([]byte(a.input), &input) != nil || input == nil {
			input = map[string]any{}
		}
		a.open["input"] = input
	}
	a.blocks, a.open = append(a.blocks, a.open), nil
}
