package capture

import (
	"bytes"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/http/payload"
)

// start is when the requests of tests come.
var start = time.Date(2030, 1, 2, 3, 4, 5, 6_000_000, time.UTC)

// logging returns settings that capture into a folder of t's.
func logging(t *testing.T, requests string) config.Logging {
	l := config.Default().Logging
	l.Requests, l.Dir = requests, filepath.Join(t.TempDir(), "logs")
	return l
}

func newStore(t *testing.T, l config.Logging) *Store {
	t.Helper()
	s := NewStore(slog.New(slog.DiscardHandler))
	s.Apply(l)
	t.Cleanup(s.Close)
	return s
}

// text returns the one capture that there is.
func text(t *testing.T, s *Store, l config.Logging) string {
	t.Helper()
	names := files(t, l)
	require.Len(t, names, 1)
	return read(t, s, names[0])
}

func read(t *testing.T, s *Store, name string) string {
	t.Helper()
	file, err := s.Open(name)
	require.NoError(t, err)
	defer file.Close()
	b, err := io.ReadAll(file)
	require.NoError(t, err)
	return string(b)
}

// files lists what is in the folder; nothing if there is none.
func files(t *testing.T, l config.Logging) []string {
	t.Helper()
	entries, err := os.ReadDir(l.Dir)
	if err != nil {
		require.ErrorIs(t, err, fs.ErrNotExist)
	}
	names := []string{}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// exchange is a request whose body was read, and its answer.
type exchange struct {
	request *http.Request
	body    string
	answer  string
	report  Report
}

func (x exchange) run(s *Store) {
	e := s.Begin(x.request)
	if x.body != "" {
		b := (&payload.Pool{}).Get(int64(len(x.body)))
		b.Bytes = append(b.Bytes, x.body...)
		e.Body(b)
		b.Release()
	}
	w := e.Writer(httptest.NewRecorder())
	for piece := range strings.SplitSeq(x.answer, "|") {
		_, _ = w.Write([]byte(piece))
	}
	e.Failing([]byte(strings.ReplaceAll(x.answer, "|", "")))
	if e.Wants(x.report.Failed) {
		e.End(x.report)
	} else {
		e.Drop()
	}
}

func post(target string, header ...string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, target, http.NoBody)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

func failed(id string) Report { return Report{ID: id, At: start, Status: 502, Failed: true} }

// Ours lists what failed in every mode: the contract has no list of the others. With nothing
// captured it is empty.
func TestMG22_ListOfFailures(t *testing.T) {
	t.Parallel()
	for requests, want := range map[string]int{"off": 0, "errors": 1, "all": 1} {
		t.Run(requests, func(t *testing.T) {
			t.Parallel()
			l := logging(t, requests)
			s := newStore(t, l)
			exchange{request: post("/v1/x"), report: Report{ID: "good", At: start, Status: 200}}.run(s)
			exchange{request: post("/v1/x"), report: failed("bad")}.run(s)
			list, err := s.Failures(10)
			require.NoError(t, err)
			require.Len(t, list, want)
			for _, info := range list {
				require.Equal(t, Name{At: start, Failed: true, Status: 502, ID: "bad"}, info.Name)
				require.Len(t, read(t, s, info.File), int(info.Bytes))
			}
			require.Len(t, files(t, l), map[string]int{"off": 0, "errors": 1, "all": 2}[requests])
		})
	}
}

// Management and all other open routes are not offered to the store: see package httpapi.
func TestMG23_WhichRequestsAreTaken(t *testing.T) {
	t.Parallel()
	s := newStore(t, logging(t, "all"))
	for name, tt := range map[string]struct {
		method, upgrade string
		want            bool
	}{
		"POST":            {http.MethodPost, "", true},
		"DELETE":          {http.MethodDelete, "", true},
		"GET":             {http.MethodGet, "", false},
		"HEAD":            {http.MethodHead, "", false},
		"GET, web socket": {http.MethodGet, "WebSocket", true},
		"GET, HTTP/2":     {http.MethodGet, "h2c", false},
	} {
		r := httptest.NewRequest(tt.method, "/v1/responses", http.NoBody)
		r.Header.Set("Upgrade", tt.upgrade)
		require.Equal(t, tt.want, s.Begin(r) != nil, name)
	}
}

// The gateway has a request's body in memory whatever its length, so a capture of it is a
// reference. Answers are what passes by: they are spooled when they are long.
func TestMG24_WhereBodiesAreHeld(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", maxMemoryBytes+1)
	tests := map[string]struct {
		x        exchange
		requests string
		spooled  bool
		want     []string
		not      []string
	}{
		"short answer":      {exchange{request: post("/"), answer: "short| answer"}, "all", false, []string{"\nshort answer\n"}, nil},
		"just in memory":    {exchange{request: post("/"), answer: long[1:]}, "all", false, []string{long[1:]}, nil},
		"long answer":       {exchange{request: post("/"), answer: "a|" + long + "|b"}, "all", true, []string{"a" + long + "b\n"}, nil},
		"long, in one":      {exchange{request: post("/"), answer: long}, "all", true, []string{long}, nil},
		"long request":      {exchange{request: post("/"), body: long}, "all", false, []string{long}, nil},
		"multipart":         {exchange{request: post("/", "Content-Type", " Multipart/form-data; boundary=x"), body: "a file"}, "all", false, []string{"multipart bodies are not captured"}, []string{"a file"}},
		"no body":           {exchange{request: post("/")}, "all", false, []string{"=== request\nPOST /\n\n=== answer"}, nil},
		"errors: no stream": {exchange{request: post("/"), answer: long}, "errors", false, []string{long}, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := logging(t, tt.requests)
			s := newStore(t, l)
			tt.x.report = failed("id")
			e := s.Begin(tt.x.request)
			w := e.Writer(httptest.NewRecorder())
			_, _ = w.Write([]byte(strings.ReplaceAll(tt.x.answer, "|", "")))
			require.Equal(t, tt.spooled, e.answer.file != nil)
			e.answer.drop()
			require.Empty(t, files(t, l))

			tt.x.run(s)
			got := text(t, s, l)
			for _, want := range tt.want {
				require.Contains(t, got, want)
			}
			for _, not := range tt.not {
				require.NotContains(t, got, not)
			}
		})
	}
}

