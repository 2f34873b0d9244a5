package fake

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// always returns an upstream that gives every request the same reply.
func always(reply Reply) *Upstream {
	return New(func(Request) Reply { return reply })
}

// serve calls u over TCP and returns status, header, body, and what went wrong with the
// call or the body.
func serve(t *testing.T, u *Upstream, header http.Header, body string) (*http.Response, string, error) {
	t.Helper()
	server := httptest.NewServer(u)
	t.Cleanup(server.Close)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/path?q=1", strings.NewReader(body))
	require.NoError(t, err)
	for name, values := range header {
		r.Header[name] = values
	}
	response, err := server.Client().Do(r)
	if err != nil {
		return nil, "", err
	}
	defer func() { require.NoError(t, response.Body.Close()) }()
	got, err := io.ReadAll(response.Body)
	return response, string(got), err
}

func TestUpstream_ShowsTheScriptWhatItWasAsked(t *testing.T) {
	t.Parallel()
	u := New(func(r Request) Reply { return Reply{Body: []byte(r.Method + r.Path + r.RawQuery + r.Key)} })
	_, body, err := serve(t, u, http.Header{"X-Api-Key": {"k"}, "X-Other": {"v"}}, "question")
	require.NoError(t, err)
	require.Equal(t, "POST/pathq=1k", body)
	require.Len(t, u.Requests(), 1)
	require.Equal(t, "question", string(u.Requests()[0].Body))
	require.Equal(t, "v", u.Requests()[0].Header.Get("X-Other"))
}

func TestUpstream_CountsByKey(t *testing.T) {
	t.Parallel()
	headers := []http.Header{
		{"Authorization": {"Bearer a"}},
		{"X-Api-Key": {"b"}},
		{"X-Goog-Api-Key": {"a"}},
		{},
		{"Authorization": {"Basic x"}},
		{"Authorization": {"Bearer a"}, "X-Api-Key": {"b"}},
	}
	u := always(Reply{})
	for _, h := range headers {
		_, _, err := serve(t, u, h, "")
		require.NoError(t, err)
	}
	require.Equal(t, 3, u.Calls("a"))
	require.Equal(t, 1, u.Calls("b"))
	require.Equal(t, 2, u.Calls(""))
	var seen []int
	for _, r := range u.Requests() {
		seen = append(seen, r.N)
	}
	require.Equal(t, []int{1, 1, 2, 1, 2, 3}, seen)
}

func TestUpstream_RemembersTheLastRequests(t *testing.T) {
	t.Parallel()
	u := always(Reply{})
	record := func(n, size int) {
		for range n {
			u.record(Request{Body: make([]byte, size)})
		}
	}
	record(maxRecorded+10, 0)
	require.Len(t, u.Requests(), maxRecorded)
	require.Equal(t, 11, u.Requests()[0].N)
	record(1, maxRecordedBytes)
	require.Len(t, u.Requests(), maxRecorded)
	record(1, 1)
	require.Len(t, u.Requests(), 1, "the big one went, and all before it")
	record(1, maxRecordedBytes+1)
	require.Len(t, u.Requests(), 1, "the last is kept whatever its size")
	require.Equal(t, maxRecorded+13, u.Calls(""))
}

func TestUpstream_SendsAReply(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		reply   Reply
		want    string
		length  int64
		status  int
		wantErr error
	}{
		"zero":               {Reply{}, "", 0, 200, nil},
		"status":             {Reply{Status: 418, Body: []byte("tea")}, "tea", 3, 418, nil},
		"chunks":             {Reply{Chunks: chunks("a", "b"), Body: []byte("ignored")}, "ab", -1, 200, nil},
		"end early":          {Reply{Chunks: chunks("a", "b", "c"), EndAfter: 2}, "ab", -1, 200, nil},
		"cut":                {Reply{Chunks: chunks("a", "b", "c"), CutAfter: 1}, "a", -1, 200, io.ErrUnexpectedEOF},
		"cut after the last": {Reply{Chunks: chunks("a"), CutAfter: 1}, "a", -1, 200, io.ErrUnexpectedEOF},
		"cut after the head": {Reply{Chunks: chunks("", "b"), CutAfter: 1}, "", -1, 200, io.ErrUnexpectedEOF},
		"cut body":           {Reply{Body: []byte("abc"), CutAfter: 1}, "ab", 3, 200, io.ErrUnexpectedEOF},
		"reset":              {Reply{Body: []byte("abc"), Reset: true}, "", 0, 0, syscall.ECONNRESET},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			response, body, err := serve(t, always(tt.reply), nil, "")
			require.ErrorIs(t, err, tt.wantErr)
			require.Equal(t, tt.want, body)
			if tt.status != 0 {
				require.Equal(t, tt.status, response.StatusCode)
				require.Equal(t, tt.length, response.ContentLength)
			}
		})
	}
}

