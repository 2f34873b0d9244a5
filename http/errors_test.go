package httpapi

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/actors"
	"github.com/understudyhq/understudy/internal/peek"
	"github.com/understudyhq/understudy/internal/sse"
	"github.com/understudyhq/understudy/providers"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares text with a file of testdata.
func golden(t *testing.T, name string, text []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(path, text, 0o600))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), string(text))
}

// conditions is every error that the gateway itself tells.
func conditions() []struct {
	name string
	err  error
} {
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	return []struct {
		name string
		err  error
	}{
		{"unknown model with quotes", acquireError(&actors.UnknownModelError{Model: `a"b`}, now)},
		{"other formats only", acquireError(&actors.FormatError{Model: "m", Formats: []providers.Format{providers.Anthropic, providers.Gemini}}, now)},
		{"cooling down, one provider", acquireError(&actors.NoCredentialError{Model: "m", Provider: "p", RetryAfter: 1500 * time.Millisecond}, now)},
		{"cooling down, several providers", acquireError(&actors.NoCredentialError{Model: "m", RetryAfter: time.Minute}, now)},
		{"nobody without a time", acquireError(&actors.NoCredentialError{Model: "m", Reasons: map[string]int{"unauthorized": 1, "disabled": 2}}, now)},
		{"stopped", acquireError(actors.ErrStopped, now)},
		{"overloaded", acquireError(actors.ErrOverloaded, now)},
		{"deadline", acquireError(context.DeadlineExceeded, now)},
		{"unexpected", acquireError(errors.New("boom"), now)},
		{"first byte timeout", transportError(errFirstByteTimeout)},
		{"idle timeout", transportError(errIdleTimeout)},
		{"dial timeout", transportError(&net.DNSError{IsTimeout: true, Err: "10.0.0.1 timed out"})},
		{"connection refused", transportError(errors.New("dial tcp 10.0.0.1:443: connection refused"))},
		{"empty answer", transportError(errEmptyAnswer)},
		{"malformed answer", transportError(fmt.Errorf("%w: %w", errMalformedAnswer, peek.ErrNotJSON))},
		{"not JSON", bodyError(peek.ErrNotJSON)},
		{"not an object", bodyError(peek.ErrNotObject)},
		{"two models", bodyError(peek.ErrDuplicateModel)},
		{"model not a string", bodyError(peek.ErrModelNotString)},
		{"too deep", bodyError(peek.ErrTooDeep)},
		{"no model", missingModel("The request names no model.", nil)},
		{"too large", errTooLarge(10)},
		{"unknown encoding", encodingError(errUnknownEncoding)},
		{"bad encoding", encodingError(errors.New("gzip: invalid header"))},
	}
}

func TestErrorBody_HasEachFormatsShape(t *testing.T) {
	var out bytes.Buffer
	for _, c := range conditions() {
		e := asAPIError(c.err)
		fmt.Fprintf(&out, "# %s: %d", c.name, e.status)
		if e.retryAfter > 0 {
			fmt.Fprintf(&out, ", retry after %d", wholeSeconds(e.retryAfter))
		}
		if e.final {
			fmt.Fprint(&out, ", final")
		}
		for _, f := range []providers.Format{providers.OpenAIChat, providers.Anthropic, providers.Gemini} {
			body := errorBody(f, e, "req-1")
			require.NoError(t, peek.Valid(body))
			fmt.Fprintf(&out, "\n%s", body)
		}
		out.WriteString("\n\n")
	}
	golden(t, "errors.txt", out.Bytes())
}

func TestErrorBody_IsTheSameForBothFormatsOfOpenAI(t *testing.T) {
	t.Parallel()
	e := errModelNotFound("m")
	require.Equal(t, errorBody(providers.OpenAIChat, e, "r"), errorBody(providers.OpenAIResponses, e, "r"))
}

func TestTransportError_TellsNothingAboutTheNetwork(t *testing.T) {
	t.Parallel()
	e := transportError(errors.New("dial tcp 10.0.0.1:443: connection refused"))
	require.NotContains(t, string(errorBody(providers.OpenAIChat, e, "r")), "10.0.0.1")
	require.Contains(t, e.Error(), "10.0.0.1", "the log has it")
}

func TestErrorEvent_HasEachFormatsShape(t *testing.T) {
	var out bytes.Buffer
	e := transportError(errIdleTimeout)
	for _, f := range providers.AllFormats() {
		event := errorEvent(f, e, "req-1", progress{elements: 3, responseID: "resp_1", sequence: 7})
		var scanner sse.Scanner
		require.NoError(t, scanner.Feed(event, func(sse.Event) error { return nil }))
		require.True(t, scanner.AtBoundary())
		fmt.Fprintf(&out, "# %s\n%s", f, event)
	}
	fmt.Fprintf(&out, "# a Responses stream without an id\n%s", errorEvent(providers.OpenAIResponses, e, "req-1", progress{}))
	fmt.Fprintf(&out, "# an array with elements\n%s\n", errorElement(e, "req-1", progress{elements: 1}))
	fmt.Fprintf(&out, "# an array without\n%s\n", errorElement(e, "req-1", progress{}))
	golden(t, "stream_errors.txt", out.Bytes())
}

func TestWholeSeconds_RoundsUp(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]int64{
		0: 1, time.Millisecond: 1, time.Second: 1, time.Second + 1: 2, 90 * time.Second: 90,
	} {
		require.Equal(t, want, wholeSeconds(d), d)
	}
}
