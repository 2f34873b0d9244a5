package admission

import (
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestLockout_MG4_FiveWrongInARowLockOneAddress(t *testing.T) {
	t.Parallel()
	const a, b = "127.0.0.1", "127.0.0.2"
	start := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	type step struct {
		at    time.Duration // since start
		addr  string
		right bool
		left  time.Duration // afterwards
	}
	wrong := func(addr string, n int) []step {
		steps := make([]step, n)
		for i := range steps {
			steps[i] = step{addr: addr}
		}
		return steps
	}
	tests := map[string][]step{
		"four are not enough":       wrong(a, 4),
		"five are":                  append(wrong(a, 4), step{addr: a, left: Pause}),
		"each address has its own":  append(append(wrong(a, 4), wrong(b, 4)...), step{addr: a, left: Pause}, step{addr: b, left: Pause}),
		"others are not concerned":  append(wrong(a, 4), step{addr: a, left: Pause}, step{addr: b}, step{addr: b, right: true}),
		"a right one ends the row":  append(append(wrong(a, 4), step{addr: a, right: true}), wrong(a, 4)...),
		"time alone does not":       append(wrong(a, 4), step{at: 24 * time.Hour, addr: a, left: Pause}),
		"a right one ends no lock":  append(wrong(a, 4), step{addr: a, left: Pause}, step{at: time.Minute, addr: a, right: true, left: Pause - time.Minute}),
		"a wrong one prolongs none": append(wrong(a, 4), step{addr: a, left: Pause}, step{at: time.Minute, addr: a, left: Pause - time.Minute}),
		"it ends": append(wrong(a, 4), step{addr: a, left: Pause}, step{at: Pause - 1, addr: a, left: 1},
			step{at: Pause, addr: a}, step{at: Pause, addr: a}, step{at: Pause, addr: a}, step{at: Pause, addr: a}, step{at: Pause, addr: a, left: Pause}),
	}
	for name, steps := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var l Lockout
			for i, s := range steps {
				addr, now := netip.MustParseAddr(s.addr), start.Add(s.at)
				if s.right {
					l.Right(addr)
				} else {
					l.Wrong(addr, now)
				}
				require.Equal(t, s.left, l.Left(addr, now), i)
			}
		})
	}
}

func TestLockout_KnowsAnAddressInEveryForm(t *testing.T) {
	t.Parallel()
	for _, forms := range [][]string{
		{"1.2.3.4", "::ffff:1.2.3.4"},
		{"fe80::1%eth0", "fe80::1", "fe80::2%eth1"},
		{"2001:db8::1", "2001:db8::ffff:1", "2001:db8:0:0:9::"},
		{"::1", "::1"},
	} {
		var l Lockout
		for i := range Tries {
			l.Wrong(netip.MustParseAddr(forms[i%len(forms)]), time.Unix(0, 0))
		}
		for _, form := range forms {
			require.Equal(t, Pause, l.Left(netip.MustParseAddr(form), time.Unix(0, 0)), form)
		}
		for _, other := range []string{"1.2.3.5", "2001:db8:0:1::1", "::2", "fe80:0:0:1::1"} {
			require.Zero(t, l.Left(netip.MustParseAddr(other), time.Unix(0, 0)), "%v %s", forms, other)
		}
	}
}

// A connection that has no address is one like any other.
func TestLockout_TakesNoAddressForOne(t *testing.T) {
	t.Parallel()
	var l Lockout
	for range Tries {
		l.Wrong(netip.Addr{}, time.Unix(0, 0))
	}
	require.Equal(t, Pause, l.Left(netip.Addr{}, time.Unix(0, 0)))
}

func TestLockout_IsBounded(t *testing.T) {
	t.Parallel()
	var l Lockout
	now, at := time.Unix(0, 0), func(n int) netip.Addr { return netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)}) }
	victim := netip.MustParseAddr("127.0.0.1")
	for range Tries {
		l.Wrong(victim, now)
	}
	for n := range 10 * kept {
		l.Wrong(at(n), now)
	}
	require.Len(t, l.wrong.at, kept)
	require.Equal(t, kept, l.wrong.order.Len())
	require.Equal(t, Pause, l.Left(victim, now), "many single guesses free nobody")
	for n := range 2 * kept {
		for range Tries {
			l.Wrong(at(n), now)
		}
	}
	require.Len(t, l.locked.at, kept)
	require.Equal(t, kept, l.locked.order.Len())
	require.Equal(t, Pause, l.Left(at(2*kept-1), now))
}

func TestLockout_ManyAtOnce(t *testing.T) {
	t.Parallel()
	var l Lockout
	var all sync.WaitGroup
	addr := netip.MustParseAddr("127.0.0.1")
	for range 8 {
		all.Go(func() {
			for range 100 {
				l.Wrong(addr, time.Unix(0, 0))
				l.Right(netip.MustParseAddr("127.0.0.2"))
				l.Left(addr, time.Unix(0, 0))
			}
		})
	}
	all.Wait()
	require.Equal(t, Pause, l.Left(addr, time.Unix(0, 0)))
}
