package chat

import (
	"strconv"

	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/internal/llm/wire"
)

// assembly puts one answer together from its chunks. Words follow each other: a thought
// ends where a text begins. Calls stay open to the end, since their pieces come in any
// order.
type assembly struct {
	whole         bool // there is one chunk: what it lacks will not come
	started, over bool
	id            string

	parts int          // so far
	open  int          // the part that words are added to; -1 = none
	kind  llm.PartKind // of it

	calls   []*call
	ofKey   map[int64]*call // the latest call of each index
	refused bool            // there were words of refusal
	images  []*llm.Media
	audio   []byte // base64

	usage  *llm.Usage
	reason string
	stop   string // the stop sequence

	quick quick
	read  opening // kept for its memory
}

// call is a tool call that comes in pieces.
type call struct {
	id, name string
	signed   *llm.Thinking // its signature
	custom   bool
	begun    bool // its PartStart has gone out, as part
	part     int
	unsent   []byte // arguments that came before that
	whole    []byte // all arguments, if the call has no index
	tries    int    // how often whole was looked at
}

func newAssembly() *assembly { return &assembly{open: -1} }

// take appends what a chunk says.
func (a *assembly) take(out []llm.Event, c *opening) []llm.Event {
	if !a.started && (len(c.Choices) > 0 || c.ID != "") {
		a.started, a.id = true, string(c.ID)
		out = append(out, llm.Event{Kind: llm.Start, ID: a.id, Model: string(c.Model)})
	}
	a.count(c.Usage)
	if c.XGroq != nil {
		a.count(c.XGroq.Usage)
	}
	for i := range c.Choices {
		ch := &c.Choices[i]
		if ch.Index != 0 { // more than one answer was never asked for
			continue
		}
		a.count(ch.Usage)
		out = a.words(out, &ch.Delta)
		if ch.Message != nil {
			out = a.words(out, ch.Message)
		}
		if ch.FinishReason != "" {
			a.reason = string(ch.FinishReason)
		}
		if ch.StopReason != "" {
			a.stop = string(ch.StopReason)
		}
	}
	return out
}

func (a *assembly) count(u *usage) {
	if u == nil {
		return
	}
	if a.usage == nil {
		a.usage = &llm.Usage{}
	}
	*a.usage = merge(*a.usage, u.tokens())
}

// words takes what the model has said: thoughts before words, words before calls.
func (a *assembly) words(out []llm.Event, d *delta) []llm.Event {
	thoughts := string(d.ReasoningContent)
	if thoughts == "" {
		thoughts = string(d.Reasoning)
	}
	if thoughts == "" {
		thoughts = string(d.ReasoningDetails)
	}
	out = a.piece(out, llm.ThinkingPart, thoughts)
	out = a.piece(out, llm.ThinkingPart, d.Content.thoughts)
	text := d.Content.text
	if d.Audio != nil {
		a.audio = append(a.audio, d.Audio.Data...)
		if text == "" {
			text = string(d.Audio.Transcript)
		}
	}
	out = a.piece(out, llm.TextPart, text)
	if d.Refusal != "" {
		a.refused = true
		out = a.piece(out, llm.RefusalPart, string(d.Refusal))
	}
	for _, image := range d.Images {
		if image.ImageURL.URL != "" {
			a.images = append(a.images, mediaOf(llm.Image, image.ImageURL.URL))
		}
	}
	for i := range d.ToolCalls {
		out = a.callPiece(out, i, &d.ToolCalls[i])
	}
	if d.FunctionCall != nil {
		out = a.callPiece(out, 0, &callDelta{Index: new(count), Function: d.FunctionCall})
	}
	return out
}

func (a *assembly) piece(out []llm.Event, kind llm.PartKind, text string) []llm.Event {
	if text == "" {
		return out
	}
	if a.open < 0 || a.kind != kind {
		out = a.endWords(out)
		a.open, a.kind = a.next(), kind
		out = append(out, llm.Event{Kind: llm.PartStart, Index: a.open, Part: kind})
	}
	return append(out, llm.Event{Kind: llm.Delta, Index: a.open, Text: text})
}

// next returns the number of a new part.
func (a *assembly) next() int {
	a.parts++
	return a.parts - 1
}

func (a *assembly) endWords(out []llm.Event) []llm.Event {
	if a.open < 0 {
		return out
	}
	out = append(out, llm.Event{Kind: llm.PartEnd, Index: a.open})
	a.open = -1
	return out
}

// callPiece takes a piece of a call. A call begins for clients when both its id and its
// name are known; till then its arguments wait.
func (a *assembly) callPiece(out []llm.Event, place int, d *callDelta) []llm.Event {
	name, args := "", ""
	switch {
	case d.Custom != nil:
		name, args = string(d.Custom.Name), string(d.Custom.Input)
	case d.Function != nil:
		name, args = string(d.Function.Name), string(d.Function.Arguments)
	}
	c := a.callOf(place, d, name)
	c.custom = c.custom || d.Custom != nil
	if c.id == "" {
		c.id = string(d.ID)
	}
	if c.name == "" {
		c.name = name
	}
	if d.Index == nil {
		c.whole = append(c.whole, args...)
	}
	if d.ExtraContent != nil && c.signed == nil {
		c.signed = d.ExtraContent.thinking(llm.Chat)
	}
	if a.whole {
		a.complete(c, len(a.calls)-1)
	}
	if !c.begun && (c.id == "" || c.name == "") {
		c.unsent = append(c.unsent, args...)
		return out
	}
	out = a.beginCall(out, c)
	return c.arguments(out, args)
}

// maxTries is how often a call without an index is looked at for being whole.
const maxTries = 16

