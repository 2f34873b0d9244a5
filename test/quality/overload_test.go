package quality

import (
	"context"
	"fmt"
	"io"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/providers"
	"github.com/understudyhq/understudy/providers/simulator"
)

// overload is a trace: clients that open requests at a steady rate, and an upstream that is
// overloaded as a whole for a third of the time.
type overload struct {
	Name string `json:"trace"`
	// Capacity is how many requests per second the upstream still serves; others are a 529.
	Capacity int `json:"capacity"`
	// Failed counts clients that got no answer with cooldowns, FailedWithout with
	// cooldown.disabled; Calls and CallsWithout the calls at the upstream.
	Failed        int `json:"failed"`
	FailedWithout int `json:"failed_without"`
	Calls         int `json:"calls"`
	CallsWithout  int `json:"calls_without"`
	Requests      int `json:"requests"`
}

const (
	overloadCredentials = 60
	overloadLasts       = 180 * time.Second
	overloadFrom        = 60 * time.Second
	overloadTo          = 120 * time.Second
)

// openRate is how many requests clients open per second.
func openRate() int {
	if *full {
		return 10
	}
	return 2
}

// TestOverload_IsNotMadeWorseByCooldowns compares what clients see with cooldowns and without.
func TestOverload_IsNotMadeWorseByCooldowns(t *testing.T) {
	traces := []overload{{Name: "all refused"}, {Name: "some served", Capacity: 2 * openRate() / 3}}
	t.Run("all", func(t *testing.T) {
		for i := range traces {
			trace := &traces[i]
			t.Run(trace.Name, func(t *testing.T) {
				t.Parallel()
				inBubble(t, func(t *testing.T) { trace.Failed, trace.Calls, trace.Requests = trace.play(t, false) })
				inBubble(t, func(t *testing.T) { trace.FailedWithout, trace.CallsWithout, _ = trace.play(t, true) })
				require.Positive(t, trace.Requests)
				require.LessOrEqual(t, trace.Failed, trace.FailedWithout, "cooldowns cost answers")
			})
		}
	})
	show(t, traces, func(out io.Writer) {
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprintln(w, "\noverload\tfailed with cooldowns\twithout\tcalls with cooldowns\twithout\trequests\t")
		for _, o := range traces {
			fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t\n", o.Name, o.Failed, o.FailedWithout, o.Calls, o.CallsWithout, o.Requests)
		}
		_ = w.Flush() // standard output
	})
}

// play plays the trace and returns how many clients failed, how many calls the upstream saw,
// and how many requests there were.
func (o *overload) play(t *testing.T, disabled bool) (failed, calls, requests int) {
	t.Helper()
	accounts := map[string]string{}
	for i := range overloadCredentials {
		accounts[fmt.Sprintf("c-%02d", i)] = ""
	}
	r := &run{}
	upstream := simulator.New(simulator.Options{Credentials: simulated(accounts), Latency: latency, Observe: r.call})
	start, b := time.Now(), &budget{perSecond: o.Capacity}
	for id := range accounts {
		require.True(t, upstream.SetFault(secret(id), func(_ int, now time.Time) (simulator.Fault, bool) {
			at := now.Sub(start)
			return simulator.Fault{Status: 529}, at >= overloadFrom && at < overloadTo && !b.take(at)
		}))
	}
	client := gateway(t, upstream, providers.OpenAIChat, accounts, func(c *config.Config) {
		c.Cooldown.Disabled = disabled
		c.Retry.MaxCredentials = 4 // as many calls as a client may wait for
	})
	s := source{format: providers.OpenAIChat}
	var all sync.WaitGroup
	for n := range int(overloadLasts/time.Second) * openRate() {
		all.Go(func() {
			pause(t.Context(), time.Duration(n)*time.Second/time.Duration(openRate()))
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			body := s.body("", fmt.Sprintf(`{"role":"user","content":"question %d"}`, n), 1000)
			r.request(request{session: n, answer: send(ctx, client, s, "", body)})
		})
	}
	all.Wait()
	for _, q := range r.requests {
		if q.answer.ending != served {
			failed++
		}
	}
	return failed, len(r.calls), len(r.requests)
}

// budget is what an overloaded upstream can still do.
type budget struct {
	perSecond int

	mu     sync.Mutex
	second time.Duration
	taken  int
}

// take reports whether there was something left in the second that at is in.
func (b *budget) take(at time.Duration) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if second := at.Truncate(time.Second); second != b.second {
		b.second, b.taken = second, 0
	}
	if b.taken >= b.perSecond {
		return false
	}
	b.taken++
	return true
}
