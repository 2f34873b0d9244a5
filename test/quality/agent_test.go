package quality

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"
)

// request is one request of an agent and what came of it.
type request struct {
	session, turn int
	best          int64 // tokens that a cache could know: all of the prompt before
	endedAt       time.Time
	answer        answer
}

// agent plays one session: turn after turn, each with all that was said before.
type agent struct {
	source  source
	client  *http.Client
	session int
	id      string
	random  *rand.Rand

	said   []string // JSON
	prompt int64    // tokens of the last turn's
}

func newAgent(s source, client *http.Client, session int) *agent {
	return &agent{
		source: s, client: client, session: session,
		id:     fmt.Sprintf("0193c0de-0000-4000-8000-%012d", session),
		random: rand.New(rand.NewPCG(uint64(session), 1)),
	}
}

// patience bounds one request, in virtual time. tries is how often an agent sends a turn
// until it gives up.
const (
	patience = 5 * time.Minute
	tries    = 5
)

// play plays so many turns, the first of them with so many parallel requests.
func (a *agent) play(ctx context.Context, turns, first int, note func(request)) {
	for turn := range turns {
		a.said = append(a.said, `{"role":"user","content":`+quote(a.work(turn))+`}`)
		parallel := 1
		if turn == 0 {
			parallel = first
		}
		if !a.turn(ctx, turn, parallel, note) {
			return
		}
	}
}

// turn sends a turn until it is answered, and reports whether it was.
func (a *agent) turn(ctx context.Context, turn, parallel int, note func(request)) bool {
	for try := range tries {
		answers := a.ask(ctx, turn, try, parallel, note)
		pause(ctx, time.Duration(300+a.random.IntN(600))*time.Millisecond)
		for _, got := range answers {
			if got.ending == served {
				a.said, a.prompt = append(a.said, got.said), got.usage.InputTokens
				return true
			}
		}
	}
	return false
}

// ask sends the conversation so many times at once.
func (a *agent) ask(ctx context.Context, turn, try, parallel int, note func(request)) []answer {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var (
		all      sync.WaitGroup
		answers  = make([]answer, parallel)
		messages = strings.Join(a.said, ",")
	)
	for i := range answers {
		all.Go(func() {
			// Requests must differ for their answers to be told apart.
			body := a.source.body(a.id, messages, 1000+10*try+i)
			answers[i] = send(ctx, a.client, a.source, a.id, body)
			note(request{session: a.session, turn: turn, best: a.prompt, endedAt: time.Now(), answer: answers[i]})
		})
	}
	all.Wait()
	return answers
}

// work is what a user and his tools say in one turn: a few kilobytes.
func (a *agent) work(turn int) string {
	var b strings.Builder
	if turn == 0 {
		// Agents put their surroundings before the question, the same in many sessions.
		b.WriteString(strings.Repeat("The repository is a Go module. ", 32))
	}
	fmt.Fprintf(&b, "Session %d, step %d. The tool printed:\n", a.session, turn)
	for line := range 30 + a.random.IntN(20) {
		fmt.Fprintf(&b, "internal/part%02d/file.go:%d: func (s *server) handle%d(w io.Writer) \"%x\"\n",
			turn, line, a.random.IntN(1000), a.random.Uint64())
	}
	b.WriteString("[[words=10]]")
	return b.String()
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// quote returns s as JSON.
func quote(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(text)
}
