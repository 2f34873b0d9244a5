package gemini

import (
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/internal/llm/wire"
)

type (
	// answer is a whole answer or one element of a stream.
	answer struct {
		Candidates     []candidate    `json:"candidates"`
		PromptFeedback feedback       `json:"promptFeedback"`
		UsageMetadata  usage          `json:"usageMetadata"`
		ModelVersion   jsontext.Value `json:"modelVersion"`
		ResponseID     jsontext.Value `json:"responseId"`
		Error          jsontext.Value `json:"error"`
	}

	candidate struct {
		Content      answerContent `json:"content"`
		FinishReason loose         `json:"finishReason"`
		Index        integer       `json:"index"`
	}

	answerContent struct {
		Parts []answerPart `json:"parts"`
	}

	answerPart struct {
		Text             string        `json:"text"`
		Thought          bool          `json:"thought"`
		ThoughtSignature string        `json:"thoughtSignature"`
		InlineData       *blob         `json:"inlineData"`
		FileData         *fileData     `json:"fileData"`
		FunctionCall     *functionCall `json:"functionCall"`
	}

	feedback struct {
		BlockReason loose `json:"blockReason"`
	}
)

// DecodeAnswer implements llm.Codec.
func (Codec) DecodeAnswer(body []byte) ([]llm.Event, error) {
	var in answer
	if err := wire.Decode(body, &in); err != nil {
		return nil, err
	}
	var a assembler
	events := a.take(nil, &in, body)
	switch {
	case a.over:
		return events, nil
	case a.reason == "" && len(in.Candidates) == 0:
		return nil, &llm.DecodeError{Path: "candidates", Reason: "there is none"}
	case a.reason == "":
		a.reason = llm.Stop
	}
	return a.close(events), nil
}

// assembler makes the events of an answer out of its elements. Texts and thoughts that
// follow each other, in one element or several, are one part.
type assembler struct {
	started, over bool

	id     string
	open   llm.PartKind // the kind of the part that can go on; 0 = none
	index  int          // of the open part, or of the next one
	calls  int
	reason llm.FinishReason
	usage  llm.Usage
	told   bool // usage is
}

func (a *assembler) take(out []llm.Event, in *answer, raw []byte) []llm.Event {
	if a.over {
		return out
	}
	if in.Error != nil && in.Error.Kind() != 'n' {
		a.over = true
		return append(out, llm.Event{Kind: llm.Failed, Failure: Codec{}.DecodeError(0, raw)})
	}
	if in.UsageMetadata != (usage{}) {
		a.usage, a.told = in.UsageMetadata.canonical(), true
	}
	if !a.started {
		a.started = true
		a.id, _ = text(in.ResponseID)
		model, _ := text(in.ModelVersion)
		out = append(out, llm.Event{Kind: llm.Start, ID: a.id, Model: model, Usage: a.known()})
	}
	if word := in.PromptFeedback.BlockReason; word != "" && word != "BLOCK_REASON_UNSPECIFIED" {
		a.reason = llm.Filtered
	}
	for i := range in.Candidates {
		if in.Candidates[i].Index == 0 { // only one answer is translated
			out = a.candidate(out, &in.Candidates[i])
			break
		}
	}
	return out
}

func (a *assembler) candidate(out []llm.Event, c *candidate) []llm.Event {
	for i := range c.Content.Parts {
		out = a.part(out, &c.Content.Parts[i])
	}
	if r := reasonOf(string(c.FinishReason)); r != "" {
		a.reason = r
	}
	return out
}

func (a *assembler) part(out []llm.Event, p *answerPart) []llm.Event {
	isText := p.FunctionCall == nil && p.InlineData == nil && p.FileData == nil
	if p.Thought && isText {
		return a.thought(out, p)
	}
	if p.ThoughtSignature != "" {
		out = a.begin(out, llm.Event{Part: llm.ThinkingPart})
		out = a.sign(out, p.ThoughtSignature)
	}
	switch {
	case p.FunctionCall != nil:
		return a.call(out, p.FunctionCall)
	case p.InlineData != nil && p.InlineData.Data != "":
		return a.media(out, p.InlineData.media())
	case p.FileData != nil && p.FileData.FileURI != "":
		return a.media(out, p.FileData.media())
	default:
		return a.say(out, llm.TextPart, p.Text)
	}
}

