package chat

import (
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/understudyhq/understudy/internal/llm"
)

// chunk is an event of a stream, or a whole answer: those differ in where the words are.
type chunk struct {
	Choices []choice       `json:"choices"`
	Usage   *usage         `json:"usage"`
	XGroq   *xGroq         `json:"x_groq"`
	Error   jsontext.Value `json:"error"`
}

// xGroq is where Groq puts the usage of a stream.
type xGroq struct {
	Usage *usage `json:"usage"`
}

// opening is a first chunk or a whole answer.
type opening struct {
	heading
	chunk
}

// heading is what the first chunk tells of the answer, and every other one repeats.
type heading struct {
	ID    loose `json:"id"`
	Model loose `json:"model"`
}

type choice struct {
	Index        count  `json:"index"`
	Delta        delta  `json:"delta"`
	Message      *delta `json:"message"` // of a whole answer
	FinishReason loose  `json:"finish_reason"`
	StopReason   loose  `json:"stop_reason"` // vLLM's: which stop sequence
	Usage        *usage `json:"usage"`       // Moonshot's
}

type delta struct {
	Content          answerText    `json:"content"`
	ReasoningContent loose         `json:"reasoning_content"`
	Reasoning        loose         `json:"reasoning"`
	ReasoningDetails looseTexts    `json:"reasoning_details"`
	Refusal          loose         `json:"refusal"`
	ToolCalls        []callDelta   `json:"tool_calls"`
	FunctionCall     *functionPart `json:"function_call"`
	Images           []imagePart   `json:"images"`
	Audio            *audioPart    `json:"audio"`
}

type callDelta struct {
	Index        *count        `json:"index"`
	ID           loose         `json:"id"`
	Function     *functionPart `json:"function"`
	Custom       *customPart   `json:"custom"`
	ExtraContent *extraContent `json:"extra_content"`
}

type functionPart struct {
	Name      loose          `json:"name"`
	Arguments looseArguments `json:"arguments"`
}

type customPart struct {
	Name  loose `json:"name"`
	Input loose `json:"input"`
}

type imagePart struct {
	ImageURL mediaURL `json:"image_url"`
}

type audioPart struct {
	Data       loose `json:"data"`
	Transcript loose `json:"transcript"`
}

type usage struct {
	PromptTokens     count `json:"prompt_tokens"`
	CompletionTokens count `json:"completion_tokens"`
	TotalTokens      count `json:"total_tokens"`
	Prompt           struct {
		CachedTokens     count `json:"cached_tokens"`
		CacheWriteTokens count `json:"cache_write_tokens"`
	} `json:"prompt_tokens_details"`
	Completion struct {
		ReasoningTokens count `json:"reasoning_tokens"`
	} `json:"completion_tokens_details"`
	CacheHit count `json:"prompt_cache_hit_tokens"` // DeepSeek's
	Cached   count `json:"cached_tokens"`           // Moonshot's
}

// tokens returns u in canonical counts.
func (u *usage) tokens() llm.Usage {
	t := llm.Usage{
		Input:      int64(u.PromptTokens),
		CacheRead:  int64(max(u.Prompt.CachedTokens, u.CacheHit, u.Cached)),
		CacheWrite: int64(u.Prompt.CacheWriteTokens),
		Output:     int64(u.CompletionTokens),
		Reasoning:  int64(u.Completion.ReasoningTokens),
	}
	// xAI does not count reasoning among the completion's tokens; its total tells.
	if t.Reasoning > 0 && int64(u.TotalTokens) == t.Input+t.Output+t.Reasoning {
		t.Output += t.Reasoning
	}
	return t
}

// merge takes what a further report of the same answer adds: some upstreams repeat the
// counts as they grow, some split them.
func merge(a, b llm.Usage) llm.Usage {
	return llm.Usage{
		Input: max(a.Input, b.Input), CacheRead: max(a.CacheRead, b.CacheRead), CacheWrite: max(a.CacheWrite, b.CacheWrite),
		Output: max(a.Output, b.Output), Reasoning: max(a.Reasoning, b.Reasoning),
	}
}

// count is a number of things: whole, not negative, and at most a trillion, so that sums
// of a few stay right. What is no such number counts as none.
type count int64

const maxCount = 1_000_000_000_000

func (c *count) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	*c = 0
	if dec.PeekKind() != '0' {
		return dec.SkipValue()
	}
	raw, err := dec.ReadValue()
	if err != nil {
		return err
	}
	if f, wrong := strconv.ParseFloat(string(raw), 64); wrong == nil && f > 0 {
		*c = count(min(f, maxCount))
	}
	return nil
}

// answerText is content: a string, null, or the array of parts that some upstreams send.
type answerText struct {
	text     string
	thoughts string
}

func (a *answerText) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	*a = answerText{}
	switch dec.PeekKind() {
	case '"':
		return (*loose)(&a.text).UnmarshalJSONFrom(dec)
	case '[':
		return a.parts(dec)
	default:
		return dec.SkipValue()
	}
}

// parts takes texts and, as Mistral sends them, thoughts.
func (a *answerText) parts(dec *jsontext.Decoder) error {
	var parts []struct {
		Text     loose      `json:"text"`
		Thinking looseTexts `json:"thinking"`
	}
	raw, err := dec.ReadValue()
	if err != nil {
		return err
	}
	if json.Unmarshal(raw, &parts, dec.Options()) != nil {
		parts = nil // what nobody knows says nothing
	}
	var text, thoughts strings.Builder
	for _, p := range parts {
		text.WriteString(string(p.Text))
		thoughts.WriteString(string(p.Thinking))
	}
	a.text, a.thoughts = text.String(), thoughts.String()
	return nil
}

// looseTexts is a text, or an array of objects with a text each.
type looseTexts string

func (l *looseTexts) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	*l = ""
	switch dec.PeekKind() {
	case '"':
		return (*loose)(l).UnmarshalJSONFrom(dec)
	case '[':
	default:
		return dec.SkipValue()
	}
	raw, err := dec.ReadValue()
	if err != nil {
		return err
	}
	var parts []struct {
		Text loose `json:"text"`
	}
	if json.Unmarshal(raw, &parts, dec.Options()) != nil {
		parts = nil // likewise
	}
	var text strings.Builder
	for _, p := range parts {
		text.WriteString(string(p.Text))
	}
	*l = looseTexts(text.String())
	return nil
}

// looseArguments is a text, or the object itself.
type looseArguments string

func (l *looseArguments) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() != '{' {
		return (*loose)(l).UnmarshalJSONFrom(dec)
	}
	raw, err := dec.ReadValue()
	*l = looseArguments(raw)
	return err
}
