package socket

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/understudyhq/understudy/actors/stage"
)

// socketActor owns one client's socket: its lanes, what runs and waits in them, and the links
// to upstreams that its turns have used.
type socketActor struct {
	line   Line
	limits Limits
	bornAt time.Time
	lanes  map[string]*lane // made when the first turn comes
	turns  int              // that run or wait
	bytes  int              // that they hold
	ending End              // begins nothing more and closes when nothing runs; empty = no
	gone   bool             // the line needs no closing
	asked  time.Time        // when a sign of life was asked for
	alarm  stage.Alarm
}

// lane is an order of turns: one runs, others wait for it.
type lane struct {
	running Turn // nil = none
	waiting []Turn
	link    link
}

// link is one that nobody uses now.
type link struct {
	key    LinkKey
	link   Link // nil = none
	bornAt time.Time
	usedAt time.Time
}

func newSocket(line Line, limits Limits) *socketActor {
	return &socketActor{line: line, limits: limits, bornAt: time.Now(), ending: ""}
}

// Receive is part of actor.Actor.
func (s *socketActor) Receive(c actor.Context) {
	switch msg := c.Message().(type) {
	case *actor.Started:
		s.watch(c)
	case Asked:
		s.take(msg.Turn)
	case Ended:
		s.ended(c, msg.Turn)
	case Borrow:
		c.Respond(s.borrow(msg.Key))
	case Return:
		s.put(c, msg)
	case Gone:
		s.gone = true
		c.Stop(c.Self())
	case Leave:
		s.end(c, Leaving)
	case due:
		s.due(c)
	case *actor.Stopping:
		s.stop()
	default:
		stage.Unhandled(c)
	}
}

// take starts a turn, lets it wait for its lane, or refuses it.
func (s *socketActor) take(t Turn) {
	name := t.Lane()
	l := s.lanes[name]
	switch {
	case s.ending != "":
		t.Refuse(Refusal(s.ending))
		return
	case s.turns >= s.limits.Turns:
		t.Refuse(TooManyTurns)
		return
	case s.turns > 0 && s.bytes+t.Size() > s.limits.TurnBytes:
		t.Refuse(TooManyBytes)
		return
	case l == nil && name != "" && s.named() >= s.limits.Lanes:
		t.Refuse(TooManyLanes)
		return
	}
	if l == nil {
		if s.lanes == nil {
			s.lanes = map[string]*lane{}
		}
		l = &lane{}
		s.lanes[name] = l
	}
	s.turns++
	s.bytes += t.Size()
	if l.running != nil {
		l.waiting = append(l.waiting, t)
		return
	}
	l.running = t
	t.Start()
}

// named counts the lanes that have a name.
func (s *socketActor) named() int {
	n := len(s.lanes)
	if s.lanes[""] != nil {
		n--
	}
	return n
}

// ended lets the next turn of a lane begin.
func (s *socketActor) ended(c actor.Context, t Turn) {
	l := s.lanes[t.Lane()]
	if l == nil || l.running != t {
		return // it was told before
	}
	s.turns--
	s.bytes -= t.Size()
	l.running = nil
	if s.ending != "" {
		s.closeWhenDone(c)
		return
	}
	if len(l.waiting) > 0 {
		l.running, l.waiting[0] = l.waiting[0], nil
		if l.waiting = l.waiting[1:]; len(l.waiting) == 0 {
			l.waiting = nil
		}
		l.running.Start()
	}
}

// end begins nothing more, and closes the line when nothing runs.
func (s *socketActor) end(c actor.Context, why End) {
	if s.ending == "" {
		s.ending = why
	}
	for _, l := range s.lanes {
		for _, t := range l.waiting {
			s.turns--
			s.bytes -= t.Size()
			t.Refuse(Refusal(s.ending))
		}
		l.waiting = nil
	}
	s.closeWhenDone(c)
}

func (s *socketActor) closeWhenDone(c actor.Context) {
	if s.turns == 0 {
		s.line.Close(s.ending)
		s.gone = true
		c.Stop(c.Self())
	}
}

// borrow hands out the link of a lane, if it is the one that is wanted and not too old.
func (s *socketActor) borrow(key LinkKey) Borrowed {
	l := s.lanes[key.Lane]
	if l == nil || l.link.link == nil {
		return Borrowed{}
	}
	held := l.link
	l.link = link{}
	if held.key != key || time.Since(held.bornAt) >= s.limits.LinkLife {
		held.link.Close()
		return Borrowed{}
	}
	return Borrowed{Link: held.link, BornAt: held.bornAt}
}

// put keeps a link for the next turn of its lane.
func (s *socketActor) put(c actor.Context, msg Return) {
	l := s.lanes[msg.Key.Lane]
	if l == nil {
		msg.Link.Close()
		return
	}
	if l.link.link != nil {
		l.link.link.Close()
	}
	l.link = link{key: msg.Key, link: msg.Link, bornAt: msg.BornAt, usedAt: time.Now()}
	s.alarm.At(c, l.link.until(s.limits), due{})
}

// until is when a link that nobody uses is closed.
func (l link) until(limits Limits) time.Time {
	idle, life := l.usedAt.Add(limits.LinkIdle), l.bornAt.Add(limits.LinkLife)
	if life.Before(idle) {
		return life
	}
	return idle
}

// due does what is due: it may be nothing, as nobody cancels the alarm of what is over.
func (s *socketActor) due(c actor.Context) {
	now := time.Now()
	for _, l := range s.lanes {
		if l.link.link != nil && !now.Before(l.link.until(s.limits)) {
			l.link.link.Close()
			l.link = link{}
		}
	}
	if !now.Before(s.bornAt.Add(s.limits.Life)) && s.ending == "" {
		s.end(c, Expired)
		return
	}
	heard := s.line.HeardAt()
	switch silence := now.Sub(heard); {
	case silence >= s.limits.Deadline:
		s.line.Close(Silent)
		s.gone = true
		c.Stop(c.Self())
		return
	case silence >= s.limits.Silence && now.Sub(s.asked) >= s.limits.Silence:
		s.asked = now
		s.line.Ping()
	}
	s.watch(c)
}

// watch sets the alarm for what is due next.
func (s *socketActor) watch(c actor.Context) {
	last := s.line.HeardAt()
	next := last.Add(s.limits.Deadline)
	if s.asked.After(last) {
		last = s.asked
	}
	if ask := last.Add(s.limits.Silence); ask.Before(next) {
		next = ask
	}
	if end := s.bornAt.Add(s.limits.Life); s.ending == "" && end.Before(next) {
		next = end
	}
	for _, l := range s.lanes {
		if l.link.link == nil {
			continue
		}
		if until := l.link.until(s.limits); until.Before(next) {
			next = until
		}
	}
	s.alarm.At(c, next, due{})
}

// stop leaves nothing behind. A line that is still open is one whose actor has crashed, or
// whose engine has ended.
func (s *socketActor) stop() {
	s.alarm.Cancel()
	if !s.gone {
		s.line.Close(Failed)
	}
	for _, l := range s.lanes {
		if l.link.link != nil {
			l.link.link.Close()
		}
	}
}