func TestMG24_WhatIsTooLongIsCutAndSaysSo(t *testing.T) {
	t.Parallel()
	l := logging(t, "all")
	l.MaxBodyBytes = 1 << 10
	s := newStore(t, l)
	exchange{request: post("/"), body: strings.Repeat("q", 2000), answer: strings.Repeat("a", 1000) + "|" + strings.Repeat("a", 1000), report: failed("id")}.run(s)
	got := text(t, s, l)
	require.Contains(t, got, "\n"+strings.Repeat("q", 1<<10)+"\n(1024 of 2000 bytes)\n")
	require.Contains(t, got, "\n"+strings.Repeat("a", 1<<10)+"\n(1024 of 2000 bytes)\n")
}

func TestMG25_SecretsAreMasked(t *testing.T) {
	t.Parallel()
	l := logging(t, "all")
	s := newStore(t, l)
	r := post("/v1/x?key=hidden-1&alt=sse&%6bey=hidden-2&access_token=hidden-3", "Authorization", "Bearer hidden-4", "X-Api-Key", "hidden-5", "X-Goog-Api-Key", "hidden-6",
		"Cookie", "a=hidden-7", "X-Management-Key", "hidden-8", "X-Understudy-Debug", "hidden-9", "Proxy-Authorization", "Basic hidden-10", "User-Agent", "agent/1")
	report := failed("id")
	report.Header = http.Header{"Set-Cookie": {"hidden-11"}, "X-Vendor": {"shown", "Incorrect: hidden-12"}}
	e := s.Begin(r)
	e.Hide("hidden-12")
	e.Hide(`hid"den/13`)
	b := (&payload.Pool{}).Get(100)
	b.Bytes = append(b.Bytes, `{"model":"m","text":"I am hidden-4, hidden-1hidden-2 and hid\"den/13"}`...)
	e.Body(b)
	_, _ = e.Writer(httptest.NewRecorder()).Write([]byte("Incorrect API key: hidden-12."))
	e.End(report)
	got := text(t, s, l)
	require.NotContains(t, got, "hid\\\"den")
	require.NotContains(t, got, "hidden-")
	require.Contains(t, got, "POST /v1/x?key=***&alt=sse&%6bey=***&access_token=***\n")
	require.Contains(t, got, "Authorization: ***\n")
	require.Contains(t, got, "User-Agent: agent/1\n")
	require.Contains(t, got, `{"model":"m","text":"I am ***, ****** and ***"}`)
	require.Contains(t, got, "Incorrect API key: ***.")
	require.Contains(t, got, "X-Vendor: shown\nX-Vendor: Incorrect: ***\n")
}

