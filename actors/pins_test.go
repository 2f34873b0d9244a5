package actors

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

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
	var r records
	require.Empty(t, r.latest(10))
	require.Nil(t, r.find("0"))
	id := func(n int) string { return fmt.Sprint("r", n) }
	const n = 2*recordsKept + recordsKept/2
	for i := range n {
		r.add(&Record{RequestID: id(i), Status: i})
	}
	require.Len(t, r.ring, recordsKept)
	all := r.latest(n)
	require.Len(t, all, recordsKept)
	for i, record := range all {
		require.Equal(t, n-1-i, record.Status)
	}
	require.Len(t, r.latest(3), 3)
	require.Empty(t, r.latest(0))
	require.Nil(t, r.find(id(n-recordsKept-1)))
	require.NotNil(t, r.find(id(n-recordsKept)))
	r.add(&Record{RequestID: id(n - 5), Status: -1})
	require.Equal(t, -1, r.find(id(n-5)).Status, "the latest of that id")
}
