package chat

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// request is the body of a request, with the members that compatible vendors and their
// clients have added.
type request struct {
	Model    string       `json:"model"`
	Messages conversation `json:"messages"`
	Stream   bool         `json:"stream"`

	StreamOptions struct {
		IncludeUsage bool `json:"include_usage"`
	} `json:"stream_options"`

	Tools            []tool         `json:"tools"`
	ToolChoice       toolChoice     `json:"tool_choice"`
	Parallel         *bool          `json:"parallel_tool_calls"`
	Functions        []function     `json:"functions"`     // before there were tools
	FunctionCall     toolChoice     `json:"function_call"` // likewise
	WebSearchOptions jsontext.Value `json:"web_search_options"`

	MaxTokens           *int64    `json:"max_tokens"`
	MaxCompletionTokens *int64    `json:"max_completion_tokens"`
	Stop                stopWords `json:"stop"`
	Temperature         *float64  `json:"temperature"`
	TopP                *float64  `json:"top_p"`
	TopK                *int64    `json:"top_k"`
	FrequencyPenalty    *float64  `json:"frequency_penalty"`
	PresencePenalty     *float64  `json:"presence_penalty"`
	Seed                *int64    `json:"seed"`
	N                   *int64    `json:"n"`
	LogProbs            *bool     `json:"logprobs"`
	TopLogProbs         *int64    `json:"top_logprobs"`

	ReasoningEffort string           `json:"reasoning_effort"`
	Reasoning       *reasoningMember `json:"reasoning"` // OpenRouter's
	Thinking        *thinkingMember  `json:"thinking"`  // Anthropic's, taken over by others

	ResponseFormat *responseFormat `json:"response_format"`
	Verbosity      string          `json:"verbosity"`
	Modalities     []string        `json:"modalities"`
	Audio          jsontext.Value  `json:"audio"`

	User             string            `json:"user"`
	SafetyIdentifier string            `json:"safety_identifier"`
	Metadata         map[string]string `json:"metadata"`
	ServiceTier      string            `json:"service_tier"`
	PromptCacheKey   string            `json:"prompt_cache_key"`
	Store            *bool             `json:"store"`
	CacheControl     *cacheControl     `json:"cache_control"`

	Rest jsontext.Value `json:",embed"`
}

type reasoningMember struct {
	Effort    string `json:"effort"`
	MaxTokens *int64 `json:"max_tokens"`
	Enabled   *bool  `json:"enabled"`
	Exclude   *bool  `json:"exclude"`
	Summary   string `json:"summary"`
}

type thinkingMember struct {
	Type         string `json:"type"`
	BudgetTokens *int64 `json:"budget_tokens"`
}

type responseFormat struct {
	Type       string `json:"type"`
	JSONSchema struct {
		Name        string         `json:"name"`
		Description string         `json:"description"`
		Schema      jsontext.Value `json:"schema"`
		Strict      *bool          `json:"strict"`
	} `json:"json_schema"`
}

type cacheControl struct {
	TTL string `json:"ttl"`
}

type message struct {
	Role         string        `json:"role"`
	Name         string        `json:"name"`
	Content      content       `json:"content"`
	Refusal      string        `json:"refusal"`
	ToolCalls    []toolCall    `json:"tool_calls"`
	ToolCallID   string        `json:"tool_call_id"`
	FunctionCall *functionCall `json:"function_call"`
	CacheControl *cacheControl `json:"cache_control"`
	Audio        *struct {
		ID string `json:"id"`
	} `json:"audio"`

	ReasoningContent loose `json:"reasoning_content"`
	Reasoning        loose `json:"reasoning"`

	Rest jsontext.Value `json:",embed"`
}

type toolCall struct {
	ID           string        `json:"id"`
	Function     *functionCall `json:"function"`
	Custom       *customCall   `json:"custom"`
	ExtraContent extraContent  `json:"extra_content"`
}

type functionCall struct {
	Name      string    `json:"name"`
	Arguments arguments `json:"arguments"`
}

type customCall struct {
	Name  string `json:"name"`
	Input string `json:"input"`
}

// extraContent is what vendors add to a tool call. Google's documentation of its chat
// endpoint keeps the signature of a call there.
type extraContent struct {
	Google struct {
		ThoughtSignature string `json:"thought_signature"`
	} `json:"google"`
	Understudy struct {
		Signature string `json:"signature"`
		Redacted  bool   `json:"redacted"`
	} `json:"understudy"`
}

