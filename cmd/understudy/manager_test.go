package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCommands_SayWhyTheyCannot(t *testing.T) {
	t.Parallel()
	always := func(status int, body string) *httptest.Server {
		return serve(t, func(w http.ResponseWriter, _ *http.Request) { answer(w, status, body) })
	}
	away := always(http.StatusOK, "{}")
	away.Close()
	locked := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "90")
		answer(w, http.StatusForbidden, `{"error":{"code":"locked_out","message":"Too many wrong keys."}}`)
	})
	elsewhere := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusTemporaryRedirect)
	})
	good := recorded(t)
	tests := map[string]struct {
		server *httptest.Server
		args   []string
		code   int
		want   string
	}{
		"nobody there":           {away, []string{"status"}, exitUnavailable, `no gateway answers at ` + away.URL + `.*connection refused.*understudy serve`},
		"wrong key":              {always(401, `{"error":{"code":"invalid_key","message":"This is not the management key."}}`), []string{"status"}, exitUnavailable, "does not take this key"},
		"management is off":      {always(404, `{"error":{"code":"not_found","message":"There is nothing here."}}`), []string{"explain", "x"}, exitUnavailable, "it is off there.*management.secret-key"},
		"locked out":             {locked, []string{"usage"}, exitUnavailable, "Too many wrong keys.*1m30s"},
		"not from here":          {always(403, `{"error":{"message":"this machine only"}}`), []string{"usage"}, exitUnavailable, "lets nobody in from here: this machine only"},
		"stopping":               {always(503, `{"error":{"message":"The engine does not answer."}}`), []string{"sessions", "list"}, exitUnavailable, "engine does not answer"},
		"another server":         {always(200, "<html>"), []string{"status"}, exitUnavailable, "is no Understudy gateway"},
		"another server's error": {always(500, "oops"), []string{"status"}, exitUnavailable, "is no Understudy gateway"},
		"a redirect":             {elsewhere, []string{"status"}, exitUnavailable, "is no Understudy gateway"},
		"no such request":        {good, []string{"explain", "gone"}, exitFailed, `remembers no request "gone"`},
		"no such credential":     {good, []string{"credentials", "drain", "gone"}, exitFailed, `no credential "gone"`},
		"no such session":        {good, []string{"sessions", "clear", "00"}, exitFailed, `no session "00"`},
		"nobody's sessions":      {good, []string{"sessions", "clear", "--credential", "gone"}, exitFailed, `no credential "gone"`},
		"which sessions":         {good, []string{"sessions", "clear"}, exitMisuse, "say which"},
		"both":                   {good, []string{"sessions", "clear", "00", "--credential", "a"}, exitMisuse, "say which"},
		"whose credential":       {good, []string{"credentials", "add", "a"}, exitMisuse, "--provider"},
		"no secret":              {good, []string{"credentials", "add", "a", "--provider", "p"}, exitFailed, "holds no API key"},
		"no file":                {good, []string{"credentials", "add", "a", "--file", "nowhere.json"}, exitFailed, "nowhere.json"},
		"nothing in it":          {good, []string{"credentials", "add", "a", "--file", "-"}, exitFailed, "JSON object"},
		"which credential":       {good, []string{"credentials", "disable"}, exitMisuse, "arg"},
		"unknown command":        {good, []string{"nonsense"}, exitMisuse, "unknown command"},
		"unknown flag":           {good, []string{"status", "--nonsense"}, exitMisuse, "unknown flag"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := command(t, "", on(tt.server, tt.args...)...)
			require.Equal(t, tt.code, got.code)
			require.Regexp(t, tt.want, got.errors)
			require.Empty(t, got.out)
		})
	}
}

func TestCommands_RefuseWhatDoesNotExist(t *testing.T) {
	t.Parallel()
	for _, args := range []string{"nonsense", "sessions nonsense", "status extra", "serve --nonsense", "explain a b"} {
		got := command(t, "", strings.Fields(args)...)
		require.Equal(t, exitMisuse, got.code, args)
		require.NotEmpty(t, got.errors)
	}
	got := command(t, "", "credentials")
	require.Equal(t, exitDone, got.code)
	require.Contains(t, got.out, "disable")
}

// change is what a command asks of the gateway.
type change struct{ method, path, body string }

