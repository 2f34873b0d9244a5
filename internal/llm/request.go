package llm

import "encoding/json"

// Format names a wire format, in the words of the providers package.
type Format string

// The four formats.
const (
	Chat      Format = "openai-chat"
	Responses Format = "openai-responses"
	Messages  Format = "anthropic"
	Gemini    Format = "gemini"
)

// Request asks a model for one answer. The zero value of every field but Messages means that
// the client did not say; pointers tell "zero" from "not said".
type Request struct {
	Model    string
	Stream   bool
	Messages []Message // in the client's order, instructions among them
	Tools    []Tool
	Choice   ToolChoice
	Parallel *bool // several tool calls in one answer are welcome

	MaxTokens *int64
	Stop      []string
	Sampling  Sampling
	Reasoning Reasoning
	Output    Output

	UserID      string            // who the end user is, for the vendor's abuse detection
	Metadata    map[string]string // the client's own notes
	ServiceTier string            // in the client format's words; a codec maps those it knows
	CacheKey    string            // OpenAI's prompt_cache_key
	Safety      json.RawMessage   // Gemini's safetySettings
	Cache       *Cache            // a marker for the request as a whole

	// StreamUsage asks for usage in a stream whose format gives none by itself (chat).
	StreamUsage bool
	// Store asks the upstream to keep the answer for later turns (Responses, chat).
	Store *bool
	// PreviousResponseID continues a stored answer (Responses). It must be resolved before the
	// request is encoded for a format without such a thing: encoders refuse it.
	PreviousResponseID string
	// Include lists what else a Responses answer should hold, in that format's words.
	Include []string

	// Unsaid lists what the body holds and the canonical form has no word for.
	Unsaid []Loss
}

// Role is whose words a message holds.
type Role string

// Roles. System and Developer messages are instructions wherever they stand. Tool results
// are parts of a User message.
const (
	System    Role = "system"
	Developer Role = "developer"
	User      Role = "user"
	Assistant Role = "assistant"
)

// Message is one turn of a conversation.
type Message struct {
	Role  Role
	Name  string // of the participant, where a format has it
	Parts []Part // never nil parts; may be empty
}

// Tool is something the model may call.
type Tool struct {
	Kind ToolKind
	// Name is what the model calls it, unique in a request. A tool of a namespace has both,
	// joined by "__".
	Name        string
	Namespace   string
	Description string
	Schema      json.RawMessage // of the arguments: a JSON schema object; empty = none given
	Strict      *bool
	Cache       *Cache
	// Raw is the definition in the words of Origin, for Builtin tools and for the Grammar of
	// custom ones.
	Raw    json.RawMessage
	Origin Format
}

// ToolKind is who runs a tool and what its arguments are.
type ToolKind string

// Kinds of tools.
const (
	// Function tools are run by the client; their arguments are JSON.
	Function ToolKind = "function"
	// Custom tools are run by the client; they take free text. A format without them says
	// them as functions with one string argument, CustomArgument.
	Custom ToolKind = "custom"
	// WebSearch is run by the vendor: every format but chat has a tool of that meaning.
	WebSearch ToolKind = "web_search"
	// Builtin tools are run by the vendor of Origin and exist only there.
	Builtin ToolKind = "builtin"
)

// CustomArgument is the one argument of a Custom tool that is said as a function. Schema for
// it: CustomSchema.
const CustomArgument = "input"

// CustomSchema is the schema of a Custom tool that is said as a function.
func CustomSchema() json.RawMessage {
	return json.RawMessage(`{"type":"object","properties":{"input":{"type":"string"}},"required":["input"],"additionalProperties":false}`)
}

// ToolChoice is what the model may or must do with tools.
type ToolChoice struct {
	Mode ChoiceMode
	Name string // for Named
	// Allowed narrows Auto or Required to some of the tools; empty = all.
	Allowed []string
}

// ChoiceMode is the gist of a ToolChoice.
type ChoiceMode string

// Modes. The empty one leaves it to the format's default, which is Auto with tools.
const (
	ChoiceDefault ChoiceMode = ""
	Auto          ChoiceMode = "auto"
	None          ChoiceMode = "none"
	Required      ChoiceMode = "required"
	Named         ChoiceMode = "named"
)

// Sampling is how the next token is chosen.
type Sampling struct {
	Temperature, TopP                 *float64
	TopK                              *int64
	FrequencyPenalty, PresencePenalty *float64
	Seed                              *int64
	Candidates                        *int64 // answers wanted; nil = one
	LogProbs                          *bool
	TopLogProbs                       *int64
}

// Output is what shape the answer's text should have.
type Output struct {
	Kind        OutputKind
	Name        string          // of the schema
	Description string          // of the schema
	Schema      json.RawMessage // for OutputSchema
	Strict      *bool
	Verbosity   string   // low, medium, high
	Modalities  []string // besides text; lower case
	// Audio is how spoken output should sound, in OpenAI's words.
	Audio json.RawMessage
}

// OutputKind is the gist of an Output.
type OutputKind string

// Kinds of output. The empty one is plain text, not asked for by name.
const (
	OutputText   OutputKind = "text"
	OutputJSON   OutputKind = "json"
	OutputSchema OutputKind = "schema"
)

// Cache marks where a reusable prefix ends (Anthropic's cache_control).
type Cache struct {
	TTL string // "5m", "1h"; empty = the vendor's default
}
