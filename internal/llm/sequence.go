package llm

// Sequence puts the events of an answer in order for formats that show one part after the
// other: a Start comes first, parts are numbered from 0 without gaps, each ends before the
// next begins, texts and thoughts without content are left out, only thoughts are signed, and
// after the end nothing follows. Parts that run beside the current one wait until it has ended. The zero Sequence
// is ready. It is for one goroutine.
type Sequence struct {
	started, over bool
	parts         []*running       // open and waiting parts, the current one first
	waiting       map[int]*running // those behind the current one that have not ended, by index
	next          int              // the number of the next part that is shown
}

// running is a part that has not been shown to its end.
type running struct {
	index  int // as the decoder counts
	start  Event
	shown  bool // its PartStart has gone out
	ended  bool
	queued []Event
}

// Over reports whether the answer has ended.
func (s *Sequence) Over() bool { return s.over }

// Push appends what e comes to, in order. What makes no sense where it stands is left out.
func (s *Sequence) Push(out []Event, e Event) []Event {
	if s.over {
		return out
	}
	if e.Kind == Start && s.started {
		return out
	}
	if !s.started {
		s.started = true
		if e.Kind != Start {
			out = append(out, Event{Kind: Start})
		}
	}
	switch e.Kind {
	case Start:
		return append(out, e)
	case PartStart:
		s.end(e.Index) // a decoder that begins the same one again means another
		s.begin(e)
		return s.flush(out)
	case Delta, Signed:
		return s.content(out, e)
	case PartEnd:
		s.end(e.Index)
		return s.flush(out)
	default: // Finish, Failed
		for _, r := range s.parts {
			r.ended = true
		}
		out = s.flush(out)
		s.over = true
		return append(out, e)
	}
}

func (s *Sequence) begin(e Event) {
	r := &running{index: e.Index, start: e}
	s.parts = append(s.parts, r)
	if len(s.parts) == 1 {
		return
	}
	if s.waiting == nil {
		s.waiting = map[int]*running{}
	}
	s.waiting[e.Index] = r
}

func (s *Sequence) end(index int) {
	if r := s.find(index); r != nil {
		r.ended = true
		delete(s.waiting, index)
	}
}

// find returns the open part of an index; nil = there is none.
func (s *Sequence) find(index int) *running {
	if len(s.parts) > 0 {
		if r := s.parts[0]; r.index == index && !r.ended {
			return r
		}
	}
	return s.waiting[index]
}

func (s *Sequence) content(out []Event, e Event) []Event {
	r := s.find(e.Index)
	if r == nil || e.Text == "" || e.Kind == Signed && r.start.Part != ThinkingPart {
		return out
	}
	if r != s.parts[0] {
		r.queued = append(r.queued, e)
		return out
	}
	out = s.show(out, r)
	e.Index = s.next
	return append(out, e)
}

// show sends a part's PartStart if that has not gone out.
func (s *Sequence) show(out []Event, r *running) []Event {
	if r.shown {
		return out
	}
	r.shown = true
	r.start.Index = s.next
	return append(out, r.start)
}

// flush sends what is due: the first part's beginning, all of those that have ended, and
// what the next one has waited with.
func (s *Sequence) flush(out []Event) []Event {
	for len(s.parts) > 0 {
		r := s.parts[0]
		if !r.start.withheld() || len(r.queued) > 0 {
			out = s.show(out, r)
		}
		for _, e := range r.queued {
			e.Index = s.next
			out = append(out, e)
		}
		r.queued = nil
		if !r.ended {
			return out
		}
		if r.shown {
			out = append(out, Event{Kind: PartEnd, Index: s.next})
			s.next++
		}
		s.parts[0] = nil
		if s.parts = s.parts[1:]; len(s.parts) > 0 {
			delete(s.waiting, s.parts[0].index)
		}
	}
	return out
}

// withheld reports whether a part is nothing without content.
func (e Event) withheld() bool {
	return e.Part == TextPart || e.Part == ThinkingPart || e.Part == RefusalPart
}