// tool is a definition; span is where it lies in the body.
type tool struct {
	toolMembers
	span span
}

type toolMembers struct {
	Type         string        `json:"type"`
	Function     *function     `json:"function"`
	Custom       *custom       `json:"custom"`
	CacheControl *cacheControl `json:"cache_control"`
}

type function struct {
	Name         string         `json:"name"`
	Description  string         `json:"description"`
	Parameters   jsontext.Value `json:"parameters"`
	Strict       *bool          `json:"strict"`
	CacheControl *cacheControl  `json:"cache_control"`
}

type custom struct {
	Name        string         `json:"name"`
	Description string         `json:"description"`
	Format      jsontext.Value `json:"format"`
}

// span is a stretch of the body that may have to be kept as it is.
type span struct{ from, to int64 }

// of returns the value in body, without what parts it from the one before.
func (s span) of(body []byte) []byte {
	raw := body[s.from:s.to]
	for len(raw) > 0 && raw[0] != '{' {
		raw = raw[1:]
	}
	return append([]byte(nil), raw...)
}

func (t *tool) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	t.span.from = dec.InputOffset()
	err := json.UnmarshalDecode(dec, &t.toolMembers)
	t.span.to = dec.InputOffset()
	return err
}

// part is a piece of a content array; span is where it lies in the body.
type part struct {
	partMembers
	span span
}

type partMembers struct {
	Type       string   `json:"type"`
	Text       text     `json:"text"`
	Refusal    string   `json:"refusal"`
	ImageURL   mediaURL `json:"image_url"`
	VideoURL   mediaURL `json:"video_url"`
	InputAudio *struct {
		Data   string `json:"data"`
		Format string `json:"format"`
	} `json:"input_audio"`
	File *struct {
		FileData string `json:"file_data"`
		FileID   string `json:"file_id"`
		Filename string `json:"filename"`
	} `json:"file"`
	CacheControl *cacheControl `json:"cache_control"`
}

// UnmarshalJSONFrom takes a bare string for a text.
func (p *part) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	p.span.from = dec.InputOffset()
	if dec.PeekKind() == '"' {
		p.Type = "text"
		return p.Text.UnmarshalJSONFrom(dec)
	}
	err := json.UnmarshalDecode(dec, &p.partMembers)
	p.span.to = dec.InputOffset()
	return err
}

// content is a string, an array of parts, or null.
type content struct {
	text  text
	parts []part
}

func (c *content) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() == '[' {
		return json.UnmarshalDecode(dec, &c.parts)
	}
	return c.text.UnmarshalJSONFrom(dec)
}

// mediaURL is an object with a URL or, from sloppy clients, the URL itself.
type mediaURL struct {
	URL    string `json:"url"`
	Detail string `json:"detail"`
}

func (u *mediaURL) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() == '"' {
		return json.UnmarshalDecode(dec, &u.URL)
	}
	type plain mediaURL
	return json.UnmarshalDecode(dec, (*plain)(u))
}

// arguments is a text or, from sloppy clients and upstreams, the object itself.
type arguments string

func (a *arguments) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() == '{' {
		raw, err := dec.ReadValue()
		*a = arguments(raw)
		return err
	}
	return (*text)(a).UnmarshalJSONFrom(dec)
}

// stopWords is one string or several.
type stopWords []string

func (s *stopWords) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() == '"' {
		*s = stopWords{""}
		return json.UnmarshalDecode(dec, &(*s)[0])
	}
	return json.UnmarshalDecode(dec, (*[]string)(s))
}

// toolChoice is a word or an object; a bare name is the old function_call.
type toolChoice struct {
	word string

	Type     string `json:"type"`
	Name     string `json:"name"`
	Function struct {
		Name string `json:"name"`
	} `json:"function"`
	Custom struct {
		Name string `json:"name"`
	} `json:"custom"`
	AllowedTools struct {
		Mode  string       `json:"mode"`
		Tools []toolChoice `json:"tools"`
	} `json:"allowed_tools"`
}

func (c *toolChoice) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() == '"' {
		return json.UnmarshalDecode(dec, &c.word)
	}
	type plain toolChoice
	return json.UnmarshalDecode(dec, (*plain)(c))
}
