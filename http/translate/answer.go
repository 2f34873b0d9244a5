package translate

import (
	"time"

	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/internal/sse"
	"github.com/understudyhq/understudy/providers"
)

// maxCollectedBytes bounds how much of a stream is collected, for a client that wants it whole
// or for a later request.
const maxCollectedBytes = 32 << 20

// Answer is an upstream's answer on its way to a client of another format. It is for one
// goroutine.
type Answer struct {
	from, to providers.Format
	reply    llm.Reply
	stream   bool // the client wants a stream

	decoder llm.StreamDecoder // of a streamed answer; nil = not begun
	encoder llm.StreamEncoder // to a client that wants a stream; nil = not begun
	events  []llm.Event       // one wire event's; or, for a client that wants it whole, all
	out     []byte            // encoded and not taken yet

	taken    int         // bytes of a stream
	keep     bool        // for a later request
	kept     []llm.Event // all of them, if keep is set
	finished bool        // the Finish has come
	whole    []byte      // what a client got that wants it whole
}

// Client is how a client wants its answer.
type Client struct {
	Stream bool
	Array  bool // Gemini's stream as one JSON array
	// ID names the answer if the upstream does not: the request's own id.
	ID string
	At time.Time // when the answer began
}

// Answer begins an answer that comes in format from.
func (c *Call) Answer(from providers.Format, to Client) *Answer {
	return &Answer{
		from: from, to: c.format, stream: to.Stream,
		reply: llm.Reply{Request: c.request, ID: llm.NewID("", to.ID), CreatedAt: to.At, Array: to.Array},
	}
}

// ContentType is that of what the client gets.
func (a *Answer) ContentType() string {
	if a.stream && !a.reply.Array {
		return "text/event-stream"
	}
	return "application/json"
}

// Whole translates an answer that came whole, into what the client wants. Its errors are
// *llm.DecodeError.
func (a *Answer) Whole(body []byte) ([]byte, error) {
	events, err := codec(a.from).DecodeAnswer(body)
	if err != nil {
		return nil, err
	}
	if a.keep {
		a.kept = events
	}
	if !a.stream {
		a.whole = codec(a.to).EncodeAnswer(nil, llm.Collect(events), a.reply)
		return a.whole, nil
	}
	for _, e := range events {
		a.encode(e)
	}
	return a.Out(), nil
}

// Take translates one event of an answer that comes as a stream; Out has what it came to.
// Its errors are *llm.DecodeError.
func (a *Answer) Take(e sse.Event) error {
	if a.decoder == nil {
		a.decoder = codec(a.from).StreamDecoder()
	}
	if a.taken += len(e.Data); a.taken > maxCollectedBytes {
		if !a.stream {
			return &llm.DecodeError{Reason: "too long to be collected"}
		}
		a.keep, a.kept = false, nil
	}
	if a.stream {
		a.events = a.events[:0]
	}
	before := len(a.events)
	events, err := a.decoder.Decode(a.events, e.Name, e.Data)
	if err != nil {
		return err
	}
	a.events = events
	a.pass(events[before:])
	return nil
}

// Close takes the end of the stream.
func (a *Answer) Close() {
	if a.decoder == nil {
		return
	}
	if a.stream {
		a.events = a.events[:0]
	}
	before := len(a.events)
	a.events = a.decoder.Close(a.events)
	a.pass(a.events[before:])
}

// pass encodes events for a client that wants a stream. Failures are told elsewhere.
func (a *Answer) pass(events []llm.Event) {
	if a.keep {
		a.kept = append(a.kept, events...)
	}
	for i := range events {
		a.finished = a.finished || events[i].Kind == llm.Finish
	}
	if !a.stream {
		return
	}
	for _, e := range events {
		if e.Kind != llm.Failed {
			a.encode(e)
		}
	}
}

func (a *Answer) encode(e llm.Event) {
	if a.encoder == nil {
		a.encoder = codec(a.to).StreamEncoder(a.reply)
	}
	a.out = a.encoder.Encode(a.out, e)
}

// Out returns what is there for a client that wants a stream, whole events only, and forgets
// it. It is valid until the next Take, Close or Whole.
func (a *Answer) Out() []byte {
	out := a.out
	a.out = a.out[:0]
	return out
}

// Collected returns a streamed answer, after Close, for a client that wants it whole.
func (a *Answer) Collected() []byte {
	a.whole = codec(a.to).EncodeAnswer(nil, llm.Collect(a.events), a.reply)
	return a.whole
}

// Progress tells how far the client's stream has come.
func (a *Answer) Progress() llm.Progress {
	if a.encoder == nil {
		return llm.Progress{}
	}
	return a.encoder.Progress()
}
