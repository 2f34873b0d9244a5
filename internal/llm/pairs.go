package llm

import "strconv"

// Pairs ties the results of tools to their calls: each to the nearest call of its id before it,
// else, as some clients send them in any order, to the last one of that id, if that has none.
type Pairs struct {
	results map[*ToolCall]*ToolResult // the last of several
	paired  map[*ToolResult]bool
	ids     map[*ToolCall]string
	strays  map[string]*ToolResult // the results without a call, of each id the last
}

// PairTools pairs the calls and results of a conversation. Ids are made safe, of at most limit
// bytes.
func PairTools(messages []Message, limit int) *Pairs {
	p := &Pairs{
		results: map[*ToolCall]*ToolResult{}, paired: map[*ToolResult]bool{},
		ids: map[*ToolCall]string{}, strays: map[string]*ToolResult{},
	}
	latest := map[string]*ToolCall{}
	made := NewUniqueIDs(limit)
	var early []*ToolResult
	for i := range messages {
		for _, part := range messages[i].Parts {
			switch part := part.(type) {
			case *ToolCall:
				latest[part.ID] = part
				p.ids[part] = made.Next(part.ID)
			case *ToolResult:
				if call := latest[part.ID]; call != nil {
					p.results[call], p.paired[part] = part, true
					continue
				}
				early = append(early, part)
			}
		}
	}
	for _, r := range early {
		if call := latest[r.ID]; call != nil && p.results[call] == nil {
			p.results[call], p.paired[r] = r, true
			continue
		}
		p.strays[r.ID] = r
	}
	return p
}

// Result returns what a call has brought; nil = nothing.
func (p *Pairs) Result(call *ToolCall) *ToolResult { return p.results[call] }

// ID returns the id that a call goes out with, which no other call of the conversation has.
func (p *Pairs) ID(call *ToolCall) string { return p.ids[call] }

// Stray returns what to tell in the place of a result that belongs to no call: the last one of
// its id, once. nil = nothing, as it has been told or belongs to a call.
func (p *Pairs) Stray(r *ToolResult) *ToolResult {
	if p.paired[r] {
		return nil
	}
	last := p.strays[r.ID]
	delete(p.strays, r.ID)
	return last
}

// UniqueIDs gives every call an id of its own. Some upstreams count their calls anew in every
// turn; an id that comes again gets a number, so that each result finds its call.
type UniqueIDs struct {
	limit int
	last  map[string]int // the number that an id had last
	taken map[string]bool
}

// NewUniqueIDs returns ids that are safe and have at most limit bytes: see SafeID.
func NewUniqueIDs(limit int) *UniqueIDs {
	return &UniqueIDs{limit: limit, last: map[string]int{}, taken: map[string]bool{}}
}

// Next returns the id that a call of this id goes out with.
func (u *UniqueIDs) Next(id string) string {
	n, again := u.last[id]
	safe := SafeID(id, u.limit)
	for again || u.taken[safe] {
		n++
		safe, again = SafeID(id+"_"+strconv.Itoa(n), u.limit), false
	}
	u.last[id], u.taken[safe] = max(n, 1), true
	return safe
}
