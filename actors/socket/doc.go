// Package socket holds the actors of clients' sockets: one for each, which decides what of it
// runs when, and a parent that spawns them and knows which credentials refuse sockets of their
// own. No wire format and no connection is known here: a socket is a Line that somebody else
// reads and writes, and what it asks for are Turns.
//
// A Line must be closed when its actor ends, however that ends: with the actor goes the order
// of what comes over it. An actor that crashes is stopped, closes its line, and nobody else
// notices.
package socket

import "time"

// Limits of one socket.
type Limits struct {
	Turns     int           // that run or wait
	Lanes     int           // with a name
	TurnBytes int           // of all turns that run or wait; one alone may be larger
	Life      time.Duration // no turn begins after it
	Silence   time.Duration // of the client, until it is asked for a sign of life, and asked again
	Deadline  time.Duration // of silence, until it counts as gone
	LinkIdle  time.Duration // until a link that nobody uses is closed
	LinkLife  time.Duration // until a link is used no more
}

// Standard limits: those of the Responses API over WebSocket where it has them. The deadline
// is long because some clients see what they are asked only while they wait for an answer.
func Standard() Limits {
	return Limits{
		Turns: 16, Lanes: 32, TurnBytes: 64 << 20,
		Life: time.Hour, Silence: 30 * time.Second, Deadline: 15 * time.Minute,
		LinkIdle: 10 * time.Minute, LinkLife: 55 * time.Minute,
	}
}

// End is why a line is closed.
type End string

// Ends.
const (
	Failed  End = "failed"  // its actor crashed
	Leaving End = "leaving" // the gateway shuts down
	Expired End = "expired" // its life is over
	Silent  End = "silent"  // the client gave no sign of life
)

// Line is the client's side of a socket. None of its methods blocks.
type Line interface {
	// HeardAt is when something came from the client last.
	HeardAt() time.Time
	// Ping asks the client for a sign of life.
	Ping()
	// Close ends the line and cancels what runs for it. Further calls do nothing.
	Close(why End)
}

// Refusal is why a turn is not served.
type Refusal string

// Refusals, besides the Ends.
const (
	TooManyLanes Refusal = "lanes"
	TooManyTurns Refusal = "turns"
	TooManyBytes Refusal = "bytes"
)

// Turn is one thing that a client asks for. Its methods do not block.
type Turn interface {
	// Lane is the name of those turns that this one waits for; empty = those without one.
	Lane() string
	// Size is how much memory it holds until it has ended, in bytes.
	Size() int
	// Start begins it. Whoever serves it sends Ended afterwards.
	Start()
	// Refuse answers it: it is not started.
	Refuse(why Refusal)
}

// Link is a kept connection to an upstream. Close does not block; further calls do nothing.
type Link interface{ Close() }

// LinkKey says what a link is good for: one lane, and one upstream with one secret.
type LinkKey struct{ Lane, Upstream string }

// Messages the actor of a socket takes. It answers Borrow.
type (
	// Asked hands it a turn.
	Asked struct{ Turn Turn }
	// Ended says that a turn which was started is over.
	Ended struct{ Turn Turn }
	// Gone says that the client is.
	Gone struct{}
	// Leave asks it to close the line when nothing runs any more, and to begin nothing.
	Leave struct{}
	// Borrow takes the lane's link to an upstream, if there is one. It is answered with a
	// Borrowed.
	Borrow struct{ Key LinkKey }
	// Return puts a link back, or a new one in, that was made at BornAt.
	Return struct {
		Key    LinkKey
		Link   Link
		BornAt time.Time
	}
	// due is its own alarm.
	due struct{}
)

// Borrowed answers Borrow.
type Borrowed struct {
	Link   Link // nil = there is none
	BornAt time.Time
}
