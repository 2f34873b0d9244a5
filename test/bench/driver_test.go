package main

import (
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestConnection_TellsWrongAnswersApart(t *testing.T) {
	t.Parallel()
	const want = `{"answer":42}`
	tests := map[string]struct {
		serve http.HandlerFunc
		check func(*testing.T, error)
	}{
		"right": {
			func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(want)) },
			func(t *testing.T, err error) { require.NoError(t, err) },
		},
		"status": {
			func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "draining", http.StatusServiceUnavailable) },
			func(t *testing.T, err error) {
				var other *statusError
				require.ErrorAs(t, err, &other)
				require.Equal(t, http.StatusServiceUnavailable, other.status)
				require.Contains(t, err.Error(), "draining")
			},
		},
		"short": {
			func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(want[:5])) },
			func(t *testing.T, err error) { require.ErrorContains(t, err, "ends after 5 of 13 bytes") },
		},
		"longer": {
			func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(want + "!")) },
			func(t *testing.T, err error) { require.ErrorContains(t, err, "differs") },
		},
		"cut": {
			func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", "13")
				_, _ = w.Write([]byte(want[:5]))
				_ = http.NewResponseController(w).Flush()
				panic(http.ErrAbortHandler)
			},
			func(t *testing.T, err error) {
				require.ErrorContains(t, err, "after 5 of 13 bytes")
				require.NotErrorIs(t, err, errNotBegun)
			},
		},
		"none": {
			func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
			func(t *testing.T, err error) { require.ErrorIs(t, err, errNotBegun) },
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(tt.serve)
			defer server.Close()
			c, err := dial(t.Context(), server.Listener.Addr().String())
			require.NoError(t, err)
			defer c.close()
			tt.check(t, c.do(rawRequest(chatBody(modelChat, 0, 300)), []byte(want), time.Minute))
		})
	}
}

func TestDial_SaysThatNothingHasBegun(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	_, err = dial(t.Context(), listener.Addr().String())
	require.ErrorIs(t, err, errNotBegun)
}

func TestDrive_SendsExactlySoMany(t *testing.T) {
	t.Parallel()
	u := newUpstream(upstreamScript{chunks: 10})
	server := httptest.NewServer(u)
	defer server.Close()
	for _, l := range allLoads(10) {
		before := u.begun.Load()
		_, err := drive(t.Context(), server.Listener.Addr().String(), l, 37, 8)
		require.NoError(t, err)
		require.Equal(t, before+37, u.begun.Load())
	}
}

func TestDrive_EndsAtTheFirstWrongAnswer(t *testing.T) {
	t.Parallel()
	var served atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		served.Add(1)
		w.WriteHeader(http.StatusBadGateway)
	}))
	defer server.Close()
	_, err := drive(t.Context(), server.Listener.Addr().String(), allLoads(1)[0], 1000, 4)
	require.ErrorContains(t, err, "status 502")
	require.LessOrEqual(t, served.Load(), int64(4))
}