func TestCommands_ChangeWhatTheySay(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "login.json")
	require.NoError(t, os.WriteFile(file, []byte(`{"provider":"p","oauth":{"access-token":"t","n":12345678901234567890}}`), 0o600))
	const state = `{"id":"a","status":"active","models":[{"name":"m","status":"resting","reason":"overloaded"}]}`
	const changed = `{"persisted":true,"changes":["x"],"credential":` + state + `}`
	tests := map[string]struct {
		in, answer string
		want       change
		said       string
		args       []string
	}{
		"disable":  {"", changed, change{"PATCH", "/credentials/a%2Fb::c", `{"disabled":true}`}, "a is active (m rests (overloaded, -)) now.\n", []string{"credentials", "disable", "a/b::c"}},
		"enable":   {"", `{"persisted":false,"needs_restart":["listen"],"credential":` + state + `}`, change{"PATCH", "/credentials/a", `{"disabled":false}`}, "in no file. Only a restart applies listen.\n", []string{"credentials", "enable", "a"}},
		"drain":    {"", state, change{"POST", "/credentials/a/drain", ""}, "Enabling it ends that.", []string{"credentials", "drain", "a"}},
		"reset":    {"", state, change{"POST", "/credentials/a/reset", "{}"}, "a is active", []string{"credentials", "reset", "a"}},
		"one rest": {"", state, change{"POST", "/credentials/a/reset", `{"model":"m"}`}, "a is active", []string{"credentials", "reset", "a", "--model", "m"}},
		"remove":   {"", `{"persisted":true}`, change{"DELETE", "/credentials/a", ""}, "a is removed.\n", []string{"credentials", "remove", "a"}},
		"add": {
			" sk-1\n", changed,
			change{"POST", "/credentials", `{"account":"x","api-key":"sk-1","id":"a","models":["m*","n"],"provider":"p","weight":0}`},
			"a is active",
			[]string{"credentials", "add", "a", "--provider", "p", "--account", "x", "--weight", "0", "--models", "m*,n"},
		},
		"add a file": {
			"", changed,
			change{"POST", "/credentials", `{"id":"a","max-concurrency":2,"oauth":{"access-token":"t","n":12345678901234567890},"provider":"p"}`},
			"a is active",
			[]string{"credentials", "add", "a", "--file", file, "--max-concurrency", "2"},
		},
		"clear one": {"", `{"ended":1}`, change{"DELETE", "/sessions/00ff", ""}, "1 session ended.", []string{"sessions", "clear", "00ff"}},
		"clear all": {"", `{"ended":2}`, change{"DELETE", "/sessions?credential=a", ""}, "2 sessions ended.", []string{"sessions", "clear", "--credential", "a"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asked := make(chan change, 4)
			server := serve(t, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				asked <- change{r.Method, strings.TrimPrefix(r.RequestURI, managementPath), string(body)}
				answer(w, http.StatusOK, tt.answer)
			})
			got := command(t, tt.in, on(server, tt.args...)...)
			require.Equal(t, exitDone, got.code, got.errors)
			require.Equal(t, tt.want, <-asked)
			require.Contains(t, got.out, tt.said)
			require.NotContains(t, got.out, "sk-1")

			got = command(t, tt.in, on(server, append(tt.args, "--json")...)...)
			require.Equal(t, exitDone, got.code)
			require.JSONEq(t, tt.answer, got.out)
			<-asked
			require.Empty(t, asked)
		})
	}
}

func TestCommands_TellWhatIsWrongWithACredential(t *testing.T) {
	t.Parallel()
	server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusUnprocessableEntity, `{"error":{"message":"The configuration is not valid.","problems":[{"file":"a.json","line":3,"path":"weight","problem":"must not be negative"},{"problem":"x"}]}}`)
	})
	got := command(t, "sk-1", on(server, "credentials", "add", "a", "--provider", "p")...)
	require.Equal(t, exitFailed, got.code)
	require.Equal(t, "understudy: The configuration is not valid.\n  a.json:3: weight: must not be negative\n  x\n", got.errors)
}

func TestCommands_PrintAnswersAsJSON(t *testing.T) {
	t.Parallel()
	server := recorded(t)
	for args, file := range map[string]string{
		"credentials list": "credentials", "sessions list": "sessions", "usage": "usage", "explain": "requests", "explain turn-2": "request-turn-2",
	} {
		want, err := os.ReadFile(filepath.Join("testdata", file+".json"))
		require.NoError(t, err)
		got := command(t, "", on(server, append(strings.Fields(args), "--json")...)...)
		require.Equal(t, exitDone, got.code, got.errors)
		require.JSONEq(t, string(want), got.out, args)
	}
	got := command(t, "", on(server, "status", "--json")...)
	var parts map[string]json.RawMessage
	require.NoError(t, json.Unmarshal([]byte(got.out), &parts))
	require.Len(t, parts, 3)
	want, err := os.ReadFile(filepath.Join("testdata", "status.json"))
	require.NoError(t, err)
	require.JSONEq(t, string(want), string(parts["status"]))
}

func TestList_FollowsPages(t *testing.T) {
	t.Parallel()
	const total = 2500
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		after, _ := strconv.Atoi(r.URL.Query().Get("after")) // none is 0
		limit, err := strconv.Atoi(r.URL.Query().Get("limit"))
		if err != nil || limit > 1000 {
			answer(w, http.StatusBadRequest, `{"error":{"message":"bad page"}}`)
			return
		}
		p := page{}
		for after < total && len(p.Data) < limit {
			after++
			p.Data = append(p.Data, json.RawMessage(fmt.Sprint(after)))
		}
		if after < total {
			p.Next = fmt.Sprint(after)
		}
		_ = json.NewEncoder(w).Encode(p)
	})
	m := newManager(server.URL, testKey, &http.Transport{})
	t.Cleanup(m.http.CloseIdleConnections)
	for limit, want := range map[int]int{0: total, 1: 1, 1000: 1000, 1001: 1001, 2500: total, 9999: total} {
		got, err := m.list(t.Context(), "/usage", nil, limit)
		require.NoError(t, err)
		require.Len(t, got.Data, want)
		require.Equal(t, want < total, got.Next != "")
		numbers, err := elements[int](got)
		require.NoError(t, err)
		require.Equal(t, want, numbers[want-1])
	}
}