// callOf returns the call that a piece belongs to. An upstream may give every call the same
// index, or none: then another id with a name, or a name after whole arguments, is another
// call.
func (a *assembly) callOf(place int, d *callDelta, name string) *call {
	key := int64(place)
	if d.Index != nil {
		key = int64(*d.Index)
	}
	c := a.ofKey[key]
	switch {
	case c == nil:
	case name == "":
		return c
	case d.ID != "" && c.id != "" && string(d.ID) != c.id:
	case d.Index == nil && c.name != "" && (d.ID == "" || c.id == "") && c.isWhole():
	default:
		return c
	}
	c = &call{}
	if a.ofKey == nil {
		a.ofKey = map[int64]*call{}
	}
	a.ofKey[key] = c
	a.calls = append(a.calls, c)
	return c
}

// complete gives the call at a place what its upstream has not.
func (a *assembly) complete(c *call, place int) {
	if c.name == "" {
		c.name = "tool_" + strconv.Itoa(place)
	}
	if c.id == "" {
		c.id = llm.NewID("call_", a.id, strconv.Itoa(place), c.name)
	}
}

// isWhole reports whether a call without an index has all its arguments.
func (c *call) isWhole() bool {
	c.tries++
	return c.tries <= maxTries && wire.IsObject(c.whole)
}

func (a *assembly) beginCall(out []llm.Event, c *call) []llm.Event {
	if c.begun {
		return out
	}
	out = a.endWords(out)
	if s := c.signed; s != nil {
		i := a.next()
		out = append(out,
			llm.Event{Kind: llm.PartStart, Index: i, Part: llm.ThinkingPart, Redacted: s.Redacted},
			llm.Event{Kind: llm.Signed, Index: i, Text: s.Signature, Origin: s.Origin},
			llm.Event{Kind: llm.PartEnd, Index: i})
	}
	c.begun, c.part = true, a.next()
	out = append(out, llm.Event{Kind: llm.PartStart, Index: c.part, Part: llm.ToolCallPart, ID: c.id, Name: c.name})
	if c.custom {
		out = append(out, llm.Event{Kind: llm.Delta, Index: c.part, Text: wire.InputHead + `"`})
	}
	waiting := c.unsent
	c.unsent = nil
	return c.arguments(out, string(waiting))
}

// arguments appends a piece of a call's arguments. The text of a custom call becomes the
// inside of a JSON string.
func (c *call) arguments(out []llm.Event, text string) []llm.Event {
	if text == "" {
		return out
	}
	if c.custom {
		quotedText := wire.AppendString(nil, text)
		text = string(quotedText[1 : len(quotedText)-1])
	}
	return append(out, llm.Event{Kind: llm.Delta, Index: c.part, Text: text})
}

// finish ends the answer as its upstream meant it to.
func (a *assembly) finish(out []llm.Event) []llm.Event {
	a.over = true
	if !a.started {
		out = append(out, llm.Event{Kind: llm.Start})
	}
	calls := 0
	for i, c := range a.calls {
		if c.id == "" && c.name == "" && len(c.unsent) == 0 {
			continue // nobody has called anything
		}
		calls++
		a.complete(c, i)
		out = a.beginCall(out, c)
		if c.custom {
			out = append(out, llm.Event{Kind: llm.Delta, Index: c.part, Text: `"}`})
		}
		out = append(out, llm.Event{Kind: llm.PartEnd, Index: c.part})
	}
	out = a.endWords(out)
	if len(a.audio) > 0 {
		a.images = append(a.images, &llm.Media{Kind: llm.Audio, Data: string(a.audio)})
	}
	for _, m := range a.images {
		i := a.next()
		out = append(out,
			llm.Event{Kind: llm.PartStart, Index: i, Part: llm.MediaPart, Media: m},
			llm.Event{Kind: llm.PartEnd, Index: i})
	}
	e := llm.Event{Kind: llm.Finish, Reason: finishOf(a.reason, calls > 0, a.refused), Usage: a.usage}
	if e.Reason == llm.Stop && a.stop != "" {
		e.Reason, e.StopSequence = llm.StopSequence, a.stop
	}
	return append(out, e)
}

// fail ends the answer with an upstream's error.
func (a *assembly) fail(out []llm.Event, data []byte) []llm.Event {
	a.over = true
	return append(out, llm.Event{Kind: llm.Failed, Failure: failureOf(0, data)})
}

// finishOf returns what an upstream's word means for an answer with or without calls and
// words of refusal.
func finishOf(word string, calls, refused bool) llm.FinishReason {
	switch word {
	case "length", "max_tokens", "model_length":
		return llm.Length
	case "content_filter", "safety", "sensitive":
		return llm.Filtered
	case "error", "insufficient_system_resource", "network_error":
		return llm.Broken
	}
	switch { // stop, tool_calls, function_call, and whatever else or nothing
	case calls:
		return llm.ToolCalls
	case refused:
		return llm.Refused
	default:
		return llm.Stop
	}
}

// wordOf is the word for a reason. An answer with calls ends with them unless it was cut
// short, whatever its upstream said; one whose words are a refusal just stops.
func wordOf(reason llm.FinishReason, calls, refused bool) string {
	switch reason {
	case llm.Length:
		return "length"
	case llm.Filtered, llm.Broken: // something is missing that the model made or meant to
		return "content_filter"
	case llm.Refused:
		if !refused {
			return "content_filter"
		}
	}
	if calls {
		return "tool_calls"
	}
	return "stop" // also for Paused: there is no word that asks to go on
}

// cutShort reports whether an answer's last call may lack arguments.
func cutShort(reason llm.FinishReason) bool {
	return reason == llm.Length || reason == llm.Filtered || reason == llm.Broken
}
