package admission

import (
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"
)

const secret = "correct horse"

// forms returns a secret as configurations may hold it.
func forms(t *testing.T) map[string]string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(secret), bcrypt.MinCost)
	require.NoError(t, err)
	return map[string]string{"plain": secret, "hashed": string(hash)}
}

func TestKey_Judge(t *testing.T) {
	t.Parallel()
	const here, away = "127.0.0.1", "192.0.2.1"
	tests := map[string]struct {
		peer, given string
		remote      bool
		want        Verdict
	}{
		"loopback":              {here, secret, false, Admitted},
		"IPv6 loopback":         {"::1", secret, false, Admitted},
		"IPv4 in IPv6":          {"::ffff:127.0.0.1", secret, false, Admitted},
		"remote":                {away, secret, false, Remote},
		"remote without a key":  {away, "", false, Remote},
		"remote and wrong":      {away, "wrong horse", false, Remote},
		"remote, allowed":       {away, secret, true, Admitted},
		"no key":                {here, "", false, Missing},
		"wrong":                 {here, "wrong horse", false, Wrong},
		"the beginning":         {here, secret[:5], false, Wrong},
		"more than it":          {here, secret + "x", false, Wrong},
		"remote, allowed wrong": {away, "wrong horse", true, Wrong},
	}
	for form, configured := range forms(t) {
		for name, tt := range tests {
			t.Run(form+" "+name, func(t *testing.T) {
				t.Parallel()
				k := NewKey(configured, tt.remote)
				for range 2 { // a hash is looked at the first time only
					v, left := k.Judge(tt.given, netip.MustParseAddr(tt.peer), &Lockout{}, time.Now())
					require.Equal(t, tt.want, v)
					require.Zero(t, left)
				}
			})
		}
	}
}

func TestKey_WithoutASecretAdmitsNobody(t *testing.T) {
	t.Parallel()
	k := NewKey("", true)
	for _, given := range []string{"", secret} {
		v, _ := k.Judge(given, netip.MustParseAddr("127.0.0.1"), &Lockout{}, time.Now())
		require.Equal(t, Off, v)
	}
}

func TestKey_NoAddressIsNotThisMachine(t *testing.T) {
	t.Parallel()
	v, _ := NewKey(secret, false).Judge(secret, netip.Addr{}, &Lockout{}, time.Now())
	require.Equal(t, Remote, v)
}

func TestKey_MG4_LocksOutWhoeverGuesses(t *testing.T) {
	t.Parallel()
	now := time.Unix(0, 0)
	peer := netip.MustParseAddr("127.0.0.1")
	for form, configured := range forms(t) {
		var guesses Lockout
		k := NewKey(configured, false)
		for range Tries {
			v, _ := k.Judge("wrong horse", peer, &guesses, now)
			require.Equal(t, Wrong, v, form)
		}
		for _, given := range []string{secret, "wrong horse", ""} {
			v, left := k.Judge(given, peer, &guesses, now.Add(time.Minute))
			require.Equal(t, LockedOut, v, form)
			require.Equal(t, Pause-time.Minute, left)
		}
		v, _ := k.Judge(secret, netip.MustParseAddr("127.0.0.2"), &guesses, now)
		require.Equal(t, Admitted, v)
		v, _ = k.Judge(secret, peer, &guesses, now.Add(Pause))
		require.Equal(t, Admitted, v)
	}
}

// Guesses that come all at once are no more than those that come one by one.
func TestKey_LooksAtNoMoreGuessesThanItMay(t *testing.T) {
	t.Parallel()
	for form, configured := range forms(t) {
		var (
			guesses Lockout
			all     sync.WaitGroup
			mu      sync.Mutex
			count   = map[Verdict]int{}
		)
		k := NewKey(configured, false)
		for range 100 {
			all.Go(func() {
				v, _ := k.Judge("wrong horse", netip.MustParseAddr("127.0.0.1"), &guesses, time.Unix(0, 0))
				mu.Lock()
				defer mu.Unlock()
				count[v]++
			})
		}
		all.Wait()
		require.Equal(t, map[Verdict]int{Wrong: Tries, LockedOut: 100 - Tries}, count, form)
	}
}
