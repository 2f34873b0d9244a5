package fault_test

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
	"github.com/understudyhq/understudy/http/fault"
	"github.com/understudyhq/understudy/http/tap"
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
		{"unknown model with quotes", fault.OfAcquire(&actors.UnknownModelError{Model: `a"b`}, now)},
		{"other formats only", fault.OfAcquire(&actors.FormatError{Model: "m", Formats: []providers.Format{providers.Anthropic, providers.Gemini}}, now)},
		{"cooling down, one provider", fault.OfAcquire(&actors.NoCredentialError{Model: "m", Provider: "p", RetryAfter: 1500 * time.Millisecond}, now)},
		{"cooling down, several providers", fault.OfAcquire(&actors.NoCredentialError{Model: "m", RetryAfter: time.Minute}, now)},
		{"nobody without a time", fault.OfAcquire(&actors.NoCredentialError{Model: "m", Reasons: map[string]int{"unauthorized": 1, "disabled": 2}}, now)},
		{"busy", fault.OfAcquire(&actors.NoCredentialError{Model: "m", RetryAfter: time.Hour, Reasons: map[string]int{"resting:rate-limited": 1, "saturated": 2}}, now)},
		{"stopped", fault.OfAcquire(actors.ErrStopped, now)},
		{"overloaded", fault.OfAcquire(actors.ErrOverloaded, now)},
		{"deadline", fault.OfAcquire(context.DeadlineExceeded, now)},
		{"unexpected", fault.OfAcquire(errors.New("boom"), now)},
		{"first byte timeout", fault.OfAttempt(fault.ErrFirstByteTimeout)},
		{"idle timeout", fault.OfAttempt(fault.ErrIdleTimeout)},
		{"dial timeout", fault.OfAttempt(&net.DNSError{IsTimeout: true, Err: "10.0.0.1 timed out"})},
		{"connection refused", fault.OfAttempt(errors.New("dial tcp 10.0.0.1:443: connection refused"))},
		{"empty answer", fault.OfAttempt(fault.ErrEmptyAnswer)},
		{"malformed answer", fault.OfAttempt(fmt.Errorf("%w: %w", fault.ErrMalformedAnswer, peek.ErrNotJSON))},
		{"bad request", fault.BadRequest("invalid_json", `Not "JSON".`, nil)},
		{"bad parameter", &fault.Error{Status: 400, Code: "missing_model", Message: "No model.", Param: "model", Final: true}},
		{"wrong key", &fault.Error{Status: 401, Code: "invalid_api_key", Message: "Wrong.", Final: true}},
		{"wrong method", &fault.Error{Status: 405, Code: "method_not_allowed", Message: "Wrong.", Final: true}},
		{"too large", fault.TooLarge(10)},
	}
}

func TestBody_HasEachFormatsShape(t *testing.T) {
	var out bytes.Buffer
	for _, c := range conditions() {
		e := fault.As(c.err)
		fmt.Fprintf(&out, "# %s: %d", c.name, e.Status)
		if e.RetryAfter > 0 {
			fmt.Fprintf(&out, ", retry after %d", fault.WholeSeconds(e.RetryAfter))
		}
		if e.Final {
			fmt.Fprint(&out, ", final")
		}
		for _, f := range []providers.Format{providers.OpenAIChat, providers.Anthropic, providers.Gemini} {
			body := fault.Body(f, e, "req-1")
			require.NoError(t, peek.Valid(body))
			fmt.Fprintf(&out, "\n%s", body)
		}
		out.WriteString("\n\n")
	}
	golden(t, "errors.txt", out.Bytes())
}

func TestBody_IsTheSameForBothFormatsOfOpenAI(t *testing.T) {
	t.Parallel()
	e := fault.ModelNotFound("m")
	require.Equal(t, fault.Body(providers.OpenAIChat, e, "r"), fault.Body(providers.OpenAIResponses, e, "r"))
}

func TestOfAttempt_TellsNothingAboutTheNetwork(t *testing.T) {
	t.Parallel()
	e := fault.OfAttempt(errors.New("dial tcp 10.0.0.1:443: connection refused"))
	require.NotContains(t, string(fault.Body(providers.OpenAIChat, e, "r")), "10.0.0.1")
	require.Contains(t, e.Error(), "10.0.0.1", "the log has it")
}

func TestEvent_HasEachFormatsShape(t *testing.T) {
	var out bytes.Buffer
	e := fault.OfAttempt(fault.ErrIdleTimeout)
	for _, f := range providers.AllFormats() {
		event := fault.Event(f, e, "req-1", tap.Progress{Elements: 3, ResponseID: "resp_1", Sequence: 7})
		var scanner sse.Scanner
		require.NoError(t, scanner.Feed(event, func(sse.Event) error { return nil }))
		require.True(t, scanner.AtBoundary())
		fmt.Fprintf(&out, "# %s\n%s", f, event)
	}
	fmt.Fprintf(&out, "# a Responses stream without an id\n%s", fault.Event(providers.OpenAIResponses, e, "req-1", tap.Progress{}))
	fmt.Fprintf(&out, "# an array with elements\n%s\n", fault.Element(e, "req-1", tap.Progress{Elements: 1}))
	fmt.Fprintf(&out, "# an array without\n%s\n", fault.Element(e, "req-1", tap.Progress{}))
	golden(t, "stream_errors.txt", out.Bytes())
}

func TestWholeSeconds_RoundsUp(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]int64{
		0: 1, time.Millisecond: 1, time.Second: 1, time.Second + 1: 2, 90 * time.Second: 90,
	} {
		require.Equal(t, want, fault.WholeSeconds(d), d)
	}
}