func (a *assembler) thought(out []llm.Event, p *answerPart) []llm.Event {
	if p.Text == "" && p.ThoughtSignature != "" {
		out = a.begin(out, llm.Event{Part: llm.ThinkingPart, Redacted: true})
	}
	out = a.say(out, llm.ThinkingPart, p.Text)
	if p.ThoughtSignature == "" {
		return out
	}
	return a.sign(out, p.ThoughtSignature)
}

// say adds to the open part if it is of the kind, else to a new one.
func (a *assembler) say(out []llm.Event, kind llm.PartKind, text string) []llm.Event {
	if text == "" {
		return out
	}
	if a.open != kind {
		out = a.begin(out, llm.Event{Part: kind})
	}
	return append(out, llm.Event{Kind: llm.Delta, Index: a.index, Text: text})
}

// sign ends the open thought with its signature.
func (a *assembler) sign(out []llm.Event, signature string) []llm.Event {
	signature, origin := unmarked(signature)
	out = append(out, llm.Event{Kind: llm.Signed, Index: a.index, Text: signature, Origin: origin})
	return a.end(out)
}

func (a *assembler) begin(out []llm.Event, start llm.Event) []llm.Event {
	out = a.end(out)
	a.open = start.Part
	start.Kind, start.Index = llm.PartStart, a.index
	return append(out, start)
}

func (a *assembler) end(out []llm.Event) []llm.Event {
	if a.open == 0 {
		return out
	}
	a.open = 0
	a.index++
	return append(out, llm.Event{Kind: llm.PartEnd, Index: a.index - 1})
}

// call adds a call, which always comes whole. Older models give it no id.
func (a *assembler) call(out []llm.Event, f *functionCall) []llm.Event {
	name, args, id := string(f.Name), string(f.Args), firstOf(f.ID, f.CallID)
	if id == "" {
		id = llm.NewID("call_", a.id, strconv.Itoa(a.calls), name, args)
	}
	a.calls++
	out = a.begin(out, llm.Event{Part: llm.ToolCallPart, ID: id, Name: name})
	if args != "" {
		out = append(out, llm.Event{Kind: llm.Delta, Index: a.index, Text: args})
	}
	return a.end(out)
}

func (a *assembler) media(out []llm.Event, m *llm.Media) []llm.Event {
	return a.end(a.begin(out, llm.Event{Part: llm.MediaPart, Media: m}))
}

// close ends the answer, if it has told why it ended.
func (a *assembler) close(out []llm.Event) []llm.Event {
	if a.over || a.reason == "" {
		return out
	}
	out = a.end(out)
	if a.reason == llm.Stop && a.calls > 0 {
		a.reason = llm.ToolCalls
	}
	a.over = true // nothing follows
	return append(out, llm.Event{Kind: llm.Finish, Reason: a.reason, Usage: a.known()})
}

// known returns the usage as it is known so far; nil = none is told.
func (a *assembler) known() *llm.Usage {
	if !a.told {
		return nil
	}
	usage := a.usage
	return &usage
}

// reasonOf reads a finish reason; empty = none is told.
func reasonOf(word string) llm.FinishReason {
	switch word {
	case "", "FINISH_REASON_UNSPECIFIED":
		return ""
	case "MAX_TOKENS", "CONTINUATION":
		return llm.Length
	case "SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR",
		"IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION":
		return llm.Filtered
	case "MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "MISSING_THOUGHT_SIGNATURE",
		"MALFORMED_RESPONSE", "NO_IMAGE", "IMAGE_OTHER", "OTHER":
		return llm.Broken
	default: // STOP, and words that Google will think of
		return llm.Stop
	}
}

// wordOf writes a finish reason. Calls end with STOP like everything that is whole.
func wordOf(r llm.FinishReason) string {
	switch r {
	case llm.Length:
		return "MAX_TOKENS"
	case llm.Filtered, llm.Refused:
		return "SAFETY"
	case llm.Broken:
		return "MALFORMED_FUNCTION_CALL"
	default:
		return "STOP"
	}
}
