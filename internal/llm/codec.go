package llm

import "fmt"

// Codec is one wire format. It has no state and is safe for concurrent use.
type Codec interface {
	// DecodeRequest reads a client's request; path-borne facts (Gemini's model and method)
	// are the caller's to fill in. Its errors are *DecodeError. It keeps nothing of body.
	DecodeRequest(body []byte) (*Request, error)
	// EncodeRequest appends r as an upstream's body to dst. It does not change r. Its errors
	// are *UnsupportedError.
	EncodeRequest(dst []byte, r *Request, t Target) (body []byte, lost []Loss, err error)
	// Losses lists every Loss that EncodeRequest can return.
	Losses() []Loss

	// DecodeAnswer reads a whole answer of an upstream as its events, from Start to Finish.
	// Its errors are *DecodeError.
	DecodeAnswer(body []byte) ([]Event, error)
	// StreamDecoder reads one streamed answer.
	StreamDecoder() StreamDecoder
	// EncodeAnswer appends a whole answer as a client's body to dst.
	EncodeAnswer(dst []byte, a *Answer, r Reply) []byte
	// StreamEncoder writes one streamed answer.
	StreamEncoder(r Reply) StreamEncoder
	// DecodeError reads the body of an answer with an error status, or the data of an error
	// event (status 0). Whatever body is, it returns something to tell.
	DecodeError(status int, body []byte) *Failure
}

// Target tells an encoder about the upstream.
type Target struct {
	// Compatible says that the upstream is not the format's own vendor: it takes thinking
	// that nobody has signed.
	Compatible bool
}

// StreamDecoder turns an upstream's events into canonical ones. It takes whole events of
// the wire (server-sent ones, or elements of Gemini's array); name and data are its own only
// while a call lasts. It is for one goroutine.
type StreamDecoder interface {
	// Decode appends to out what one wire event says. An error (*DecodeError) means that the
	// stream makes no sense.
	Decode(out []Event, name, data []byte) ([]Event, error)
	// Close appends what the end of the stream says: at the latest now there is a Finish,
	// unless the stream broke off without its format's end mark.
	Close(out []Event) []Event
}

// StreamEncoder writes events for a client. It puts their parts in order by itself and takes
// any sequence of events: what it writes is valid in its format, and nothing follows the
// end. It is for one goroutine.
type StreamEncoder interface {
	// Encode appends what e comes to on the wire; often nothing.
	Encode(dst []byte, e Event) []byte
	// Progress tells how far the stream has come, for the error that may have to end it.
	Progress() Progress
}

// Progress is how far a stream has come.
type Progress struct {
	Elements   int    // wire events, or elements of an array, so far
	ResponseID string // Responses only
	Sequence   int64  // Responses only: the next sequence number
}

// Loss is something a request holds and an encoding of it does not: the answer may differ,
// but not depend on it.
type Loss struct {
	Path   string // in the canonical form, as docs/formats.md lists it: "sampling.seed"
	Reason string // a short clause
}

// DecodeError says what is wrong with a body.
type DecodeError struct {
	Path   string // "messages[2].content"; empty = the whole
	Reason string // a clause fit for a client
}

func (e *DecodeError) Error() string {
	if e.Path == "" {
		return e.Reason
	}
	return e.Path + ": " + e.Reason
}

// UnsupportedError says what a request needs and a format cannot say.
type UnsupportedError struct {
	Format Format
	What   string // "the tool computer_use", "an image given by its file id"
}

func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("%s cannot be said in the format %s", e.What, e.Format)
}