func TestExchange_ContentsAreMaskedIfWanted(t *testing.T) {
	t.Parallel()
	l := logging(t, "all")
	l.MaskContents = true
	s := newStore(t, l)
	exchange{request: post("/"), body: `{"model":"m","messages":[{"role":"user","content":"my prompt"}]}`, answer: `{"error":{"message":"no, |my prompt"}}`, report: failed("id")}.run(s)
	got := text(t, s, l)
	require.NotContains(t, got, "prompt")
	require.Contains(t, got, `{"model":"m","messages":[{"role":"user","content":"***"}]}`)
	require.Contains(t, got, `{"error":{"message":"***"}}`)
}

func TestExchange_TellsWhatTheLogTells(t *testing.T) {
	t.Parallel()
	l := logging(t, "errors")
	s := newStore(t, l)
	report := failed("id:1")
	report.Facts = []slog.Attr{slog.Int("status", 502), slog.String("err", "two\nlines")}
	report.Tries = []string{"a overloaded", "b transient"}
	report.Header, report.Sent = http.Header{"Content-Type": {"application/json"}}, 100
	exchange{request: post("/v1/x", "X-Client", "c"), body: "{}", answer: "{}", report: report}.run(s)
	require.Equal(t, `at: 2030-01-02T03:04:05.006Z
status: 502
err: "two\nlines"
attempt 1: a overloaded
attempt 2: b transient

=== request
POST /v1/x
X-Client: c

{}

=== answer
502 Bad Gateway
Content-Type: application/json

{}
(2 of 100 bytes)
`, text(t, s, l))
	require.Equal(t, []string{"20300102T030405.006-failed-502-id_1.txt"}, files(t, l))
}

func TestExchange_AGoodAnswerLeavesNothing(t *testing.T) {
	t.Parallel()
	l := logging(t, "errors")
	s := newStore(t, l)
	recorder := httptest.NewRecorder()
	e := s.Begin(post("/"))
	require.Same(t, recorder, e.Writer(recorder), "nothing looks on")
	b := (&payload.Pool{}).Get(1)
	e.Body(b)
	require.False(t, e.Wants(false))
	e.Drop()
	require.Empty(t, files(t, l))
	require.Nil(t, e.body)
}

func TestExchange_NoneDoesNothing(t *testing.T) {
	var e *Exchange
	recorder := httptest.NewRecorder()
	require.Same(t, recorder, e.Writer(recorder))
	require.Zero(t, testing.AllocsPerRun(100, func() {
		e.Body(nil)
		e.Hide("x")
		e.Failing(nil)
		e.Drop()
		e.End(Report{})
	}))
	require.False(t, e.Wants(true))
	require.Nil(t, (*Store)(nil).Begin(post("/")))
}

