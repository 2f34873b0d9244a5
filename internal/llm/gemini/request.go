package gemini

import (
	"math"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Google's servers take every name in camel and in snake case, and so do these types:
// case:ignore does not look at underscores. Members without a field are gathered in Rest.
type (
	request struct {
		Model             string             `json:"model"`
		Contents          oneOrMore[content] `json:"contents"`
		SystemInstruction instruction        `json:"systemInstruction,case:ignore"`
		Tools             oneOrMore[tool]    `json:"tools"`
		ToolConfig        toolConfig         `json:"toolConfig,case:ignore"`
		GenerationConfig  generationConfig   `json:"generationConfig,case:ignore"`
		SafetySettings    jsontext.Value     `json:"safetySettings,case:ignore"`
		CachedContent     string             `json:"cachedContent,case:ignore"`
		ContinuationToken string             `json:"continuationToken,case:ignore"`
		Labels            map[string]string  `json:"labels"`
		ServiceTier       string             `json:"serviceTier,case:ignore"`
		Rest              jsontext.Value     `json:",embed"`
	}

	content struct {
		Role  string          `json:"role"`
		Parts oneOrMore[part] `json:"parts"`
	}

	part struct {
		Text             *words            `json:"text"`
		Thought          bool              `json:"thought"`
		ThoughtSignature string            `json:"thoughtSignature,case:ignore"`
		InlineData       *blob             `json:"inlineData,case:ignore"`
		FileData         *fileData         `json:"fileData,case:ignore"`
		FunctionCall     *functionCall     `json:"functionCall,case:ignore"`
		FunctionResponse *functionResponse `json:"functionResponse,case:ignore"`
		Rest             jsontext.Value    `json:",embed"`
	}

	blob struct {
		MIMEType    string `json:"mimeType,case:ignore"`
		Data        words  `json:"data"`
		DisplayName string `json:"displayName,case:ignore"`
	}

	fileData struct {
		MIMEType    string `json:"mimeType,case:ignore"`
		FileURI     string `json:"fileUri,case:ignore"`
		DisplayName string `json:"displayName,case:ignore"`
	}

	functionCall struct {
		ID     loose          `json:"id"`
		CallID loose          `json:"callId,case:ignore"` // as some clients have it
		Name   loose          `json:"name"`
		Args   verbatim       `json:"args"`
		Rest   jsontext.Value `json:",embed"`
	}

	functionResponse struct {
		ID       loose          `json:"id"`
		CallID   loose          `json:"callId,case:ignore"`
		Name     loose          `json:"name"`
		Response outcome        `json:"response"`
		Parts    []part         `json:"parts"`
		Rest     jsontext.Value `json:",embed"`
	}

	tool struct {
		FunctionDeclarations  []declaration  `json:"functionDeclarations,case:ignore"`
		GoogleSearch          jsontext.Value `json:"googleSearch,case:ignore"`
		GoogleSearchRetrieval jsontext.Value `json:"googleSearchRetrieval,case:ignore"`
		Rest                  jsontext.Value `json:",embed"`
	}

	declaration struct {
		Name                 string         `json:"name"`
		Description          words          `json:"description"`
		Parameters           jsontext.Value `json:"parameters"`
		ParametersJSONSchema jsontext.Value `json:"parametersJsonSchema,case:ignore"`
		Rest                 jsontext.Value `json:",embed"`
	}

	toolConfig struct {
		FunctionCallingConfig callingConfig  `json:"functionCallingConfig,case:ignore"`
		Rest                  jsontext.Value `json:",embed"`
	}

	callingConfig struct {
		Mode    string         `json:"mode"`
		Allowed []string       `json:"allowedFunctionNames,case:ignore"`
		Rest    jsontext.Value `json:",embed"`
	}

	generationConfig struct {
		MaxOutputTokens    *integer                  `json:"maxOutputTokens,case:ignore"`
		StopSequences      []string                  `json:"stopSequences,case:ignore"`
		Temperature        *float64                  `json:"temperature"`
		TopP               *float64                  `json:"topP,case:ignore"`
		TopK               *integer                  `json:"topK,case:ignore"`
		CandidateCount     *integer                  `json:"candidateCount,case:ignore"`
		Seed               *integer                  `json:"seed"`
		PresencePenalty    *float64                  `json:"presencePenalty,case:ignore"`
		FrequencyPenalty   *float64                  `json:"frequencyPenalty,case:ignore"`
		ResponseLogprobs   *bool                     `json:"responseLogprobs,case:ignore"`
		Logprobs           *integer                  `json:"logprobs"`
		ResponseMIMEType   string                    `json:"responseMimeType,case:ignore"`
		ResponseSchema     jsontext.Value            `json:"responseSchema,case:ignore"`
		ResponseJSONSchema jsontext.Value            `json:"responseJsonSchema,case:ignore"`
		ResponseFormat     oneOrMore[responseFormat] `json:"responseFormat,case:ignore"`
		ResponseModalities []string                  `json:"responseModalities,case:ignore"`
		ThinkingConfig     thinkingConfig            `json:"thinkingConfig,case:ignore"`
		Rest               jsontext.Value            `json:",embed"`
	}

	responseFormat struct {
		Text *textFormat    `json:"text"`
		Rest jsontext.Value `json:",embed"`
	}

	textFormat struct {
		MIMEType string         `json:"mimeType,case:ignore"`
		Schema   jsontext.Value `json:"schema"`
	}

	thinkingConfig struct {
		ThinkingBudget  *integer       `json:"thinkingBudget,case:ignore"`
		ThinkingLevel   string         `json:"thinkingLevel,case:ignore"`
		IncludeThoughts *bool          `json:"includeThoughts,case:ignore"`
		Rest            jsontext.Value `json:",embed"`
	}
)

// oneOrMore is an array, or the only element of one.
type oneOrMore[T any] []T

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (l *oneOrMore[T]) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	if k := d.PeekKind(); k == '[' || k == 'n' {
		return json.UnmarshalDecode(d, (*[]T)(l))
	}
	one := make([]T, 1)
	if err := json.UnmarshalDecode(d, &one[0]); err != nil {
		return err
	}
	*l = one
	return nil
}

