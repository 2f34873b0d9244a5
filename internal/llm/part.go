package llm

import "encoding/json"

// Part is a piece of a message or of an answer: *Text, *Media, *ToolCall, *ToolResult,
// *Thinking, *Refusal or *Opaque. Nothing outside this package implements it.
type Part interface{ part() }

type (
	// Text is words.
	Text struct {
		Text  string
		Cache *Cache
	}

	// Media is an image, a sound, a film or a document. Exactly one of Data, URL and FileID
	// is set.
	Media struct {
		Kind   MediaKind
		MIME   string // empty = not told
		Data   string // base64, as it came
		URL    string // http, https or gs; data URLs are taken apart into MIME and Data
		FileID string // an upload at the vendor of Origin
		Origin Format
		Name   string // of the file
		Detail string // of images: low, high, auto, original
		Text   string // of documents given as plain text, in place of Data
		Cache  *Cache
	}

	// ToolCall is the model calling a tool.
	ToolCall struct {
		// ID ties the result to the call. A decoder whose format gave none makes one: see NewID.
		ID   string
		Name string // with its namespace: see Tool.Name
		// Arguments is a JSON object as text; of Custom tools too: {"input": TEXT}. It may be
		// broken JSON if the model wrote it so. Empty = no arguments.
		Arguments string
		Cache     *Cache
	}

	// ToolResult is what a tool brought. Content is its Parts: *Text, *Media or *Opaque.
	ToolResult struct {
		ID      string // of the call
		Name    string // of the tool, where the format told it
		Content []Part
		// Structured says that Content is one Text which is a JSON value, not prose.
		Structured bool
		Failed     bool
		Cache      *Cache
	}

	// Thinking is the model's reasoning. With a Signature, only Origin's vendor can make sense
	// of it and takes it back. Without Text it belongs to the part that follows it.
	Thinking struct {
		Text string
		// Signature proves the text, or is the reasoning itself, encrypted; empty = none.
		Signature string
		Origin    Format // whose Signature it is
		// Redacted says that there never was a readable text: Signature is all of it.
		Redacted bool
		ID       string // Responses: of the item
	}

	// Refusal is the model's own words for why it will not answer.
	Refusal struct{ Text string }

	// Opaque is a part that only its own format knows.
	Opaque struct {
		Origin Format
		Raw    json.RawMessage
		// Needed says what the part is if the answer depends on it; empty = it does not. A
		// request that holds a needed one cannot be said in another format: see CheckNeeded.
		Needed string
	}
)

// MediaKind is what a Media is.
type MediaKind string

// Kinds of media. A File is a document of any type.
const (
	Image MediaKind = "image"
	Audio MediaKind = "audio"
	Video MediaKind = "video"
	File  MediaKind = "file"
)

func (*Text) part()       {}
func (*Media) part()      {}
func (*ToolCall) part()   {}
func (*ToolResult) part() {}
func (*Thinking) part()   {}
func (*Refusal) part()    {}
func (*Opaque) part()     {}
