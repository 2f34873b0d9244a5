package responses

import (
	"strconv"

	"github.com/understudyhq/understudy/internal/llm"
)

// pair ties the results to their calls: each to the nearest call of its id before it, else, as
// items may come in any order, to the last one of that id, if that has none.
func (e *encoder) pair(messages []llm.Message) {
	e.calls, e.results = map[*llm.ToolCall]*call{}, map[*llm.ToolResult]*call{}
	latest, ids := map[string]*call{}, ids{times: map[string]int{}, taken: map[string]bool{}}
	var early []*llm.ToolResult
	for i := range messages {
		for _, p := range messages[i].Parts {
			switch p := p.(type) {
			case *llm.ToolCall:
				c := &call{id: ids.unique(p.ID), custom: e.isCustom(p.Name)}
				e.calls[p], latest[p.ID] = c, c
			case *llm.ToolResult:
				if latest[p.ID] == nil {
					early = append(early, p)
					continue
				}
				e.tie(latest[p.ID], p)
			}
		}
	}
	for _, r := range early {
		if c := latest[r.ID]; c != nil && c.result == nil {
			e.tie(c, r)
			continue
		}
		if e.strays == nil {
			e.strays = map[string]*llm.ToolResult{}
		}
		e.strays[r.ID] = r
	}
}

func (e *encoder) tie(c *call, r *llm.ToolResult) {
	c.result, e.results[r] = r, c
}

// ids are those that calls go out with.
type ids struct {
	times map[string]int // how often an id came
	taken map[string]bool
}

// unique is a call's id as it goes out. Some upstreams count their calls anew in every turn; an
// id that comes again gets a number, so that each result finds its call.
func (d ids) unique(id string) string {
	d.times[id]++
	safe := llm.SafeID(id, maxIDBytes)
	for n := d.times[id]; n > 1 || d.taken[safe]; n++ {
		if safe = llm.SafeID(id+"_"+strconv.Itoa(max(n, 2)), maxIDBytes); !d.taken[safe] {
			break
		}
	}
	d.taken[safe] = true
	return safe
}