// instruction is the content of the system instruction: its parts or, as some clients have
// it, only its text.
type instruction struct{ content }

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (i *instruction) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	if d.PeekKind() != '"' {
		return json.UnmarshalDecode(d, &i.content)
	}
	var said words
	if err := json.UnmarshalDecode(d, &said); err != nil {
		return err
	}
	i.Parts = []part{{Text: &said}}
	return nil
}

// unfit says that a value is not what its place asks for; wire.Decode adds where that is.
func unfit(value jsontext.Value) error { return &json.SemanticError{JSONKind: value.Kind()} }

// integer is a whole number as Google's servers take it: also 40.0 and "40".
type integer int64

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (n *integer) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	value, err := d.ReadValue()
	if err != nil {
		return err
	}
	if value.Kind() == 'n' {
		return nil
	}
	digits := string(value)
	if value.Kind() == '"' {
		digits = digits[1 : len(digits)-1]
	}
	if i, err := strconv.ParseInt(digits, 10, 64); err == nil {
		*n = integer(i)
		return nil
	}
	const exact = 1 << 53
	f, err := strconv.ParseFloat(digits, 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > exact {
		return unfit(value)
	}
	*n = integer(f)
	return nil
}

// loose is a string, or what stands in its place: a number or a boolean as it is written,
// and nothing for the rest.
type loose string

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (s *loose) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	value, err := d.ReadValue()
	if err != nil {
		return err
	}
	switch value.Kind() {
	case '"':
		said, _ := text(value)
		*s = loose(said)
	case '0', 't', 'f':
		*s = loose(value)
	default:
		*s = ""
	}
	return nil
}

// firstOf returns the first that is not empty.
func firstOf(a, b loose) string {
	if a != "" {
		return string(a)
	}
	return string(b)
}

// outcome is what a tool brought.
type outcome struct {
	said       string
	structured bool // said is JSON
	failed     bool
}

// UnmarshalJSONFrom implements json.UnmarshalerFrom. By Google's convention the member
// output is the whole of a result, and error says why there is none; without them the
// object is the result.
func (o *outcome) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	raw, err := d.ReadValue()
	if err != nil {
		return err
	}
	*o = outcome{}
	if raw.Kind() != '{' {
		o.take(raw)
		return nil
	}
	all := onlyString(raw)
	if all == nil {
		all = members(raw)
	}
	for _, m := range all {
		o.failed = o.failed || m.name == "error" && m.value.Kind() != 'n'
	}
	switch {
	case len(all) == 1 && (all[0].name == "output" || o.failed):
		o.take(all[0].value)
	case len(all) > 0:
		o.said, o.structured = string(raw), true
	}
	return nil
}

func (o *outcome) take(raw jsontext.Value) {
	var isText bool
	if o.said, isText = text(raw); !isText && raw.Kind() != 'n' {
		o.said, o.structured = string(raw), true
	}
}
