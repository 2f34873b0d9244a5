package stage

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

func TestFeed_CountsWhatASlowCallbackMisses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		type event struct {
			n       int
			dropped uint64
		}
		var seen []event
		gate := make(chan struct{})
		f := NewFeed(func(e event) { <-gate; seen = append(seen, e) }, func(e *event, dropped uint64) { e.dropped = dropped })
		f.Offer(event{n: 0})
		synctest.Wait() // the callback has taken it
		for i := range feedBuffer + 5 {
			f.Offer(event{n: i + 1})
		}
		close(gate)
		synctest.Wait()
		require.Len(t, seen, 1+feedBuffer)
		for i, e := range seen {
			require.Equal(t, event{n: i}, e, "in order, none missed so far")
		}
		f.Offer(event{n: -1})
		synctest.Wait()
		require.Equal(t, event{n: -1, dropped: 5}, seen[len(seen)-1])

		f.Close()
		f.Close()
		<-f.Ended()
		f.Offer(event{n: -2}) // nobody hears it, and nothing blocks
		require.Equal(t, -1, seen[len(seen)-1].n)
	})
}
