package stage

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/asynkron/protoactor-go/actor"
)

// mailbox is a lean actor.Mailbox: one lock, two linked queues with pooled nodes, nothing
// allocated while idle and nothing kept after a burst. Unlike the library's own it may be
// posted to before its handlers are registered, survives a Goexit inside Receive, ignores
// nil, and answers the askers whose messages a stopped actor will never read.
type mailbox struct {
	mu         sync.Mutex
	user       queue
	system     queue
	running    bool // a goroutine is in process, or is about to be
	suspended  bool // only system messages are handled
	stopping   bool // Stop was handled: user messages bounce
	waiting    int32
	limit      int32 // asks beyond so many waiting messages are shed; 0 = no limit
	root       *actor.RootContext
	invoker    actor.MessageInvoker
	dispatcher actor.Dispatcher
	turn       func() // process or processFresh, made once
}

// Answers that a mailbox gives in place of its actor. Both carry the message back.
type (
	// Bounced answers a message that its actor stopped without reading.
	Bounced struct{ Message any }
	// Shed answers a message that found too many others waiting.
	Shed struct{ Message any }
)

// errGoexit is the failure reported for a Receive that ended its goroutine.
var errGoexit = errors.New("receive called runtime.Goexit")

// Lean returns a producer of mailboxes that shed asks beyond limit waiting messages; 0 = never.
func Lean(root *actor.RootContext, limit int32) actor.MailboxProducer {
	return func() actor.Mailbox { return &mailbox{root: root, limit: limit} }
}

// Gauge measures the mailbox of one actor. The zero value measures none yet.
type Gauge struct{ of atomic.Pointer[mailbox] }

// Lean is the function of that name, for mailboxes that g measures, the last one at a time.
func (g *Gauge) Lean(root *actor.RootContext, limit int32) actor.MailboxProducer {
	return func() actor.Mailbox {
		m := &mailbox{root: root, limit: limit}
		g.of.Store(m)
		return m
	}
}

// Depth returns how many messages wait.
func (g *Gauge) Depth() int {
	if m := g.of.Load(); m != nil {
		return m.UserMessageCount()
	}
	return 0
}

// PostUserMessage queues message. It never blocks.
func (m *mailbox) PostUserMessage(message any) {
	if message == nil {
		return
	}
	m.mu.Lock()
	if m.limit > 0 && m.waiting >= m.limit && senderOf(message) != nil {
		m.mu.Unlock()
		m.answer(message, func(msg any) any { return Shed{msg} })
		return
	}
	m.waiting++
	m.user.push(message)
	m.wake()
}

// PostSystemMessage queues message ahead of all user messages.
func (m *mailbox) PostSystemMessage(message any) {
	m.mu.Lock()
	m.system.push(message)
	m.wake()
}

// wake starts processing unless it runs already. It is called with the lock and releases it.
func (m *mailbox) wake() {
	if m.running || m.invoker == nil {
		m.mu.Unlock()
		return
	}
	m.running = true
	m.mu.Unlock()
	m.dispatcher.Schedule(m.turn)
}

// RegisterHandlers connects the mailbox with its actor and handles what was posted before.
func (m *mailbox) RegisterHandlers(invoker actor.MessageInvoker, dispatcher actor.Dispatcher) {
	m.mu.Lock()
	m.invoker, m.dispatcher, m.turn = invoker, dispatcher, m.process
	if _, fresh := dispatcher.(ownTurn); fresh {
		m.turn = m.processFresh
	}
	if m.system.empty() && m.user.empty() {
		m.mu.Unlock()
		return
	}
	m.wake()
}

// Start is part of actor.Mailbox; there is nothing left to do.
func (m *mailbox) Start() {}

// UserMessageCount returns how many user messages wait.
func (m *mailbox) UserMessageCount() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return int(m.waiting)
}

// process handles messages until none is left.
func (m *mailbox) process() {
	for !m.run() {
	}
}

