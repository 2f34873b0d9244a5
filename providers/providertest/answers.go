package providertest

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/providers"
)

// RunAnswers classifies every file testdata/NAME.http and compares the outcome with
// want[NAME]; files and wants have to match one to one. A want's name may go on after the
// file's with " (note)". A file holds an answer as it is on the wire, with plain line feeds;
// behind a 200 its body is an error event's data. It arrives at Now as the answer to call.
// The status of the outcome is checked against the file's, so that wants leave it out.
func RunAnswers(t *testing.T, p providers.Provider, call providers.Call, want map[string]providers.Outcome) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "*.http"))
	require.NoError(t, err)
	require.Len(t, files, len(want), "one file per want")
	seen := map[string]bool{}
	for name, o := range want {
		t.Run(name, func(t *testing.T) {
			file, _, _ := strings.Cut(name, " (")
			require.False(t, seen[file], "two wants for one file")
			seen[file] = true
			a := ReadAnswer(t, filepath.Join("testdata", file+".http"))
			a.Call = call
			o.Status = a.Status
			got := p.Classify(a)
			require.Equal(t, o, got)
			require.NotContains(t, strings.ToLower(got.Reason), "sk-", "the reason quotes no message")
		})
	}
}

// FuzzAnswers checks that p makes something sane of any failing answer or error event. Its
// seeds are the files of RunAnswers.
func FuzzAnswers(f *testing.F, p providers.Provider) {
	f.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "*.http"))
	require.NoError(f, err)
	for _, path := range files {
		a := ReadAnswer(f, path)
		f.Add(a.Status, a.Header.Get("Retry-After"), a.Body)
	}
	f.Fuzz(func(t *testing.T, status int, retryAfter string, body []byte) {
		a := providers.Answer{
			Call:   providers.Call{Format: p.Formats()[0], Operation: providers.Generate, Model: "some-model"},
			Status: status, Header: http.Header{"Retry-After": {retryAfter}}, Body: body, Now: Now(),
		}
		o := p.Classify(a)
		require.NotEmpty(t, o.Kind)
		require.Equal(t, status, o.Status)
		require.GreaterOrEqual(t, o.RetryAfter, time.Duration(0))
		require.LessOrEqual(t, o.RetryAfter, 31*24*time.Hour)
		require.LessOrEqual(t, len(o.Reason), 64)
		require.Equal(t, o.Kind == providers.Success, o.Reason == "")
		require.Equal(t, o, p.Classify(a), "the same answer means the same")
	})
}

// ReadAnswer reads one file of the form that RunAnswers describes.
func ReadAnswer(tb testing.TB, path string) providers.Answer {
	tb.Helper()
	wire, err := os.ReadFile(path)
	require.NoError(tb, err)
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(wire)), nil)
	require.NoError(tb, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(tb, err)
	require.NoError(tb, resp.Body.Close())
	return providers.Answer{Status: resp.StatusCode, Header: resp.Header, Body: body, Now: Now()}
}
