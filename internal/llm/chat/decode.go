package chat

import (
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/internal/llm/wire"
)

// maxUnsaid bounds what a hostile body can make of Request.Unsaid.
const maxUnsaid = 64

// DecodeRequest implements llm.Codec.
func (Codec) DecodeRequest(body []byte) (*llm.Request, error) {
	in := &request{}
	d := requestDecoder{body: body, in: in, out: &llm.Request{}}
	in.Messages.d = &d
	switch err := wire.Decode(body, in); {
	case in.Messages.err != nil:
		return nil, in.Messages.err
	case err != nil:
		return nil, err
	case len(d.out.Messages) == 0:
		return nil, &llm.DecodeError{Path: "messages", Reason: "a request needs at least one message"}
	}
	d.settings()
	if err := d.tools(); err != nil {
		return nil, err
	}
	return d.out, nil
}

type requestDecoder struct {
	body []byte
	in   *request
	out  *llm.Request

	function string // the id of the last call in the old form
	results  bool   // the last message holds only results
}

func (d *requestDecoder) settings() {
	in, out := d.in, d.out
	out.Model, out.Stream, out.StreamUsage = in.Model, in.Stream, in.StreamOptions.IncludeUsage
	out.MaxTokens = in.MaxCompletionTokens
	if out.MaxTokens == nil {
		out.MaxTokens = in.MaxTokens
	}
	out.Stop = in.Stop
	out.Sampling = llm.Sampling{
		Temperature: in.Temperature, TopP: in.TopP, TopK: in.TopK,
		FrequencyPenalty: in.FrequencyPenalty, PresencePenalty: in.PresencePenalty,
		Seed: in.Seed, Candidates: in.N, LogProbs: in.LogProbs, TopLogProbs: in.TopLogProbs,
	}
	out.Reasoning = reasoningOf(in)
	d.output()
	out.UserID = in.SafetyIdentifier
	if out.UserID == "" {
		out.UserID = in.User
	}
	out.Metadata, out.ServiceTier, out.CacheKey = in.Metadata, in.ServiceTier, in.PromptCacheKey
	out.Store, out.Cache = in.Store, in.CacheControl.cache()
	d.unsaid("", in.Rest)
	if len(in.Functions) > 0 {
		d.unsay("functions", "the answer tells of tool calls, not of a function call")
	}
}

// reasoningOf reads the vendors' ways to say it, OpenAI's first.
func reasoningOf(in *request) llm.Reasoning {
	var r llm.Reasoning
	r.Level = llm.Level(in.ReasoningEffort)
	if m := in.Reasoning; m != nil {
		r.Summary = m.Summary
		if m.Exclude != nil {
			show := !*m.Exclude
			r.Show = &show
		}
		switch {
		case r.Said():
		case m.Effort != "":
			r.Level = llm.Level(m.Effort)
		case m.MaxTokens != nil:
			r.Budget = m.MaxTokens
		case m.Enabled != nil && *m.Enabled:
			r.Level = llm.LevelMedium
		case m.Enabled != nil:
			r.Level = llm.LevelNone
		}
	}
	if m := in.Thinking; m != nil && !r.Said() {
		switch {
		case m.Type == "disabled":
			r.Level = llm.LevelNone
		case m.BudgetTokens != nil:
			r.Budget = m.BudgetTokens
		case m.Type != "":
			r.Level = llm.LevelAuto
		}
	}
	return r
}

func (d *requestDecoder) output() {
	in, out := d.in, &d.out.Output
	if f := in.ResponseFormat; f != nil {
		switch f.Type {
		case "text":
			out.Kind = llm.OutputText
		case "json_object":
			out.Kind = llm.OutputJSON
		case "json_schema":
			out.Kind = llm.OutputSchema
			out.Name, out.Description = f.JSONSchema.Name, f.JSONSchema.Description
			out.Schema, out.Strict = rawOf(f.JSONSchema.Schema), f.JSONSchema.Strict
		default:
			d.unsay("response_format", "an output of an unknown type")
		}
	}
	out.Verbosity = in.Verbosity
	for _, m := range in.Modalities {
		if m != "text" {
			out.Modalities = append(out.Modalities, strings.ToLower(m))
		}
	}
	out.Audio = rawOf(in.Audio)
}

// rawOf returns a value as it came; null is none.
func rawOf(v jsontext.Value) []byte {
	if len(v) == 0 || v.Kind() == 'n' {
		return nil
	}
	return v
}

func (c *cacheControl) cache() *llm.Cache {
	if c == nil {
		return nil
	}
	return &llm.Cache{TTL: c.TTL}
}

func (d *requestDecoder) unsay(path, reason string) {
	if len(d.out.Unsaid) < maxUnsaid {
		d.out.Unsaid = append(d.out.Unsaid, llm.Loss{Path: path, Reason: reason})
	}
}

// unsaid lists the members of an object that nothing else knows.
func (d *requestDecoder) unsaid(prefix string, rest jsontext.Value) {
	if len(rest) == 0 || len(d.out.Unsaid) >= maxUnsaid {
		return
	}
	var members orderedNames
	if wire.Decode(rest, &members) != nil {
		return
	}
	for _, name := range members {
		d.unsay(prefix+name, "the other formats have no word for it")
	}
}

// orderedNames are the names of an object's members that are not null, at most maxUnsaid.
type orderedNames []string