// processFresh is process for a goroutine that has done nothing yet.
func (m *mailbox) processFresh() {
	growStack(0)
	m.process()
}

// growStack makes the stack of a fresh goroutine large enough for a turn, at once and while
// it is nearly empty. Growing bit by bit, with deep frames to move, costs half of a turn.
//
//go:noinline
func growStack(at int) byte {
	var room [5 << 10]byte // as large as the deepest turn, and no more: it is cleared each time
	return room[at]        // at keeps the compiler from seeing through it
}

// run handles messages and reports whether the mailbox went idle; it did not if a message
// panicked, in which case the failure has been escalated and the queue is intact.
func (m *mailbox) run() (idle bool) {
	var msg any
	normal := false
	defer func() {
		if normal {
			return
		}
		r := recover()
		if r == nil { // Goexit: this goroutine is lost, the actor must not be
			m.invoker.EscalateFailure(errGoexit, msg)
			m.dispatcher.Schedule(m.turn)
			return
		}
		m.invoker.EscalateFailure(r, msg)
	}()
	for n := 0; ; n++ {
		if n >= m.dispatcher.Throughput() {
			n = 0
			runtime.Gosched()
		}
		var system bool
		if msg, system = m.next(); msg == nil {
			normal = true
			return true
		}
		if system {
			m.invokeSystem(msg)
		} else {
			m.invokeUser(msg)
		}
	}
}

// next takes the next message that may be handled now, or goes idle and returns nil.
func (m *mailbox) next() (msg any, system bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if msg := m.system.pop(); msg != nil {
		return msg, true
	}
	if !m.suspended {
		if msg := m.user.pop(); msg != nil {
			m.waiting--
			return msg, false
		}
	}
	m.running = false
	return nil, false
}

func (m *mailbox) invokeSystem(msg any) {
	switch msg.(type) {
	case *actor.SuspendMailbox:
		m.setSuspended(true)
	case *actor.ResumeMailbox:
		m.setSuspended(false)
	case *actor.Stop:
		m.stopping = true // even if the handler panics: no message is read after a stop
		m.setSuspended(false)
		m.invoker.InvokeSystemMessage(msg)
	default:
		m.invoker.InvokeSystemMessage(msg)
	}
}

func (m *mailbox) setSuspended(yes bool) {
	m.mu.Lock()
	m.suspended = yes
	m.mu.Unlock()
}

func (m *mailbox) invokeUser(msg any) {
	if m.stopping {
		m.answer(msg, func(msg any) any { return Bounced{msg} })
		return
	}
	m.invoker.InvokeUserMessage(msg)
}

// answer replies to whoever asked with message, if anybody did.
func (m *mailbox) answer(message any, reply func(any) any) {
	if sender := senderOf(message); sender != nil {
		m.root.Send(sender, reply(actor.UnwrapEnvelopeMessage(message)))
	}
}

func senderOf(message any) *actor.PID { return actor.UnwrapEnvelopeSender(message) }

// queue is a first-in-first-out list of messages. The zero value is empty.
type queue struct{ head, tail *node }

type node struct {
	msg  any
	next *node
}

// nodes keeps queue nodes for reuse by all mailboxes.
var nodes = sync.Pool{New: func() any { return new(node) }}

func (q *queue) empty() bool { return q.head == nil }

func (q *queue) push(msg any) {
	n := nodes.Get().(*node)
	n.msg, n.next = msg, nil
	if q.tail == nil {
		q.head = n
	} else {
		q.tail.next = n
	}
	q.tail = n
}

// pop returns the oldest message, or nil if there is none.
func (q *queue) pop() any {
	n := q.head
	if n == nil {
		return nil
	}
	if q.head = n.next; q.head == nil {
		q.tail = nil
	}
	msg := n.msg
	n.msg, n.next = nil, nil
	nodes.Put(n)
	return msg
}
