package grant_test

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/providers/grant"
)

// slowServer answers after a second and counts who asks it at the same time.
type slowServer struct {
	mu        sync.Mutex
	now, most int
	order     []string // the hosts asked
	hangs     string   // the host that never answers
}

func (s *slowServer) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	s.now++
	s.most = max(s.most, s.now)
	s.order = append(s.order, r.URL.Host)
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.now--
	}()
	if r.URL.Host == s.hangs {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	time.Sleep(time.Second)
	return answer(200, "application/json", `{"access_token":"next","expires_in":3600}`)(r)
}

// expired returns n logins at a host that share limits.
func expired(t *testing.T, n int, host string, server http.RoundTripper, limits *grant.Limits) []*grant.Grant {
	t.Helper()
	all := make([]*grant.Grant, n)
	for i := range all {
		o := options(server)
		o.TokenURL, o.Limits = fmt.Sprintf("https://%s/token?login=%d", host, i), limits
		all[i] = oauth(t, o)
	}
	return all
}

func TestLimits_RenewAThousandLoginsAFewAtATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &slowServer{}
		began := time.Now()
		var all sync.WaitGroup
		for _, g := range expired(t, 1000, "auth.example", server, grant.NewLimits(16)) {
			all.Go(func() {
				if token, err := g.Renew(t.Context(), g.Current().Secret); err != nil || token.Secret.Reveal() != "next" {
					t.Error(err)
				}
			})
		}
		all.Wait()
		require.Equal(t, 16, server.most)
		require.Equal(t, 63*time.Second, time.Since(began), "nobody idles while others wait")
	})
}

func TestLimits_AServerThatHangsKeepsNoOtherWaiting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &slowServer{hangs: "hung.example"}
		limits := grant.NewLimits(2)
		var hung sync.WaitGroup
		for _, g := range expired(t, 6, "hung.example", server, limits) {
			hung.Go(func() {
				if _, err := g.Renew(t.Context(), g.Current().Secret); err == nil {
					t.Error("it hangs")
				}
			})
		}
		synctest.Wait()
		require.Equal(t, 2, server.most)
		began := time.Now()
		mustRenew(t, expired(t, 1, "auth.example", server, limits)[0])
		require.Equal(t, time.Second, time.Since(began))
		hung.Wait()
		require.Equal(t, 90*time.Second, time.Since(began), "30 s each, two at a time")
		require.Len(t, slices.DeleteFunc(server.order, func(host string) bool { return host != "hung.example" }), 6)
	})
}

func TestLimits_FirstComeFirstServed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &slowServer{}
		limits := grant.NewLimits(1)
		var all sync.WaitGroup
		var mu sync.Mutex
		var ended []int
		for i, g := range expired(t, 5, "auth.example", server, limits) {
			all.Go(func() {
				_, err := g.Renew(t.Context(), g.Current().Secret)
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					ended = append(ended, i)
				}
			})
			synctest.Wait()
		}
		all.Wait()
		require.Equal(t, []int{0, 1, 2, 3, 4}, ended)
	})
}
