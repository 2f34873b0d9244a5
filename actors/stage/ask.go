package stage

import (
	"context"
	"sync/atomic"

	"github.com/asynkron/protoactor-go/actor"
)

// Numbered is an answer that says which question it belongs to.
type Numbered interface{ Question() uint64 }

// Asker asks actors from plain goroutines. Unlike the library's futures it takes its
// deadline from a context, needs no timer, and loses no answer: one that arrives after
// the asker left goes to late.
type Asker struct {
	root *actor.RootContext
	free chan *replyBox // bounded: what overflows is unregistered, not garbage collected
	late func(answer any)
	done atomic.Bool // nothing is kept for reuse any more
}

// NewAsker returns an asker that sends through root. late takes the answers nobody waits for
// any more; it must not block.
func NewAsker(root *actor.RootContext, late func(any)) *Asker {
	return &Asker{root: root, free: make(chan *replyBox, 256), late: late}
}

// replyBox is a registered process that takes the answers to one question at a time.
type replyBox struct {
	pid     *actor.PID
	answers chan any
	left    atomic.Bool // the asker went away: answers are late
	late    func(any)
}

// registered is sent to a new replyBox by its maker. It makes the PID remember its
// process, so that answers find it even after it was unregistered.
type registered struct{}

// SendUserMessage takes an answer. It never blocks.
func (b *replyBox) SendUserMessage(_ *actor.PID, message any) {
	_, answer, _ := actor.UnwrapEnvelope(message)
	if _, ok := answer.(registered); ok {
		return
	}
	if b.left.Load() {
		b.late(answer)
		return
	}
	select {
	case b.answers <- answer:
	default: // nobody answers so often
		b.late(answer)
	}
	if b.left.Load() { // it left between the check and the send
		b.drain()
	}
}

// SendSystemMessage is part of actor.Process; a replyBox is neither watched nor stopped.
func (b *replyBox) SendSystemMessage(*actor.PID, any) {}

// Stop is part of actor.Process.
func (b *replyBox) Stop(*actor.PID) {}

func (b *replyBox) drain() {
	for {
		select {
		case answer := <-b.answers:
			b.late(answer)
		default:
			return
		}
	}
}

// Ask sends msg to pid and waits for the answer to question. Answers to earlier questions,
// such as that of an actor which crashed after it had answered, go to late.
// The error is the context's cause.
func (a *Asker) Ask(ctx context.Context, pid *actor.PID, msg any, question uint64) (any, error) {
	box := a.get()
	a.root.RequestWithCustomSender(pid, msg, box.pid)
	done := ctx.Done()
	for {
		select {
		case answer := <-box.answers:
			if n, ok := answer.(Numbered); ok && n.Question() != question {
				a.late(answer)
				continue
			}
			a.put(box)
			return answer, nil
		case <-done:
			a.discard(box)
			return nil, context.Cause(ctx)
		}
	}
}

func (a *Asker) get() *replyBox {
	select {
	case box := <-a.free:
		return box
	default:
	}
	registry := a.root.ActorSystem().ProcessRegistry
	box := &replyBox{answers: make(chan any, 4), late: a.late}
	box.pid, _ = registry.Add(box, "understudy-ask"+registry.NextId())
	a.root.Send(box.pid, registered{})
	return box
}

func (a *Asker) put(box *replyBox) {
	if a.done.Load() {
		a.unregister(box)
		return
	}
	select {
	case a.free <- box:
	default:
		a.unregister(box)
	}
}

// discard gives up a box whose answer may still come.
func (a *Asker) discard(box *replyBox) {
	a.unregister(box)
	box.left.Store(true)
	box.drain()
}

func (a *Asker) unregister(box *replyBox) { a.root.ActorSystem().ProcessRegistry.Remove(box.pid) }

// Close unregisters the idle boxes. Asks that follow leave nothing behind either, but those
// that are under way might: end them first.
func (a *Asker) Close() {
	a.done.Store(true)
	for {
		select {
		case box := <-a.free:
			a.unregister(box)
		default:
			return
		}
	}
}

// questionOf numbers the answers that stand in for an actor: they carry the question back.
func questionOf(message any) uint64 {
	if q, ok := message.(Numbered); ok {
		return q.Question()
	}
	return 0
}

// Question is that of the message that bounced.
func (b Bounced) Question() uint64 { return questionOf(b.Message) }

// Question is that of the message that was shed.
func (s Shed) Question() uint64 { return questionOf(s.Message) }

// Question is that of the message that crashed its actor.
func (c Crashed) Question() uint64 { return questionOf(c.Message) }
