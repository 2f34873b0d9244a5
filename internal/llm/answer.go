package llm

// Answer is a whole answer. Its Parts are *Text, *Media, *ToolCall, *Thinking and *Refusal.
type Answer struct {
	ID           string
	Model        string
	Parts        []Part
	Reason       FinishReason
	StopSequence string
	Usage        Usage
	// Failure is set if the answer broke off: the rest is what came before.
	Failure *Failure
}

// Collect makes the whole answer of its events, whatever their order: they go through a
// [Sequence] first. Empty texts and thoughts leave no part.
func Collect(events []Event) *Answer {
	var (
		a       Answer
		seq     Sequence
		ordered []Event
	)
	for _, e := range events {
		ordered = seq.Push(ordered, e)
	}
	var text []byte
	for _, e := range ordered {
		switch e.Kind {
		case Start:
			a.ID, a.Model = e.ID, e.Model
		case PartStart:
			a.Parts = append(a.Parts, newPart(e))
			text = text[:0]
		case Delta:
			text = append(text, e.Text...)
		case Signed:
			if t, ok := a.Parts[len(a.Parts)-1].(*Thinking); ok {
				t.Signature, t.Origin = e.Text, e.Origin
			}
		case PartEnd:
			setText(a.Parts[len(a.Parts)-1], string(text))
		case Finish:
			a.Reason, a.StopSequence = e.Reason, e.StopSequence
			if e.Usage != nil {
				a.Usage = *e.Usage
			}
		case Failed:
			a.Failure = e.Failure
		}
	}
	return &a
}

func newPart(e Event) Part {
	switch e.Part {
	case ThinkingPart:
		return &Thinking{ID: e.ID, Redacted: e.Redacted}
	case RefusalPart:
		return &Refusal{}
	case ToolCallPart:
		return &ToolCall{ID: e.ID, Name: e.Name}
	case MediaPart:
		return e.Media
	default:
		return &Text{}
	}
}

func setText(p Part, text string) {
	switch p := p.(type) {
	case *Text:
		p.Text = text
	case *Thinking:
		p.Text = text
	case *Refusal:
		p.Text = text
	case *ToolCall:
		p.Arguments = text
	}
}

// Events returns a as the events that Collect would make it of.
func (a *Answer) Events() []Event {
	events := make([]Event, 0, 2+3*len(a.Parts))
	events = append(events, Event{Kind: Start, ID: a.ID, Model: a.Model})
	for i, p := range a.Parts {
		events = appendPart(events, i, p)
	}
	if a.Failure != nil {
		return append(events, Event{Kind: Failed, Failure: a.Failure})
	}
	usage := a.Usage
	return append(events, Event{Kind: Finish, Reason: a.Reason, StopSequence: a.StopSequence, Usage: &usage})
}

func appendPart(events []Event, i int, p Part) []Event {
	start, text := Event{Kind: PartStart, Index: i, Part: TextPart}, ""
	var signed *Thinking
	switch p := p.(type) {
	case *Text:
		text = p.Text
	case *Refusal:
		start.Part, text = RefusalPart, p.Text
	case *Thinking:
		start.Part, start.ID, start.Redacted = ThinkingPart, p.ID, p.Redacted
		text, signed = p.Text, p
	case *ToolCall:
		start.Part, start.ID, start.Name, text = ToolCallPart, p.ID, p.Name, p.Arguments
	case *Media:
		start.Part, start.Media = MediaPart, p
	default: // no part of an answer
		return events
	}
	events = append(events, start)
	if text != "" {
		events = append(events, Event{Kind: Delta, Index: i, Text: text})
	}
	if signed != nil && signed.Signature != "" {
		events = append(events, Event{Kind: Signed, Index: i, Text: signed.Signature, Origin: signed.Origin})
	}
	return append(events, Event{Kind: PartEnd, Index: i})
}
