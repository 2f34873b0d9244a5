package memory

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/understudyhq/understudy/actors/stage"
	"github.com/understudyhq/understudy/internal/lineage"
)

// Messages the transcripts take. They answer TranscriptOf.
type (
	// Turned says what an answer has added to a conversation of a client.
	Turned struct {
		Client         string
		Answer, Before string // ids; Before is empty for a conversation's first turn
		Items          []byte // comma-separated JSON; not changed any more
	}
	// TranscriptOf asks for the conversation up to an answer; it is answered with []byte.
	TranscriptOf struct{ Client, Answer string }
	// turnsDue is the alarm for the turn that was not used for longest.
	turnsDue struct{}
)

// transcripts remembers conversations that no upstream does. It is one for all incarnations
// of its actor.
type transcripts struct {
	book  *lineage.Book
	alarm stage.Alarm
}

// NewTranscripts returns the actor of one engine's transcripts.
func NewTranscripts() actor.Actor { return &transcripts{book: lineage.NewBook()} }

// Receive is part of actor.Actor.
func (t *transcripts) Receive(c actor.Context) {
	switch msg := c.Message().(type) {
	case Turned:
		t.keep(msg)
		t.expire(c)
	case TranscriptOf:
		c.Respond(t.book.Find(lineage.KeyOf(msg.Client, msg.Answer), time.Now()))
	case turnsDue, *actor.Started:
		t.expire(c)
	case *actor.Stopping, *actor.Restarting:
		t.alarm.Cancel()
	default:
		stage.Unhandled(c)
	}
}

func (t *transcripts) keep(msg Turned) {
	before := lineage.Key{}
	if msg.Before != "" {
		before = lineage.KeyOf(msg.Client, msg.Before)
	}
	t.book.Keep(lineage.KeyOf(msg.Client, msg.Answer), before, msg.Items, time.Now())
}

func (t *transcripts) expire(c actor.Context) {
	if next := t.book.Expire(time.Now()); !next.IsZero() {
		t.alarm.At(c, next, turnsDue{})
	}
}
