package simulator

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the wanted answers in testdata")

// answerMark parts a golden file into the request and the wanted answer.
const answerMark = "\n=== "

// TestUpstream_AnswersAsInTestdata sends the request at the top of each file, method and
// path, headers, empty line, body, and compares the answer with what is below.
func TestUpstream_AnswersAsInTestdata(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.golden")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, name := range files {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".golden"), func(t *testing.T) {
			t.Parallel()
			content, err := os.ReadFile(name)
			require.NoError(t, err)
			question, want, _ := strings.Cut(string(content), answerMark)
			got := describe(t, do(t, New(options()), parseRequest(t, question)))
			if *update {
				require.NoError(t, os.WriteFile(name, []byte(question+answerMark+got), 0o600))
				return
			}
			require.Equal(t, want, got)
		})
	}
}

func parseRequest(t *testing.T, text string) *http.Request {
	t.Helper()
	head, body, _ := strings.Cut(text, "\n\n")
	lines := strings.Split(head, "\n")
	method, path, ok := strings.Cut(lines[0], " ")
	require.True(t, ok, "want METHOD PATH, have %q", lines[0])
	r := request(path, body)
	r.Method = method
	for _, line := range lines[1:] {
		name, value, ok := strings.Cut(line, ": ")
		require.True(t, ok, "want NAME: VALUE, have %q", line)
		r.Header.Set(name, value)
	}
	return r
}

// describe shows an answer as the golden files do; a carriage return as \r.
func describe(t *testing.T, a answer) string {
	t.Helper()
	require.NoError(t, a.err)
	return strconv.Itoa(a.status) + " " + a.header.Get("Content-Type") + "\n" +
		strings.ReplaceAll(indent(t, a.body), "\r", `\r`)
}

func indent(t *testing.T, body string) string {
	t.Helper()
	if !json.Valid([]byte(body)) {
		return body
	}
	var b bytes.Buffer
	require.NoError(t, json.Indent(&b, []byte(body), "", "  "))
	return b.String() + "\n"
}