func (n *orderedNames) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	for dec.PeekKind() != '}' {
		name, err := dec.ReadToken()
		if err != nil {
			return err
		}
		text := name.String()
		if dec.PeekKind() != 'n' && len(*n) < maxUnsaid && !slices.Contains(*n, text) {
			*n = append(*n, text)
		}
		if err := dec.SkipValue(); err != nil {
			return err
		}
	}
	_, err := dec.ReadToken()
	return err
}

func (d *requestDecoder) tools() error {
	in, out := d.in, d.out
	if n := len(in.Tools) + len(in.Functions); n > 0 {
		out.Tools = make([]llm.Tool, 0, n)
	}
	for i := range in.Tools {
		t, err := d.tool(i)
		if err != nil {
			return err
		}
		out.Tools = append(out.Tools, t)
	}
	for i := range in.Functions {
		t, err := in.Functions[i].tool(fmt.Sprintf("functions[%d]", i))
		if err != nil {
			return err
		}
		out.Tools = append(out.Tools, t)
	}
	if options := rawOf(in.WebSearchOptions); options != nil {
		out.Tools = append(out.Tools, llm.Tool{Kind: llm.WebSearch, Name: "web_search", Raw: options, Origin: llm.Chat})
	}
	out.Parallel = in.Parallel
	choice := in.ToolChoice
	if len(in.Tools) == 0 && len(in.Functions) > 0 {
		choice = in.FunctionCall
	}
	return d.choice(choice)
}

func (d *requestDecoder) tool(i int) (llm.Tool, error) {
	path := fmt.Sprintf("tools[%d]", i)
	in := &d.in.Tools[i]
	var t llm.Tool
	switch {
	case in.Function != nil && (in.Type == "function" || in.Type == ""):
		var err error
		if t, err = in.Function.tool(path + ".function"); err != nil {
			return t, err
		}
	case in.Custom != nil && in.Type == "custom":
		t = llm.Tool{Kind: llm.Custom, Name: in.Custom.Name, Description: in.Custom.Description}
		if rawOf(in.Custom.Format) != nil {
			t.Raw, t.Origin = in.span.of(d.body), llm.Chat
		}
	case in.Type == "":
		return t, &llm.DecodeError{Path: path + ".type", Reason: "the type of a tool is needed"}
	case in.Type == "function" || in.Type == "custom":
		return t, &llm.DecodeError{Path: path, Reason: "a tool of type " + in.Type + " needs a member of that name"}
	default:
		t = llm.Tool{Kind: llm.Builtin, Name: in.Type, Raw: in.span.of(d.body), Origin: llm.Chat}
		if strings.HasPrefix(in.Type, "web_search") {
			t.Kind = llm.WebSearch
		}
	}
	if in.CacheControl != nil {
		t.Cache = in.CacheControl.cache()
	}
	return t, nil
}

func (f *function) tool(path string) (llm.Tool, error) {
	if f.Name == "" {
		return llm.Tool{}, &llm.DecodeError{Path: path + ".name", Reason: "a tool needs a name"}
	}
	schema := rawOf(f.Parameters)
	if schema != nil && f.Parameters.Kind() != '{' {
		return llm.Tool{}, &llm.DecodeError{Path: path + ".parameters", Reason: "a JSON schema is an object"}
	}
	return llm.Tool{
		Kind: llm.Function, Name: f.Name, Description: f.Description, Schema: schema, Strict: f.Strict,
		Cache: f.CacheControl.cache(),
	}, nil
}

func (d *requestDecoder) choice(c toolChoice) error {
	out := &d.out.Choice
	word := c.word
	if word == "" {
		word = c.Type
	}
	switch word {
	case "":
		if name := c.named(); name != "" { // the old function_call
			*out = llm.ToolChoice{Mode: llm.Named, Name: name}
		}
	case "auto":
		out.Mode = llm.Auto
	case "none":
		out.Mode = llm.None
	case "required", "any":
		out.Mode = llm.Required
	case "function", "custom":
		*out = llm.ToolChoice{Mode: llm.Named, Name: c.named()}
		if out.Name == "" {
			return &llm.DecodeError{Path: "tool_choice", Reason: "the name of the tool is needed"}
		}
	case "allowed_tools":
		out.Mode = llm.Auto
		if c.AllowedTools.Mode == "required" {
			out.Mode = llm.Required
		}
		for _, t := range c.AllowedTools.Tools {
			if name := t.named(); name != "" {
				out.Allowed = append(out.Allowed, name)
			}
		}
	default:
		return &llm.DecodeError{Path: "tool_choice", Reason: "an unknown choice: " + quoted(word)}
	}
	return nil
}

// named returns the name of the tool that c is about.
func (c *toolChoice) named() string {
	switch {
	case c.Function.Name != "":
		return c.Function.Name
	case c.Custom.Name != "":
		return c.Custom.Name
	default:
		return c.Name
	}
}

// quoted shows a client's word in an error, cut to what one reads.
func quoted(word string) string {
	if len(word) > 64 {
		word = strings.ToValidUTF8(word[:64], "") + "..."
	}
	return fmt.Sprintf("%q", word)
}

// mediaOf returns what lies behind a URL; data URLs are taken apart.
func mediaOf(kind llm.MediaKind, address string) *llm.Media {
	if mime, data, ok := wire.DataURL(address); ok {
		return &llm.Media{Kind: kind, MIME: mime, Data: data}
	}
	return &llm.Media{Kind: kind, URL: address}
}
