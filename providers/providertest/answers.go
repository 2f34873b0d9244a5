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

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/providers"
)

// RunAnswers classifies every file testdata/NAME.http and compares the outcome with
// want[NAME]; files and wants have to match one to one. A file holds an answer as it is
// on the wire, with plain line feeds; behind a 200 its body is an error event's data. It
// arrives at Now as the answer to call. The status of the outcome is checked against the
// file's, so that wants leave it out.
func RunAnswers(t *testing.T, p providers.Provider, call providers.Call, want map[string]providers.Outcome) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "*.http"))
	require.NoError(t, err)
	require.Len(t, files, len(want), "one file per want")
	for name, o := range want {
		t.Run(name, func(t *testing.T) {
			a := ReadAnswer(t, filepath.Join("testdata", name+".http"))
			a.Call = call
			o.Status = a.Status
			got := p.Classify(a)
			require.Equal(t, o, got)
			require.NotContains(t, strings.ToLower(got.Reason), "sk-", "the reason quotes no message")
		})
	}
}

// ReadAnswer reads one file of the form that RunAnswers describes.
func ReadAnswer(t *testing.T, path string) providers.Answer {
	t.Helper()
	wire, err := os.ReadFile(path)
	require.NoError(t, err)
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(wire)), nil)
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return providers.Answer{Status: resp.StatusCode, Header: resp.Header, Body: body, Now: Now()}
}
