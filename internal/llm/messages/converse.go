package messages

import (
	"slices"

	"github.com/understudyhq/understudy/internal/llm"
)

// turn is what one side says without a break.
type turn struct {
	assistant bool
	said      []said
}

// said is a part of a turn. A call's and a result's id is the one that goes out.
type said struct {
	part llm.Part
	id   string
}

// call is a tool call and its result, as the vendor pairs them.
type call struct {
	id     string // as it goes out
	result *llm.ToolResult
}

// converser puts a conversation into the vendor's order: the two sides take turns; the
// results of a turn's calls are the first that the user says after it; in the assistant's
// turns calls come last. Instructions are apart, wherever they stood.
type converser struct {
	e      *encoder
	system []llm.Part
	turns  []turn
	calls  []call
	heard  int             // calls met so far
	known  map[string]bool // ids of calls that have been heard
	due    []call          // the calls of the assistant's turn that is open
}

func (e *encoder) converse() (system []llm.Part, turns []turn) {
	c := converser{e: e}
	c.pair()
	c.turns = make([]turn, 0, len(e.r.Messages)+1)
	for i := range e.r.Messages {
		m := &e.r.Messages[i]
		e.lost.note(lostMessageName, m.Name != "")
		if m.Role == llm.System || m.Role == llm.Developer {
			c.system = append(c.system, m.Parts...)
			continue
		}
		for _, p := range m.Parts {
			c.part(p, m.Role == llm.Assistant)
		}
	}
	c.closeAssistant()
	if n := len(c.turns); n > 0 && c.turns[n-1].assistant {
		e.lost.note(lostPrefill, true)
		c.turns = c.turns[:n-1]
	}
	if len(c.turns) == 0 { // instructions alone: the vendor wants a message all the same
		c.turns = append(c.turns, turn{said: []said{{part: &llm.Text{}}}})
	}
	return c.system, c.turns
}

// pair finds each call's result: the last of those that come after it and before another
// call of the same id. Ids that went out before get a number, as some upstreams count their
// calls from the beginning in every turn.
func (c *converser) pair() {
	var (
		latest map[string]int // the number of the call
		ids    *llm.UniqueIDs
	)
	for i := range c.e.r.Messages {
		for _, p := range c.e.r.Messages[i].Parts {
			switch p := p.(type) {
			case *llm.ToolCall:
				if latest == nil {
					latest, c.known, ids = map[string]int{}, map[string]bool{}, llm.NewUniqueIDs(idLimit)
				}
				latest[p.ID] = len(c.calls)
				c.calls = append(c.calls, call{id: ids.Next(p.ID)})
			case *llm.ToolResult:
				if n, ok := latest[p.ID]; ok {
					c.calls[n].result = p
				}
			}
		}
	}
}

func (c *converser) part(p llm.Part, assistant bool) {
	switch p := p.(type) {
	case *llm.Text:
		if !blank(p.Text) {
			c.say(said{part: p}, assistant)
		}
	case *llm.Refusal:
		if !blank(p.Text) {
			c.say(said{part: &llm.Text{Text: p.Text}}, true)
		}
	case *llm.Thinking:
		c.think(p)
	case *llm.ToolCall:
		c.call(p)
	case *llm.ToolResult:
		c.result(p)
	case *llm.Media:
		if assistant {
			c.e.lost.note(lostAssistantMedia, true)
			return
		}
		c.say(said{part: p}, false)
	case *llm.Opaque:
		if !own(p) {
			c.e.lost.note(lostOpaque, true)
			return
		}
		c.say(said{part: p}, assistant)
	}
}

// think lets through what the vendor has signed. Others take unsigned thoughts too.
func (c *converser) think(t *llm.Thinking) {
	switch {
	case t.Origin == llm.Messages && t.Signature != "":
		c.say(said{part: t}, true)
	case c.e.t.Compatible && t.Text != "":
		c.e.lost.note(lostThinking, t.Signature != "")
		c.say(said{part: &llm.Thinking{Text: t.Text}}, true)
	default:
		c.e.lost.note(lostThinking, true)
	}
}

func (c *converser) call(p *llm.ToolCall) {
	pair := c.calls[c.heard]
	c.heard++
	c.known[p.ID] = true
	if pair.result == nil {
		c.e.lost.note(lostCall, true)
		return
	}
	c.say(said{part: p, id: pair.id}, true)
	c.due = append(c.due, pair)
}

// result has gone out with the end of the turn that called for it, unless no turn did.
func (c *converser) result(p *llm.ToolResult) {
	if c.known[p.ID] {
		c.closeAssistant()
		return
	}
	c.e.lost.note(lostResult, true)
	name := p.Name
	if name == "" {
		name = p.ID
	}
	c.say(said{part: &llm.Text{Text: "Result of the tool " + name + ":"}}, false)
	for _, inner := range p.Content {
		c.part(inner, false)
	}
}

// say adds to the turn of a side, which may have to begin.
func (c *converser) say(s said, assistant bool) {
	if !assistant {
		c.closeAssistant()
	}
	if n := len(c.turns); n == 0 || c.turns[n-1].assistant != assistant {
		c.turns = append(c.turns, turn{assistant: assistant})
	}
	t := &c.turns[len(c.turns)-1]
	t.said = append(t.said, s)
}

// closeAssistant ends the assistant's turn if it is the assistant's, and lets the user begin
// with the results.
func (c *converser) closeAssistant() {
	n := len(c.turns)
	if n == 0 || !c.turns[n-1].assistant {
		return
	}
	t := &c.turns[n-1]
	slices.SortStableFunc(t.said, func(a, b said) int { return a.rank() - b.rank() })
	for len(t.said) > 0 && isThought(t.said[len(t.said)-1].part) {
		t.said = t.said[:len(t.said)-1]
		c.e.lost.note(lostThinking, true)
	}
	if len(t.said) == 0 {
		c.turns = c.turns[:n-1]
		return
	}
	if len(c.due) == 0 {
		return
	}
	results := turn{}
	for _, pair := range c.due {
		results.said = append(results.said, said{part: pair.result, id: pair.id})
	}
	c.due = c.due[:0]
	c.turns = append(c.turns, results)
}

// Where a part stands in an assistant's turn.
const (
	rankThought = iota // unsigned ones; signed ones stay where the vendor wrote them
	rankOther
	rankCall
)

func (s said) rank() int {
	switch p := s.part.(type) {
	case *llm.ToolCall:
		return rankCall
	case *llm.Thinking:
		if p.Signature == "" {
			return rankThought
		}
	}
	return rankOther
}

func isThought(p llm.Part) bool {
	_, ok := p.(*llm.Thinking)
	return ok
}
