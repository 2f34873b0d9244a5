package llm

import (
	"encoding/json"
	"time"
)

// Event is one step of an answer. It is a value, so that a stream of them costs nothing.
// Which fields count depends on Kind.
type Event struct {
	Kind  EventKind
	Index int      // of the part; all kinds but Start, Finish and Failed
	Part  PartKind // PartStart

	ID    string // Start: the answer's; PartStart: a tool call's or a Responses item's
	Model string // Start: as the upstream calls it
	Name  string // PartStart: of the tool
	Text  string // Delta: what is added; Signed: the signature

	Origin   Format // Signed: whose signature
	Redacted bool   // PartStart of ThinkingPart: there is no readable text
	Media    *Media // PartStart of MediaPart: all of it

	Reason       FinishReason // Finish
	StopSequence string       // Finish with StopSequence: which one; empty = not told
	Usage        *Usage       // Start: what is known so far; Finish: all of it; nil = not told
	Failure      *Failure     // Failed
}

// EventKind is what an Event tells.
type EventKind uint8

// Kinds of events. A well-formed answer is a Start, then parts, each a PartStart, Deltas and
// Signed, and a PartEnd, and at last one Finish or Failed. Parts of a decoder may interleave
// and stay open till Finish; [Sequence] puts them in order for an encoder.
const (
	Start EventKind = iota + 1
	PartStart
	Delta
	Signed // a thinking part's signature, whole
	PartEnd
	Finish
	Failed
)

// PartKind is what a part of an answer is.
type PartKind uint8

// Kinds of parts.
const (
	TextPart PartKind = iota + 1
	ThinkingPart
	RefusalPart
	ToolCallPart // Deltas are pieces of its Arguments
	MediaPart    // comes whole in its PartStart
)

// FinishReason is why an answer ended.
type FinishReason string

// Reasons. An answer with tool calls ends with ToolCalls whatever its upstream said, unless
// it was cut short.
const (
	Stop         FinishReason = "stop"
	StopSequence FinishReason = "stop_sequence"
	Length       FinishReason = "length"
	ToolCalls    FinishReason = "tool_calls"
	Filtered     FinishReason = "filtered" // by the vendor: safety, recitation, blocked prompt
	Refused      FinishReason = "refused"  // by the model
	Paused       FinishReason = "paused"   // to be continued by sending it back
	Broken       FinishReason = "broken"   // the model's output made no sense to its vendor
)

// Usage is what an answer cost, in tokens. Every count includes those behind it: Input
// those read from and written to a cache, Output those of reasoning.
type Usage struct {
	Input, CacheRead, CacheWrite int64
	Output, Reasoning            int64
}

// Total is Input and Output.
func (u Usage) Total() int64 { return u.Input + u.Output }

// Failure is an upstream's error in no vendor's words.
type Failure struct {
	Status     int    // of HTTP; 0 = not told
	Type       string // the upstream's own word for the kind of error; may be empty
	Code       string // a finer word; may be empty
	Message    string
	Param      string        // the request's field at fault; may be empty
	RetryAfter time.Duration // 0 = not told
	Details    json.RawMessage
}

// Reply is what an encoder needs to know about the request it answers.
type Reply struct {
	// Request is what the client asked, decoded from the client's own format. Never nil.
	Request *Request
	// ID names the answer if its upstream gave no id: letters, digits, - and _.
	ID string
	// CreatedAt is when the answer began.
	CreatedAt time.Time
	// Array asks for Gemini's stream as one JSON array, not as events.
	Array bool
}
