package actors

import (
	"encoding/binary"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/actors/ledger"
	"github.com/understudyhq/understudy/internal/pin"
	"github.com/understudyhq/understudy/providers"
)

func pinKey(n int) pin.Key {
	var k pin.Key
	binary.BigEndian.PutUint64(k[:], uint64(n))
	return k
}

// origin asks where one thing was made.
func (e *engine) origin(client string, k pin.Key) Origin {
	e.t.Helper()
	origins, err := e.Origins(e.t.Context(), client, []pin.Key{k})
	require.NoError(e.t, err)
	require.Len(e.t, origins, 1)
	return origins[0]
}

func TestPins_KnowWhereAndForWhom(t *testing.T) {
	t.Parallel()
	account := func(p *Plan) { p.Credentials[0].Account = "acme" }
	inEngine(t, 2, account, func(t *testing.T, e *engine) {
		ask := chat("m")
		ask.Suffix = "(high)"
		one := e.acquire(ask)
		for one.Credential.ID != "c1" {
			one = e.acquire(ask)
		}
		e.Made(one, "client", []pin.Key{pinKey(1), pinKey(2)})
		want := Origin{Credential: "c1", Upstream: "up", Account: "acme", Model: "m(high)"}
		require.Equal(t, want, e.origin("client", pinKey(1)))
		require.Equal(t, Origin{Foreign: true}, e.origin("other", pinKey(1)), "nothing is told of whose it is")
		require.Zero(t, e.origin("client", pinKey(3)))
		two := one
		two.Credential = e.plan.Credentials[1]
		e.Made(two, "other", []pin.Key{pinKey(1)})
		require.Equal(t, want, e.origin("client", pinKey(1)), "it cannot be taken over")
		e.Made(two, "client", []pin.Key{pinKey(1)})
		require.EqualValues(t, "c2", e.origin("client", pinKey(1)).Credential, "it was made again")
		origins, err := e.Origins(t.Context(), "client", []pin.Key{pinKey(2), pinKey(3), pinKey(1)})
		require.NoError(t, err)
		require.Equal(t, []providers.CredentialID{"c1", "", "c2"}, []providers.CredentialID{origins[0].Credential, origins[1].Credential, origins[2].Credential})
	})
}

func TestPins_AreForgottenAfterThirtyDays(t *testing.T) {
	t.Parallel()
	inEngine(t, 1, nil, func(t *testing.T, e *engine) {
		lease := e.acquire(chat("m"))
		e.Made(lease, "", []pin.Key{pinKey(1), pinKey(2)})
		time.Sleep(20 * 24 * time.Hour)
		e.Made(lease, "", []pin.Key{pinKey(2)})
		time.Sleep(10*24*time.Hour - time.Minute)
		require.NotZero(t, e.origin("", pinKey(1)))
		time.Sleep(2 * time.Minute)
		require.Zero(t, e.origin("", pinKey(1)))
		require.NotZero(t, e.origin("", pinKey(2)), "it was made again since")
		time.Sleep(20 * 24 * time.Hour)
		require.Zero(t, e.origin("", pinKey(2)))
		e.Made(lease, "another", []pin.Key{pinKey(1)})
		require.NotZero(t, e.origin("another", pinKey(1)), "what is forgotten is nobody's")
	})
}

func TestRecords_AreBounded(t *testing.T) {
	t.Parallel()
	inEngine(t, 1, nil, func(t *testing.T, e *engine) {
		for i := range ledger.RecordsKept + 2 {
			e.Record(&Record{RequestID: strconv.Itoa(i), Status: i})
		}
		e.Record(&Record{RequestID: "5", Status: -1})
		all, err := e.Records(t.Context(), 2*ledger.RecordsKept)
		require.NoError(t, err)
		require.Len(t, all, ledger.RecordsKept)
		require.Equal(t, []int{-1, ledger.RecordsKept + 1, ledger.RecordsKept}, []int{all[0].Status, all[1].Status, all[2].Status})
		for id, want := range map[string]bool{"0": false, "2": false, "3": true, "5": true} {
			r, err := e.RecordOf(t.Context(), id)
			require.NoError(t, err)
			require.Equal(t, want, r != nil, id)
		}
		latest, err := e.RecordOf(t.Context(), "5")
		require.NoError(t, err)
		require.Equal(t, -1, latest.Status, "the latest of that id")
	})
}