func TestTee_IsAsGoodAsWhatItWraps(t *testing.T) {
	t.Parallel()
	s := newStore(t, logging(t, "all"))
	recorder := httptest.NewRecorder()
	e := s.Begin(post("/"))
	w := e.Writer(recorder)
	w.WriteHeader(http.StatusTeapot)
	_, err := w.Write([]byte("x"))
	require.NoError(t, err)
	require.NoError(t, http.NewResponseController(w).Flush())
	w.(http.Flusher).Flush()
	require.True(t, recorder.Flushed)
	require.Equal(t, http.StatusTeapot, recorder.Code)
	require.Equal(t, "x", recorder.Body.String())
	e.End(Report{ID: "id", At: start, Status: http.StatusTeapot})
}

func TestStore_FilesAreTheOwnersAlone(t *testing.T) {
	t.Parallel()
	l := logging(t, "all")
	s := newStore(t, l)
	exchange{request: post("/"), answer: "x", report: failed("id")}.run(s)
	folder, err := os.Stat(l.Dir)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o700), folder.Mode().Perm())
	file, err := os.Stat(filepath.Join(l.Dir, files(t, l)[0]))
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o600), file.Mode().Perm())
}

func TestStore_KeepsTheLatest(t *testing.T) {
	t.Parallel()
	l := logging(t, "errors")
	l.MaxFiles, l.MaxTotalBytes = 3, 1<<20
	s := newStore(t, l)
	name := func(i int) string {
		return Name{At: start.Add(time.Duration(i) * time.Second), Failed: true, Status: 502, ID: "id"}.String()
	}
	put := func(s *Store, i int, answer string) {
		report := failed("id")
		report.At = start.Add(time.Duration(i) * time.Second)
		exchange{request: post("/"), answer: answer, report: report}.run(s)
	}
	for i := range 5 {
		put(s, i, "x")
	}
	require.Equal(t, []string{name(2), name(3), name(4)}, files(t, l))
	list, err := s.Failures(2)
	require.NoError(t, err)
	require.Equal(t, []string{name(4), name(3)}, []string{list[0].File, list[1].File}, "latest first")

	again := newStore(t, l) // as after a restart
	put(again, 5, "x")
	require.Equal(t, []string{name(3), name(4), name(5)}, files(t, l))
	put(again, 6, strings.Repeat("x", 1<<20-1000))
	require.Equal(t, []string{name(3), name(4), name(5), name(6)}[1:], files(t, l))
	put(again, 7, strings.Repeat("x", 1<<20-1000))
	require.Equal(t, []string{name(7)}, files(t, l))
	put(again, 8, strings.Repeat("x", 2<<20))
	require.Empty(t, files(t, l), "one that is larger than all may be is not kept")
	require.Equal(t, Stats{Written: 4}, again.Stats())
}

func TestStore_OneIDManyTimes(t *testing.T) {
	t.Parallel()
	l := logging(t, "errors")
	s := newStore(t, l)
	for range 3 {
		exchange{request: post("/"), answer: "x", report: failed("id")}.run(s)
	}
	require.Equal(t, []string{
		"20300102T030405.006-failed-502-id.2.txt", "20300102T030405.006-failed-502-id.3.txt", "20300102T030405.006-failed-502-id.txt",
	}, files(t, l))
}