// A reset may overtake what was sent before it, so only how it ends is certain.
func TestUpstream_ResetsInTheMiddle(t *testing.T) {
	t.Parallel()
	_, body, err := serve(t, always(Reply{Chunks: chunks("a", "b", "c"), Reset: true, ResetAfter: 2}), nil, "")
	require.True(t, errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.ErrUnexpectedEOF), "%v", err)
	require.NotContains(t, body, "c")
}

func TestUpstream_AbortsWhereItCannotReset(t *testing.T) {
	t.Parallel()
	require.PanicsWithValue(t, http.ErrAbortHandler, func() {
		record(t.Context(), Reply{Reset: true})
	})
}

func TestUpstream_LeavesTheScriptsHeaderAlone(t *testing.T) {
	t.Parallel()
	header := http.Header{"x-lower": {"1"}, "Content-Type": {"text/plain"}}
	response, _, err := serve(t, always(Reply{Header: header, Body: []byte("x")}), nil, "")
	require.NoError(t, err)
	require.Equal(t, "1", response.Header.Get("X-Lower"))
	require.Equal(t, http.Header{"x-lower": {"1"}, "Content-Type": {"text/plain"}}, header)
}

func TestUpstream_TakesItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		got := record(t.Context(), Reply{Chunks: chunks("a", "b", "c"), FirstDelay: time.Second, ChunkDelay: time.Minute})
		require.Equal(t, "abc", got)
		require.Equal(t, time.Second+2*time.Minute, time.Since(start))
	})
}

func TestUpstream_HangsUntilTheClientGoes(t *testing.T) {
	tests := map[string]struct {
		reply Reply
		want  string
	}{
		"before the head": {Reply{Hang: true, Body: []byte("abc")}, ""},
		"after a chunk":   {Reply{Hang: true, HangAfter: 1, Chunks: chunks("a", "b")}, "a"},
		"in a delay":      {Reply{FirstDelay: 2 * time.Hour, Body: []byte("abc")}, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				var got string
				require.PanicsWithValue(t, http.ErrAbortHandler, func() {
					w := httptest.NewRecorder()
					defer func() { got = w.Body.String() }()
					always(tt.reply).ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodPost, "/", nil))
				})
				require.Equal(t, tt.want, got)
				require.ErrorIs(t, ctx.Err(), context.DeadlineExceeded)
			})
		})
	}
}

// record returns the body that reply makes, without a connection.
func record(ctx context.Context, reply Reply) string {
	w := httptest.NewRecorder()
	always(reply).ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodPost, "/", nil))
	return w.Body.String()
}

func chunks(texts ...string) [][]byte {
	var all [][]byte
	for _, text := range texts {
		all = append(all, []byte(text))
	}
	return all
}

func TestUpstream_ServesManyAtOnce(t *testing.T) {
	t.Parallel()
	u := always(Answer(chat, true, 20))
	want := string(bytes.Join(Answer(chat, true, 20).Chunks, nil))
	done := make(chan string)
	for range 16 {
		go func() {
			w := httptest.NewRecorder()
			u.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", nil))
			done <- w.Body.String()
		}()
	}
	for range 16 {
		require.Equal(t, want, <-done)
	}
	require.Equal(t, 16, u.Calls(""))
	require.Len(t, u.Requests(), 16)
}
