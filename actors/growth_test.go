package actors

import (
	"context"
	"fmt"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/actors/ledger"
	"github.com/understudyhq/understudy/providers"
)

// What clients make up, be it names of models or ids of sessions, leaves no actor behind.
func TestGrowth_MadeUpModelsAndSessionsLeaveNothing(t *testing.T) {
	t.Parallel()
	for _, o := range []providers.Outcome{success, {Kind: providers.ModelUnsupported}, limits(time.Minute), {Kind: providers.Transient}, {Kind: providers.Canceled}} {
		t.Run(string(o.Kind), func(t *testing.T) {
			t.Parallel()
			takesAny := func(p *Plan) { p.Credentials[0].Upstream.Models = nil }
			inEngine(t, 2, takesAny, func(t *testing.T, e *engine) {
				e.serve(chat("m"))
				time.Sleep(24 * time.Hour)
				synctest.Wait()
				before := len(processes(e.w.system))
				for i := range 300 {
					l := e.acquire(inSession(chat(fmt.Sprint("made-up-", i)), strconv.Itoa(i)))
					if i%2 == 0 {
						e.FirstByte(l)
					}
					e.report(l, o)
				}
				require.Greater(t, len(processes(e.w.system)), before+300)
				time.Sleep(24 * time.Hour)
				synctest.Wait()
				require.Len(t, processes(e.w.system), before)
				s, err := e.Snapshot(t.Context())
				require.NoError(t, err)
				require.Zero(t, s.Sessions)
				require.Empty(t, s.Credentials[0].Models)
			})
		})
	}
}

func TestGrowth_RecordsAreARing(t *testing.T) {
	t.Parallel()
	inEngine(t, 1, nil, func(t *testing.T, e *engine) {
		for i := range ledger.RecordsKept + 500 {
			e.Record(&Record{RequestID: strconv.Itoa(i)})
		}
		e.Record(&Record{RequestID: "600", Client: "again"})
		all, err := e.Records(t.Context(), 2*ledger.RecordsKept)
		require.NoError(t, err)
		require.Len(t, all, ledger.RecordsKept)
		require.Equal(t, "600", all[0].RequestID)
		require.Equal(t, strconv.Itoa(ledger.RecordsKept+499), all[1].RequestID)
		require.Equal(t, "501", all[ledger.RecordsKept-1].RequestID)
		latest, err := e.Records(t.Context(), 2)
		require.NoError(t, err)
		require.Equal(t, all[:2], latest)
		for id, want := range map[string]bool{"500": false, "501": true, "10499": true, "none": false} {
			r, err := e.RecordOf(t.Context(), id)
			require.NoError(t, err)
			require.Equal(t, want, r != nil, id)
		}
		r, err := e.RecordOf(t.Context(), "600")
		require.NoError(t, err)
		require.Equal(t, "again", r.Client, "the latest of that id")
		e.w.root.Send(e.w.ledger, boom{})
		again, err := e.Records(t.Context(), 1)
		require.NoError(t, err)
		require.Equal(t, latest[:1], again, "they survive a crash")
	})
}

// A restart of the router forgets nothing that is open: leases, waiters, bindings, pins.
func TestRestart_OfTheRouterLosesNothing(t *testing.T) {
	t.Parallel()
	inEngine(t, 3, limited(2), func(t *testing.T, e *engine) {
		s := inSession(chat("m"), "s")
		bound := e.serve(s)
		e.make(bound, "ann", "a")
		var open []Lease
		for range 6 {
			open = append(open, e.acquire(chat("m")))
		}
		e.edit("c3", func(c *providers.Credential) { c.Priority = -1 })
		served := e.queueUp(patient(s, time.Minute), patient(chat("m"), time.Minute), patient(chat("m2"), time.Minute))
		for range 3 {
			e.w.root.Send(e.w.router, boom{})
			synctest.Wait()
		}
		time.Sleep(time.Second)
		require.Empty(t, order(served))
		_ = e.denied(chat("m"))
		for _, l := range open {
			e.report(l, success)
		}
		require.Len(t, order(served), 3)
		require.Equal(t, bound, e.serve(s))
		s.Pin = e.origin("ann", namedPin("a"))
		require.Equal(t, bound, e.serve(s))
		for range 4 {
			require.NotEqual(t, "c3", e.serve(chat("m")), "its priority is known")
		}
		snapshot, err := e.Snapshot(context.Background())
		require.NoError(t, err)
		require.Zero(t, snapshot.Overdue)
		require.EqualValues(t, 1+1+6+3+2+4, snapshot.Attempts)
	})
}
