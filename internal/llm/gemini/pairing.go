package gemini

import "strconv"

// pairing gives every call an id and ties the results to their calls, which in this format
// may have no ids: then order and name decide.
type pairing struct {
	taken    map[string]bool // ids that calls have
	answered map[string]bool // ids that results have
	calls    []paired
	step     int // the first of calls that belongs to the model's latest turn
	made     int // ids made so far
}

type paired struct {
	id, name string
	claimed  bool
}

// collect notes the ids that are told, so that none of them is made or given twice.
func (p *pairing) collect(contents []content) {
	note := func(set *map[string]bool, id string) {
		if id == "" {
			return
		}
		if *set == nil {
			*set = make(map[string]bool, len(contents)/2)
		}
		(*set)[id] = true
	}
	for i := range contents {
		for j := range contents[i].Parts {
			part := &contents[i].Parts[j]
			if f := part.FunctionCall; f != nil {
				note(&p.taken, firstOf(f.ID, f.CallID))
			}
			if f := part.FunctionResponse; f != nil {
				note(&p.answered, firstOf(f.ID, f.CallID))
			}
		}
	}
}

// beginStep begins a turn of the model.
func (p *pairing) beginStep() { p.step = len(p.calls) }

// call returns the id of the next call: the one it has, or one counted from 1.
func (p *pairing) call(id, name string) string {
	if id == "" {
		id = p.invent()
	}
	p.calls = append(p.calls, paired{id: id, name: name, claimed: p.answered[id]})
	return id
}

func (p *pairing) invent() string {
	for {
		p.made++
		id := "call_" + strconv.Itoa(p.made)
		if !p.taken[id] && !p.answered[id] {
			return id
		}
	}
}

// result returns the id of the call that a result answers: the one it tells, if there is
// such a call; else that of the first call of the name without a result, in the model's
// latest turn or, failing that, before; else one that no call has.
func (p *pairing) result(id, name string) string {
	if id != "" && p.taken[id] {
		return id
	}
	if c := claim(p.calls[p.step:], name); c != nil {
		return c.id
	}
	if c := claim(p.calls[:p.step], name); c != nil {
		return c.id
	}
	if id != "" {
		return id
	}
	return p.invent()
}

func claim(calls []paired, name string) *paired {
	for i := range calls {
		if c := &calls[i]; !c.claimed && (c.name == name || name == "") {
			c.claimed = true
			return c
		}
	}
	return nil
}
