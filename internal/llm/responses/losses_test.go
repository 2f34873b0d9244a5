package responses

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/internal/llm"
)

// losing returns for each entry of the table a request that loses it, and nothing else.
func losing() map[lost]*llm.Request {
	said := func(parts ...llm.Part) *llm.Request { return &llm.Request{Messages: []llm.Message{user(parts...)}} }
	sampled := func(s llm.Sampling) *llm.Request { return &llm.Request{Sampling: s} }
	tool := func(t llm.Tool) *llm.Request { return &llm.Request{Tools: []llm.Tool{t}} }
	image := llm.Media{Kind: llm.Image, URL: "https://x.example/a.png"}
	named, marked := image, image
	named.Name = "a.png"
	marked.Cache = &llm.Cache{}
	return map[lost]*llm.Request{
		lostCache:       said(&marked),
		lostMaxTokens:   {MaxTokens: ptr(int64(15))},
		lostName:        {Messages: []llm.Message{{Role: llm.User, Name: "ann", Parts: []llm.Part{say("a")}}}},
		lostThinking:    {Messages: []llm.Message{assistant(&llm.Thinking{Text: "t"}, say("a"))}},
		lostCall:        {Messages: []llm.Message{assistant(toolCall("1", "f", ""))}},
		lostFailed:      {Messages: []llm.Message{assistant(toolCall("1", "f", "")), user(&llm.ToolResult{ID: "1", Failed: true})}},
		lostMediaName:   said(&named),
		lostMediaText:   said(&llm.Media{Kind: llm.File, Text: "words"}),
		lostOpaque:      said(&llm.Opaque{Origin: llm.Messages, Raw: []byte(`{"type":"container"}`)}),
		lostMetadata:    {Metadata: map[string]string{strings.Repeat("k", 65): "v"}},
		lostAudio:       {Output: llm.Output{Audio: []byte(`{"voice":"alloy"}`)}},
		lostBudget:      {Reasoning: llm.Reasoning{Budget: ptr(int64(1000))}},
		lostSafety:      {Safety: []byte(`[]`)},
		lostCandidates:  sampled(llm.Sampling{Candidates: ptr(int64(2))}),
		lostFrequency:   sampled(llm.Sampling{FrequencyPenalty: ptr(0.0)}),
		lostLogProbs:    sampled(llm.Sampling{LogProbs: ptr(true)}),
		lostPresence:    sampled(llm.Sampling{PresencePenalty: ptr(0.1)}),
		lostSeed:        sampled(llm.Sampling{Seed: ptr(int64(1))}),
		lostTopK:        sampled(llm.Sampling{TopK: ptr(int64(1))}),
		lostTopLogProbs: sampled(llm.Sampling{TopLogProbs: ptr(int64(1))}),
		lostTier:        {ServiceTier: "batch"},
		lostStop:        {Stop: []string{"END"}},
		lostNamespace:   tool(llm.Tool{Kind: llm.Function, Name: "a__f", Namespace: "a"}),
		lostSearch:      tool(llm.Tool{Kind: llm.WebSearch, Name: "web_search", Origin: llm.Messages, Raw: []byte(`{}`)}),
	}
}

func TestLosses_EachCanOccur(t *testing.T) {
	t.Parallel()
	requests := losing()
	require.Len(t, requests, len(table))
	for which, r := range requests {
		_, lost := encodeRequest(t, r)
		require.Equal(t, []llm.Loss{table[which]}, lost)
	}
	require.Equal(t, table[:], Codec{}.Losses())
}

func TestEncodeRequest_NotesEveryCacheMarker(t *testing.T) {
	t.Parallel()
	marker := &llm.Cache{TTL: "1h"}
	marked := &llm.Text{Text: "a", Cache: marker}
	for name, r := range map[string]*llm.Request{
		"of the request":     {Cache: marker},
		"of instructions":    {Messages: []llm.Message{{Role: llm.System, Parts: []llm.Part{marked}}, user(say("b"))}},
		"of a text":          {Messages: []llm.Message{user(marked)}},
		"of the assistant's": {Messages: []llm.Message{assistant(marked)}},
		"of a call":          {Messages: []llm.Message{assistant(&llm.ToolCall{ID: "1", Name: "f", Cache: marker}), user(toolResult("1"))}},
		"of a result":        {Messages: []llm.Message{assistant(toolCall("1", "f", "")), user(&llm.ToolResult{ID: "1", Cache: marker})}},
		"inside a result":    {Messages: []llm.Message{assistant(toolCall("1", "f", "")), user(toolResult("1", marked))}},
		"inside a lost one":  {Messages: []llm.Message{user(toolResult("1", marked))}},
		"of a tool":          {Tools: []llm.Tool{{Kind: llm.Function, Name: "f", Cache: marker}}},
	} {
		_, lost := encodeRequest(t, r)
		require.Equal(t, []llm.Loss{table[lostCache]}, lost, name)
	}
}

// docs/formats.md lists what the code knows.
func TestLosses_AreInTheDocs(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../../../docs/formats.md")
	require.NoError(t, err)
	_, section, found := strings.Cut(string(doc), "\n## OpenAI Responses\n")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "\n## ")
	_, rows, found := strings.Cut(section, "\n| what | why |\n| --- | --- |\n")
	require.True(t, found)
	var listed []llm.Loss
	for line := range strings.Lines(rows) {
		cells := strings.Split(strings.TrimSpace(line), " | ")
		if len(cells) != 2 {
			break
		}
		listed = append(listed, llm.Loss{Path: strings.Trim(cells[0], "| `"), Reason: strings.Trim(cells[1], "| ")})
	}
	require.ElementsMatch(t, Codec{}.Losses(), listed)
}
