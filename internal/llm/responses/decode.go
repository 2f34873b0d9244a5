package responses

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/understudyhq/understudy/internal/jsonwalk"
	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/internal/llm/wire"
)

// body is a request as far as the canonical form has a place for it.
type body struct {
	Model              string            `json:"model"`
	Stream             bool              `json:"stream"`
	Instructions       string            `json:"instructions"`
	Input              input             `json:"input"`
	Tools              []tool            `json:"tools"`
	ToolChoice         choice            `json:"tool_choice"`
	Parallel           *bool             `json:"parallel_tool_calls"`
	MaxTokens          *int64            `json:"max_output_tokens"`
	Temperature        *float64          `json:"temperature"`
	TopP               *float64          `json:"top_p"`
	TopLogProbs        *int64            `json:"top_logprobs"`
	Reasoning          reasoning         `json:"reasoning"`
	Text               text              `json:"text"`
	Store              *bool             `json:"store"`
	PreviousResponseID string            `json:"previous_response_id"`
	Include            []string          `json:"include"`
	Metadata           map[string]string `json:"metadata"`
	User               string            `json:"user"`
	SafetyIdentifier   string            `json:"safety_identifier"`
	CacheKey           string            `json:"prompt_cache_key"`
	ServiceTier        string            `json:"service_tier"`
	Conversation       jsontext.Value    `json:"conversation"`
	Prompt             jsontext.Value    `json:"prompt"`

	Rest jsontext.Value `json:",embed"`
}

type reasoning struct {
	Effort          string         `json:"effort"`
	Summary         string         `json:"summary"`
	GenerateSummary string         `json:"generate_summary"` // the older name of summary
	Rest            jsontext.Value `json:",embed"`
}

type text struct {
	Format struct {
		Type        string         `json:"type"`
		Name        string         `json:"name"`
		Description string         `json:"description"`
		Schema      jsontext.Value `json:"schema"`
		Strict      *bool          `json:"strict"`
	} `json:"format"`
	Verbosity string         `json:"verbosity"`
	Rest      jsontext.Value `json:",embed"`
}

// decoder makes the canonical form of a body.
type decoder struct {
	texts   wire.Texts
	r       *llm.Request
	extra   []llm.Tool // those that the input adds
	results bool       // the last message holds nothing but what tools brought
	err     error      // of the input
}

// DecodeRequest reads a client's request.
func (Codec) DecodeRequest(raw []byte) (*llm.Request, error) {
	if w := (jsonwalk.Walk{JSON: raw}); !w.Enter('{') {
		return nil, &llm.DecodeError{Reason: "a JSON object is expected"}
	}
	var b body
	d := decoder{texts: wire.Texts{Body: raw}, r: &llm.Request{}}
	b.Input.d = &d
	if err := wire.Decode(raw, &b); err != nil {
		return nil, err
	}
	if d.err != nil {
		return nil, d.err
	}
	*d.r = llm.Request{
		Model: b.Model, Stream: b.Stream, Parallel: b.Parallel, MaxTokens: b.MaxTokens,
		Messages:    d.r.Messages,
		Sampling:    llm.Sampling{Temperature: b.Temperature, TopP: b.TopP, TopLogProbs: b.TopLogProbs},
		UserID:      cmp.Or(b.SafetyIdentifier, b.User),
		Metadata:    b.Metadata,
		ServiceTier: b.ServiceTier, CacheKey: b.CacheKey, Store: b.Store,
		StreamUsage:        b.Stream, // the last event of a stream holds it, asked for or not
		PreviousResponseID: b.PreviousResponseID, Include: b.Include,
		Unsaid: d.r.Unsaid,
	}
	if slices.Contains(b.Include, "message.output_text.logprobs") {
		wanted := true
		d.r.Sampling.LogProbs = &wanted
	}
	d.reasoning(b.Reasoning)
	if err := d.format(b.Text); err != nil {
		return nil, err
	}
	for i := range b.Tools {
		if err := d.tool(&d.r.Tools, &b.Tools[i], at("tools", i)); err != nil {
			return nil, err
		}
	}
	d.r.Tools = append(d.r.Tools, d.extra...)
	if err := d.choice(&b.ToolChoice); err != nil {
		return nil, err
	}
	d.before(&b)
	d.rest(b.Rest)
	return d.r, nil
}

