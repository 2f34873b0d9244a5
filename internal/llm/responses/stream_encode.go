package responses

import (
	"strconv"

	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/internal/llm/wire"
)

// streamEncoder writes one streamed answer.
//
// An item's last event waits until the next item begins or the answer ends: only then is it
// known whether the answer was cut short in it.
type streamEncoder struct {
	reply
	seq    llm.Sequence
	events []llm.Event // of one Encode
	quiet  bool        // only the final object is wanted

	count int64 // of events, and so the next sequence number
	index int   // of the item in the making

	part    outputKind // of the part in progress
	fresh   llm.Event  // how it began
	waiting bool       // it is no item yet
	deaf    bool       // nothing can be added to it

	item   output
	begun  bool // there is an item in the making
	custom wire.Unwrapper
	stem   []byte // the members that its deltas share
	piece  []byte // of a custom tool's input
	items  []byte // what is finished, as JSON
	final  []byte // the object at the end, if quiet
}

// StreamEncoder writes one streamed answer. What a client gets are items one after the
// other, each part of the answer one of them, whatever order the parts come in.
func (Codec) StreamEncoder(r llm.Reply) llm.StreamEncoder {
	return &streamEncoder{reply: reply{Reply: r}}
}

// EncodeAnswer appends a whole answer as a client's body to dst. It is the object that ends
// the stream of the same answer.
func (Codec) EncodeAnswer(dst []byte, a *llm.Answer, r llm.Reply) []byte {
	s := streamEncoder{reply: reply{Reply: r}, quiet: true}
	for _, e := range a.Events() {
		s.Encode(nil, e)
	}
	return append(dst, s.final...)
}

// Encode appends what e comes to on the wire.
func (s *streamEncoder) Encode(dst []byte, e llm.Event) []byte {
	s.events = s.seq.Push(s.events[:0], e)
	for i := range s.events {
		dst = s.step(dst, &s.events[i])
	}
	return dst
}

// Progress tells how far the stream has come.
func (s *streamEncoder) Progress() llm.Progress {
	return llm.Progress{Elements: int(s.count), ResponseID: s.id, Sequence: s.count}
}

func (s *streamEncoder) step(dst []byte, e *llm.Event) []byte {
	switch e.Kind {
	case llm.Start:
		s.begin(e.ID, e.Model)
		for _, name := range [...]string{"response.created", "response.in_progress"} {
			dst = s.whole(dst, name, state{status: inProgress})
		}
	case llm.PartStart:
		dst = s.partStart(dst, e)
	case llm.Delta:
		if !s.deaf {
			dst = s.delta(s.show(dst), e.Text)
		}
	case llm.Signed:
		if s.part == thought && s.wantsEncrypted() {
			dst = s.show(dst)
			s.item.encrypted = mark(e.Text, e.Origin, s.item.redacted)
		}
	case llm.PartEnd: // see finish
	case llm.Finish, llm.Failed:
		dst = s.end(dst, e)
	}
	return dst
}

// partStart takes note of a part. It becomes an item when there is something to show.
func (s *streamEncoder) partStart(dst []byte, e *llm.Event) []byte {
	s.part = kindOf(*e)
	s.fresh, s.waiting = *e, s.part != nothing
	s.deaf = e.Media != nil // it has come whole
	switch {
	case s.part == words && e.Media != nil:
		return s.delta(s.show(dst), e.Media.URL)
	case s.part == function, s.part == picture:
		return s.show(dst)
	default:
		return dst
	}
}

// finish ends the item in the making.
func (s *streamEncoder) finish(dst []byte, status string) []byte {
	if !s.begun {
		return dst
	}
	dst = s.close(dst, status)
	if len(s.items) > 0 {
		s.items = append(s.items, ',')
	}
	s.items = s.item.append(s.items, status)
	s.index++
	s.begun = false
	return dst
}

// end ends the answer.
func (s *streamEncoder) end(dst []byte, e *llm.Event) []byte {
	st := state{status: completed, usage: e.Usage}
	itemStatus := completed
	switch {
	case e.Kind == llm.Failed:
		st.status, itemStatus, st.failure = failed, incomplete, e.Failure
		if st.failure == nil {
			st.failure = &llm.Failure{Message: "The answer broke off."}
		}
	case e.Reason == llm.Length:
		st.status, itemStatus, st.incomplete = incomplete, incomplete, "max_output_tokens"
	case e.Reason == llm.Filtered:
		st.status, itemStatus, st.incomplete = incomplete, incomplete, "content_filter"
	case e.Reason == llm.Broken:
		st.status, itemStatus = failed, incomplete
		st.failure = &llm.Failure{Message: "The model's output made no sense to its vendor."}
	}
	if st.usage == nil && e.Kind == llm.Finish { // clients read the counts unasked
		st.usage = &llm.Usage{}
	}
	dst = s.finish(dst, itemStatus)
	if s.quiet {
		s.final = s.response(nil, s.items, st)
		return dst
	}
	return s.whole(dst, "response."+st.status, st)
}

// event begins a wire event: the caller adds members and ends it.
func (s *streamEncoder) event(dst []byte, name string) []byte {
	dst = append(dst, "event: "...)
	dst = append(dst, name...)
	dst = append(dst, "\ndata: {\"type\":\""...)
	dst = append(dst, name...)
	dst = append(dst, `","sequence_number":`...)
	dst = strconv.AppendInt(dst, s.count, 10)
	s.count++
	return dst
}

const endOfEvent = "}\n\n"

// whole writes an event that holds the response as it is now.
func (s *streamEncoder) whole(dst []byte, name string, st state) []byte {
	if s.quiet {
		return dst
	}
	dst = append(s.event(dst, name), `,"response":`...)
	return append(s.response(dst, s.items, st), endOfEvent...)
}

func digits(n int) string { return strconv.Itoa(n) }

// appendText ends an event whose last member is a text.
func appendText(dst []byte, member, text string) []byte {
	dst = append(dst, `,"`...)
	dst = append(dst, member...)
	dst = append(dst, `":`...)
	dst = wire.AppendString(dst, text)
	return append(dst, endOfEvent...)
}
