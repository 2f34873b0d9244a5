package chat

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/internal/llm"
)

func TestAnswer_CallsToolsByTheClientsNames(t *testing.T) {
	t.Parallel()
	name := "mcp.server/" + strings.Repeat("x", 80)
	r := reply()
	r.Request.Tools = append(r.Request.Tools, llm.Tool{Kind: llm.Function, Name: name}, llm.Tool{Kind: llm.Custom, Name: "my shell"})
	a := &llm.Answer{Parts: []llm.Part{
		called("1", llm.SafeID(name, 64), "{}"), called("2", llm.SafeID("my shell", 64), `{"input":"ls"}`),
	}, Reason: llm.ToolCalls}
	e := Codec{}.StreamEncoder(r)
	var stream []byte
	for _, event := range a.Events() {
		stream = e.Encode(stream, event)
	}
	for _, out := range []string{string(Codec{}.EncodeAnswer(nil, a, r)), string(stream)} {
		require.Contains(t, out, `"name":"`+name+`"`)
		require.Contains(t, out, `"custom":{"name":"my shell","input":"ls"}`)
	}
}

func TestEncodeRequest_RefusesWhatTheAnswerDependsOn(t *testing.T) {
	t.Parallel()
	media := func(m llm.Media) *llm.Request { return conversationOf(user(&m)) }
	tool := func(tool llm.Tool) *llm.Request {
		r := conversationOf(user(said("x")))
		r.Tools = []llm.Tool{tool}
		return r
	}
	continued := conversationOf(user(said("x")))
	continued.PreviousResponseID = "resp_1"
	for what, tt := range map[string]struct {
		r      *llm.Request
		target llm.Target
	}{
		"a previous response's id":      {continued, llm.Target{}},
		"the tool computer":             {tool(llm.Tool{Kind: llm.Builtin, Name: "computer", Raw: []byte(`{}`), Origin: llm.Messages}), llm.Target{}},
		"an image given by its file id": {media(llm.Media{Kind: llm.Image, FileID: "f", Origin: llm.Messages}), llm.Target{}},
		"a file given by its URL":       {media(llm.Media{Kind: llm.File, URL: "https://example.com/a.pdf"}), compatible()},
		"a file given by its file id":   {media(llm.Media{Kind: llm.File, FileID: "f", Origin: llm.Responses}), compatible()},
		"a sound of the type audio/ogg": {media(llm.Media{Kind: llm.Audio, MIME: "audio/ogg", Data: "b2dn"}), llm.Target{}},
		"a sound given by its URL":      {media(llm.Media{Kind: llm.Audio, URL: "gs://a/b"}), compatible()},
		"a film of the type video/mp4":  {media(llm.Media{Kind: llm.Video, MIME: "video/mp4", Data: "bXA0"}), llm.Target{}},
		"an image in a message of the role assistant": {
			conversationOf(model(&llm.Media{Kind: llm.Image, Data: "aW1n"})), llm.Target{},
		},
		"a container": {conversationOf(user(&llm.Opaque{Origin: llm.Messages, Raw: []byte(`{}`), Needed: "a container"})), llm.Target{}},
	} {
		body, lost, err := Codec{}.EncodeRequest([]byte("kept"), tt.r, tt.target)
		require.EqualError(t, err, what+" cannot be said in the format openai-chat")
		require.Equal(t, "kept", string(body))
		require.Nil(t, lost)
	}
}

func TestEncodeRequest_SaysWhatOnlyOneKindOfUpstreamTakes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		m      llm.Media
		target llm.Target
		want   string
	}{
		{llm.Media{Kind: llm.Video, URL: "https://example.com/a.mp4"}, compatible(), `{"type":"video_url","video_url":{"url":"https://example.com/a.mp4"}}`},
		{llm.Media{Kind: llm.Audio, MIME: "audio/ogg", Data: "b2dn"}, compatible(), `{"type":"input_audio","input_audio":{"data":"b2dn","format":"ogg"}}`},
		{llm.Media{Kind: llm.File, FileID: "file-1", Origin: llm.Responses}, llm.Target{}, `{"type":"file","file":{"file_id":"file-1"}}`},
		{llm.Media{Kind: llm.File, MIME: "text/csv", Data: "YSxi"}, llm.Target{}, `{"type":"file","file":{"file_data":"data:text/csv;base64,YSxi","filename":"document.csv"}}`},
		{llm.Media{Kind: llm.Image, MIME: "image/\"x\"", Data: "\"\n"}, llm.Target{}, `{"type":"image_url","image_url":{"url":"data:image/\"x\";base64,\"\n"}}`},
	} {
		require.Equal(t, `[{"role":"user","content":[`+tt.want+`]}]`, messagesOf(t, conversationOf(user(&tt.m)), tt.target))
	}
}

// TestSignature_ComesBackFromAClient gives a client an answer and takes it back as history.
func TestSignature_ComesBackFromAClient(t *testing.T) {
	t.Parallel()
	for _, signed := range []*llm.Thinking{
		{Signature: "c2ln", Origin: llm.Gemini},
		{Signature: "c2ln", Origin: llm.Messages, Redacted: true},
		{Signature: "c2ln", Origin: llm.Responses},
	} {
		parts := []llm.Part{said("a"), signed, called("1", "f", "{}")}
		body := string(Codec{}.EncodeAnswer(nil, &llm.Answer{Parts: parts}, reply()))
		_, message, _ := strings.Cut(body, `"message":`)
		message, _, _ = strings.Cut(message, `,"logprobs"`)
		require.Equal(t, parts, decoded(t, `{"messages":[`+message+`]}`).Messages[0].Parts)
		require.Equal(t, signed.Origin == llm.Gemini, strings.Contains(body, `"extra_content":{"google":{"thought_signature":"c2ln"}}`))
	}
}

func TestStreamEncoder_TellsHowFarItHasCome(t *testing.T) {
	t.Parallel()
	e := Codec{}.StreamEncoder(reply())
	require.Zero(t, e.Progress())
	var out []byte
	for _, event := range (&llm.Answer{Parts: []llm.Part{said("a")}}).Events() {
		out = e.Encode(out, event)
	}
	require.Equal(t, llm.Progress{Elements: strings.Count(string(out), "\n\n")}, e.Progress())
}

func TestStreamEncoder_TellsUsageOnlyToThoseWhoAsk(t *testing.T) {
	t.Parallel()
	r := reply()
	r.Request.StreamUsage = false
	e := Codec{}.StreamEncoder(r)
	var out []byte
	for _, event := range (&llm.Answer{Parts: []llm.Part{said("a")}, Usage: llm.Usage{Input: 1}}).Events() {
		out = e.Encode(out, event)
	}
	require.NotContains(t, string(out), "usage")
	require.True(t, strings.HasSuffix(string(out), "\n\ndata: [DONE]\n\n"))
}
