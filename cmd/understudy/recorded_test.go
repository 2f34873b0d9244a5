package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	testKey        = "operator-key"
	recordedEvents = 36 // in testdata/events.txt
)

// recorded is a gateway's management API, as far as a gateway with the simulator once answered:
// testdata/*.json and events.txt.
func recorded(t *testing.T) *httptest.Server {
	t.Helper()
	answers := map[string]string{"/events": "events.txt"}
	for _, name := range []string{"status", "credentials", "models", "sessions", "usage", "requests"} {
		answers["/"+name] = name + ".json"
	}
	for _, id := range []string{"slow", "twice", "nobody", "refused", "turn-2"} {
		answers["/requests/"+id] = "request-" + id + ".json"
	}
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		name, known := answers[strings.TrimPrefix(r.URL.Path, managementPath)]
		switch {
		case r.Header.Get("Authorization") != "Bearer "+testKey:
			answer(w, http.StatusUnauthorized, `{"error":{"code":"invalid_key","message":"This is not the management key."}}`)
		case !known || r.Method != http.MethodGet:
			answer(w, http.StatusNotFound, `{"error":{"code":"not_found","message":"There is no such thing here."}}`)
		default:
			data, err := os.ReadFile(filepath.Join("testdata", name))
			if err != nil {
				panic(err)
			}
			answer(w, http.StatusOK, string(data))
		}
	})
}

func serve(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func answer(w http.ResponseWriter, status int, body string) {
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body)) // a client that has gone fails its own test
}

// outcome is what a command did.
type outcome struct {
	code        int
	out, errors string
}

// command runs the program with args.
func command(t *testing.T, in string, args ...string) outcome {
	t.Helper()
	var out, errs bytes.Buffer
	c := root()
	c.SetArgs(args)
	c.SetIn(strings.NewReader(in))
	c.SetOut(&out)
	c.SetErr(&errs)
	code := run(t.Context(), c, &errs)
	require.NotContains(t, out.String()+errs.String(), testKey, "the key is never shown")
	return outcome{code, out.String(), errs.String()}
}

// on returns args for a gateway at server.
func on(server *httptest.Server, args ...string) []string {
	return append(args, "--url", server.URL, "--key", testKey)
}

// shown runs f as it would have run when the answers were recorded.
func shown(t *testing.T, server *httptest.Server, f func(*operation) error, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	m := newManager(server.URL+managementPath, testKey, &http.Transport{})
	t.Cleanup(m.http.CloseIdleConnections)
	now := time.Date(2026, 11, 24, 20, 38, 54, 400e6, time.UTC)
	require.NoError(t, f(&operation{manager: m, ctx: t.Context(), out: &out, args: args, now: func() time.Time { return now }}))
	return out.String()
}

// golden compares got with a file; -update writes it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *updateGolden {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o600))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}