func TestStore_TouchesNoFileOfAnybodyElse(t *testing.T) {
	t.Parallel()
	l := logging(t, "errors")
	l.MaxFiles = 1
	outside := filepath.Join(filepath.Dir(l.Dir), "outside")
	require.NoError(t, os.MkdirAll(l.Dir, 0o700))
	require.NoError(t, os.WriteFile(outside, []byte("x"), 0o600))
	link := Name{At: start, Failed: true, Status: 500, ID: "link"}.String()
	require.NoError(t, os.Symlink(outside, filepath.Join(l.Dir, link)))
	require.NoError(t, os.WriteFile(filepath.Join(l.Dir, "notes.txt"), []byte("x"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(l.Dir, spoolPrefix+"1-1"), []byte("left by a crash"), 0o600))
	s := newStore(t, l)
	for range 3 {
		exchange{request: post("/"), answer: "x", report: failed("id")}.run(s)
	}
	left := files(t, l)
	require.Len(t, left, 3)
	require.Contains(t, left, "notes.txt")
	require.Contains(t, left, link)
	for _, name := range []string{link, "notes.txt", "../outside", outside, "", ".", "..", link + "/x"} {
		_, err := s.Open(name)
		require.Error(t, err, name)
	}
	require.FileExists(t, outside)
}

func TestStore_ReadsNothingWithoutAFolder(t *testing.T) {
	t.Parallel()
	l := logging(t, "errors")
	s := newStore(t, l)
	list, err := s.Failures(10)
	require.NoError(t, err)
	require.Empty(t, list)
	_, err = s.Open(Name{At: start, Failed: true, Status: 500, ID: "x"}.String())
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.NoDirExists(t, l.Dir)
}

func TestStore_TellsTroubleOnce(t *testing.T) {
	t.Parallel()
	l := logging(t, "all")
	require.NoError(t, os.WriteFile(l.Dir, nil, 0o600)) // a file is where the folder should be
	var log bytes.Buffer
	s := NewStore(slog.New(slog.NewTextHandler(&log, nil)))
	s.Apply(l)
	t.Cleanup(s.Close)
	for range 3 {
		exchange{request: post("/"), answer: strings.Repeat("x", 2*maxMemoryBytes), report: failed("id")}.run(s)
	}
	require.Equal(t, 1, strings.Count(log.String(), "request not captured"))
	require.Equal(t, Stats{Failed: 3}, s.Stats())
	require.NoError(t, os.Remove(l.Dir))
	exchange{request: post("/"), answer: "x", report: failed("id")}.run(s)
	require.Equal(t, Stats{Failed: 3, Written: 1}, s.Stats())
}

func TestStore_SettingsChangeUnderWay(t *testing.T) {
	t.Parallel()
	l := logging(t, "all")
	s := newStore(t, l)
	e := s.Begin(post("/"))
	_, _ = e.Writer(httptest.NewRecorder()).Write(bytes.Repeat([]byte("x"), 2*maxMemoryBytes))
	other := l
	other.Dir = filepath.Join(filepath.Dir(l.Dir), "other")
	s.Apply(other)
	e.End(failed("id"))
	require.Empty(t, files(t, l), "the spool is gone with the request")
	require.Len(t, files(t, other), 1)
	off := other
	off.Requests = "off"
	s.Apply(off)
	require.Nil(t, s.Begin(post("/")))
	list, err := s.Failures(1)
	require.NoError(t, err)
	require.Len(t, list, 1, "what was captured can be read")
	s.Close()
	list, err = s.Failures(1)
	require.NoError(t, err)
	require.Empty(t, list)
}

// A storm of failures writes at most maxWriters files at once; every one is accounted for.
func TestStore_ManyAtOnce(t *testing.T) {
	t.Parallel()
	l := logging(t, "all")
	s := newStore(t, l)
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() { exchange{request: post("/"), answer: "x", report: failed("id")}.run(s) })
	}
	all.Wait()
	got := s.Stats()
	require.EqualValues(t, 50, got.Written+got.LeftOut)
	require.Zero(t, got.Failed)
	require.Len(t, files(t, l), int(got.Written))
}

func TestStore_LeavesOutWhatWouldBeTooManyAtOnce(t *testing.T) {
	t.Parallel()
	l := logging(t, "errors")
	s := newStore(t, l)
	s.writers.Store(maxWriters)
	exchange{request: post("/"), answer: "x", report: failed("id")}.run(s)
	require.Equal(t, Stats{LeftOut: 1}, s.Stats())
	require.Empty(t, files(t, l))
}