// before puts in front what comes before the input.
func (d *decoder) before(b *body) {
	input := d.r.Messages
	d.r.Messages = make([]llm.Message, 0, len(input)+1)
	if b.Instructions != "" {
		d.add(llm.System, &llm.Text{Text: b.Instructions})
	}
	d.stored("conversation", b.Conversation, "a conversation that its vendor keeps")
	d.stored("prompt", b.Prompt, "a prompt that its vendor keeps")
	d.r.Messages = append(d.r.Messages, input...)
	if len(d.r.Messages) == 0 {
		d.r.Messages = nil
	}
}

// stored keeps what a request refers to and the vendor alone has: no answer could do
// without it.
func (d *decoder) stored(name string, raw jsontext.Value, what string) {
	if len(raw) == 0 || raw.Kind() == 'n' {
		return
	}
	whole := append([]byte(`{"`+name+`":`), raw...)
	d.add(llm.User, &llm.Opaque{Origin: llm.Responses, Raw: append(whole, '}'), Needed: what})
}

func (d *decoder) reasoning(w reasoning) {
	r := &d.r.Reasoning
	r.Level = llm.Level(w.Effort)
	r.Summary = cmp.Or(w.Summary, w.GenerateSummary)
	if r.Summary != "" {
		show := r.Summary != "none"
		r.Show = &show
	}
	d.unsaidMembers("reasoning.", w.Rest)
}

func (d *decoder) format(w text) error {
	o := &d.r.Output
	o.Verbosity = w.Verbosity
	switch f := w.Format; f.Type {
	case "":
	case "text":
		o.Kind = llm.OutputText
	case "json_object":
		o.Kind = llm.OutputJSON
	case "json_schema":
		o.Kind = llm.OutputSchema
		o.Name, o.Description, o.Strict = f.Name, f.Description, f.Strict
		if f.Schema.Kind() != '{' {
			return &llm.DecodeError{Path: "text.format.schema", Reason: "a JSON schema is expected"}
		}
		o.Schema = json.RawMessage(f.Schema)
	default:
		return &llm.DecodeError{Path: "text.format.type", Reason: "an unknown kind of format: " + f.Type}
	}
	d.unsaidMembers("text.", w.Rest)
	return nil
}

// whyUnsaid tells of members that are known and have no place in the canonical form.
var whyUnsaid = map[string]string{
	"background":             "the answer is given at once",
	"client_metadata":        "about the client, for the vendor",
	"context_management":     "the vendor's own upkeep of long conversations",
	"max_tool_calls":         "limits tools that the vendor runs",
	"moderation":             "the vendor's own checks",
	"prompt_cache_options":   "the vendor's own cache",
	"prompt_cache_retention": "the vendor's own cache",
	"stream_options":         "how the vendor pads its streams",
	"truncation":             "what the vendor does with an input that is too long",
}

// rest lists the members of the body that went nowhere. What only says that a thing is as
// usual is none.
func (d *decoder) rest(raw jsontext.Value) {
	w := jsonwalk.Walk{JSON: raw}
	if !w.Enter('{') {
		return
	}
	w.Members(func(name, value []byte) {
		switch string(value) {
		case "null", "false", `"disabled"`:
		default:
			d.unsaid(string(name), cmp.Or(whyUnsaid[string(name)], "not known"))
		}
	})
}

// unsaidMembers lists the members of an object inside the body.
func (d *decoder) unsaidMembers(path string, raw jsontext.Value) {
	w := jsonwalk.Walk{JSON: raw}
	if !w.Enter('{') {
		return
	}
	w.Members(func(name, value []byte) {
		if string(value) != "null" {
			d.unsaid(path+string(name), "not known")
		}
	})
}

// unsaid lists a member once, however often the body has it. Names are the client's own
// words: they are cut and cleaned, since they are logged.
func (d *decoder) unsaid(path, reason string) {
	path = strings.ToValidUTF8(path[:min(len(path), 100)], "�")
	loss := llm.Loss{Path: path, Reason: reason}
	if len(d.r.Unsaid) < 100 && !slices.Contains(d.r.Unsaid, loss) {
		d.r.Unsaid = append(d.r.Unsaid, loss)
	}
}

// raw returns a copy of an object of the body that ends at to and begins after from.
func (d *decoder) raw(from, to int64) json.RawMessage {
	whole := d.texts.Body[from:to]
	if begin := bytes.IndexByte(whole, '{'); begin > 0 {
		whole = whole[begin:]
	}
	return bytes.Clone(whole)
}
