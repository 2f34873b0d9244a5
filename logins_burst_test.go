package understudy_test

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy"
)

// slowTokens is a tokenWorld whose authorization server thinks for a second.
type slowTokens struct {
	tokenWorld

	now, most atomic.Int64 // who asks it at the same time
}

func (w *slowTokens) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host == "auth.example" {
		now := w.now.Add(1)
		for most := w.most.Load(); now > most && !w.most.CompareAndSwap(most, now); most = w.most.Load() {
			continue
		}
		time.Sleep(time.Second)
		w.now.Add(-1)
	}
	return w.tokenWorld.RoundTrip(r)
}

// Logins that have all expired when the gateway starts are renewed a few at a time.
func TestLogins_ThatHaveAllExpiredDoNotOverrunTheirServer(t *testing.T) {
	t.Parallel()
	files := map[string]string{}
	for i := range 100 {
		files[fmt.Sprintf("%03d.yaml", i)] = fmt.Sprintf("provider: gemini\noauth: {token-url: https://auth.example/token, client-id: app, refresh-token: login-%d}\n", i)
	}
	load, _ := withFiles(t, "providers: [{name: gemini, kind: gemini, models: [m]}]\n", files)
	w := &slowTokens{}
	inGateway(t, load(), func(t *testing.T, gw *understudy.Gateway) {
		time.Sleep(10 * time.Second)
		synctest.Wait()
		require.EqualValues(t, 16, w.most.Load())
		require.Equal(t, 100, w.tokens())
		status, body := askGemini(t, gw)
		require.Equal(t, 200, status, body)
		require.Equal(t, 100, w.tokens())
	}, understudy.WithTransport(w))
}
