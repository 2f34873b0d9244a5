package admin

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"
	"golang.org/x/crypto/bcrypt"
)

const away = "192.0.2.7:9"

func TestMG1_NothingIsThereWithoutASecret(t *testing.T) {
	t.Parallel()
	r := start(t, "", true)
	for _, rt := range r.server.routes() {
		require.Equal(t, http.StatusNotFound, r.do(rt.method, sample(rt), "", here, "X-Management-Key", "").Code, rt.path)
	}
	require.Equal(t, http.StatusNotFound, r.status(here, "X-Management-Key", rightKey).Code)
}

func TestMG2_RemotePeersAreRefusedWhateverTheKey(t *testing.T) {
	t.Parallel()
	r := start(t, rightKey, false)
	for _, key := range []string{rightKey, "wrong", ""} {
		w := r.status(away, "X-Management-Key", key, "X-Forwarded-For", "127.0.0.1", "X-Real-IP", "127.0.0.1")
		require.Equal(t, http.StatusForbidden, w.Code)
		require.Equal(t, "remote_not_allowed", gjson.Get(w.Body.String(), "error.code").String())
	}
	require.Equal(t, http.StatusOK, start(t, rightKey, true).status(away, "X-Management-Key", rightKey).Code)
}

func TestMG3_EveryRouteNeedsTheKey(t *testing.T) {
	t.Parallel()
	for _, rt := range start(t, rightKey, false).server.routes() {
		t.Run(rt.method+" "+rt.path, func(t *testing.T) {
			t.Parallel()
			r := start(t, rightKey, false)
			for _, header := range [][]string{{}, {"Authorization", "Bearer wrong"}, {"Authorization", "Basic " + rightKey}, {"X-Management-Key", "wrong"}} {
				w := r.do(rt.method, sample(rt), "", here, header...)
				require.Equal(t, http.StatusUnauthorized, w.Code)
				require.Equal(t, "Bearer", w.Header().Get("WWW-Authenticate"))
			}
		})
	}
	hash, err := bcrypt.GenerateFromPassword([]byte(rightKey), bcrypt.MinCost)
	require.NoError(t, err)
	r := start(t, string(hash), false)
	require.Equal(t, http.StatusOK, r.status(here, "Authorization", "bearer "+rightKey).Code)
	require.Equal(t, http.StatusUnauthorized, r.status(here, "Authorization", "Bearer "+string(hash)).Code)
}

func TestMG4_FiveWrongKeysLockAnAddressOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		t.Cleanup(func() { time.Sleep(2 * time.Second) })
		r := start(t, rightKey, true)
		for range 5 {
			require.Equal(t, http.StatusUnauthorized, r.status(away, "X-Management-Key", "wrong").Code)
		}
		time.Sleep(time.Minute)
		w := r.status(away, "X-Management-Key", rightKey)
		require.Equal(t, http.StatusForbidden, w.Code)
		require.Equal(t, "locked_out", gjson.Get(w.Body.String(), "error.code").String())
		require.Equal(t, "1740", w.Header().Get("Retry-After"))
		require.Equal(t, http.StatusOK, r.status("192.0.2.8:1", "X-Management-Key", rightKey).Code)
		time.Sleep(29 * time.Minute)
		require.Equal(t, http.StatusOK, r.status(away, "X-Management-Key", rightKey).Code)
	})
}

func TestGate_SaysNothingOfTheKey(t *testing.T) {
	t.Parallel()
	r := start(t, rightKey, false)
	for _, key := range []string{"", "wrong", rightKey} {
		w := r.status(here, "X-Management-Key", key)
		require.NotContains(t, w.Body.String(), rightKey)
		require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
	}
	require.NotContains(t, r.log.String(), rightKey)
}

// sample is a path of a route.
func sample(rt route) string {
	return strings.NewReplacer("{id}", "a", "{key}", strings.Repeat("0", 32)).Replace(rt.path)
}
