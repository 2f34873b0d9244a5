package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAllLoads_AreWhatTheySay(t *testing.T) {
	t.Parallel()
	sizes := map[string]int{"chat": 300, "stream": 300, "large": 256 << 10}
	for _, l := range allLoads(200) {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			openings := map[string]bool{}
			for _, raw := range l.requests {
				request, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
				require.NoError(t, err)
				body, err := io.ReadAll(request.Body)
				require.NoError(t, err)
				require.InEpsilon(t, sizes[l.name], len(body), 0.1)
				require.Equal(t, l.name == "stream", wantsStream(body))
				var chat struct{ Messages []message }
				require.NoError(t, json.Unmarshal(body, &chat))
				require.GreaterOrEqual(t, len(chat.Messages), 2)
				openings[chat.Messages[0].Content+chat.Messages[1].Content] = true
			}
			require.Len(t, openings, conversations, "every conversation is a session of its own")
		})
	}
}

func TestSelectLoads_ByName(t *testing.T) {
	t.Parallel()
	loads := []load{{name: "a"}, {name: "b"}, {name: "c"}}
	selected, err := selectLoads(loads, []string{"c", "a"})
	require.NoError(t, err)
	require.Equal(t, []load{{name: "c"}, {name: "a"}}, selected)
	selected, err = selectLoads(loads, nil)
	require.NoError(t, err)
	require.Equal(t, loads, selected)
	_, err = selectLoads(loads, []string{"d"})
	require.ErrorContains(t, err, `"d"`)
}

func TestUpstream_AnswersByModel(t *testing.T) {
	t.Parallel()
	u := newUpstream(upstreamScript{chunks: 3})
	tests := map[string]struct {
		model string
		want  []byte
	}{
		"plain":  {modelChat, chatAnswer()},
		"stream": {modelStream, slices.Concat(streamEvents(3)...)},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := httptest.NewRecorder()
			before := u.begun.Load()
			u.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/v1/chat/completions", bytes.NewReader(chatBody(tt.model, 1, 300))))
			require.Equal(t, string(tt.want), w.Body.String())
			require.Equal(t, before+1, u.begun.Load())
		})
	}
}

func TestStreamEvents_AreAsManyAsAsked(t *testing.T) {
	t.Parallel()
	events := streamEvents(5)
	require.Len(t, events, 5)
	require.Equal(t, 6, bytes.Count(slices.Concat(events...), []byte("data: ")), "one more is the end mark")
	require.True(t, bytes.HasSuffix(events[4], []byte("data: [DONE]\n\n")))
	require.Contains(t, string(events[4]), `"usage":{`)
}
