package sdk_test

import (
	"context"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/providers"
)

// fillFirst makes the credentials' order that in which they are tried.
func fillFirst(c *config.Config) { c.Routing.Strategy = config.FillFirst }

// failing are faults that show before the first byte of an answer, one per credential, and
// how the gateway is to take them.
func failing() (faults [][]config.Fault, outcomes []providers.Kind) {
	table := []struct {
		fault   config.Fault
		outcome providers.Kind
	}{
		{config.Fault{Status: http.StatusInternalServerError}, providers.Transient},
		{config.Fault{Status: http.StatusTooManyRequests, Headers: map[string]string{"Retry-After": "60"}}, providers.RateLimited},
		{config.Fault{Status: http.StatusUnauthorized}, providers.Unauthorized},
		{config.Fault{Status: http.StatusServiceUnavailable}, providers.Overloaded},
	}
	for _, row := range table {
		faults = append(faults, []config.Fault{row.fault})
		outcomes = append(outcomes, row.outcome)
	}
	return faults, outcomes
}

func TestFailover_IsUnseenBySDKs(t *testing.T) {
	t.Parallel()
	faults, outcomes := failing()
	s := setup{faults: faults, change: fillFirst}
	inEveryWay(t, ways(), s, func(t *testing.T, g *gateway, w way) {
		reply, err := w.say(t.Context(), g.client, w.model, "echo: all the world")
		require.NoError(t, err)
		require.Equal(t, "all the world", reply.text)
		require.Equal(t, slices.Concat(outcomes, []providers.Kind{providers.Success}), g.outcomes(t, len(outcomes)+1))

		again, err := w.say(t.Context(), g.client, w.model, "echo: all the world")
		require.NoError(t, err)
		require.Equal(t, "all the world", again.text)
		require.Equal(t, []providers.Kind{providers.Success}, g.outcomes(t, 1), "the others rest")
	})
}

// TestFailover_ReachesBehindWhatSaysNothingYet: a plain answer is held back until it is
// whole, and so is the opening of a stream. An upstream that breaks off there has not
// answered.
func TestFailover_ReachesBehindWhatSaysNothingYet(t *testing.T) {
	t.Parallel()
	s := setup{faults: [][]config.Fault{{{CutAfter: 1}}, {{CutAfter: 1}}}, change: fillFirst}
	for _, w := range ways() {
		t.Run(string(w.sdk)+" "+w.method, func(t *testing.T) {
			t.Parallel()
			some := slices.DeleteFunc(upstreams(w.format), func(u upstream) bool { return w.stream && !u.opens() })
			onSome(t, some, s, func(t *testing.T, g *gateway) {
				reply, err := w.say(t.Context(), g.client, w.model, "echo: all the world")
				require.NoError(t, err)
				require.Equal(t, "all the world", reply.text)
				require.Equal(t, []providers.Kind{providers.Transient, providers.Transient, providers.Success}, g.outcomes(t, 3))
			})
		})
	}
}

func TestFailover_NeverPassesACutStreamOffAsWhole(t *testing.T) {
	t.Parallel()
	const whole = "all the world is a stage and all the men and women merely players"
	s := setup{faults: everywhere(config.Fault{CutAfter: 9})}
	inEveryWay(t, streams(), s, func(t *testing.T, g *gateway, w way) {
		reply, err := w.say(t.Context(), g.client, w.model, "echo: "+whole)
		refused, typed := w.sdk.understand(err)
		require.True(t, typed, "the stream has to tell its own end: %v", err)
		if refused.code != "" { // not every SDK shows it
			require.Equal(t, "upstream_error", refused.code)
		}
		require.NotEmpty(t, reply.text)
		require.NotEqual(t, whole, reply.text)
		require.Contains(t, whole, reply.text)
		require.Equal(t, []providers.Kind{providers.Transient}, g.outcomes(t, 1), "no second try after the first byte")
	})
}

// TestStream_EndsUpstreamWhenItsClientGoes: an SDK that is canceled drops its connection. The
// upstream call ends with it, though it has minutes to go.
func TestStream_EndsUpstreamWhenItsClientGoes(t *testing.T) {
	t.Parallel()
	inEveryWay(t, streams(), setup{}, func(t *testing.T, g *gateway, w way) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		c := g.observed(func(*http.Response) { cancel() })
		_, err := w.say(ctx, c, w.model, "[[words=10000]] [[chunk=50ms]]")
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, []providers.Kind{providers.Canceled}, g.outcomes(t, 1))
	})
}

// TestStream_MayFallSilent: what the gateway sends to keep a silent connection open means
// nothing to an SDK.
func TestStream_MayFallSilent(t *testing.T) {
	t.Parallel()
	eager := setup{change: func(c *config.Config) { c.Streaming.Keepalive = time.Millisecond }}
	inEveryWay(t, streams(), eager, func(t *testing.T, g *gateway, w way) {
		reply, err := w.say(t.Context(), g.client, w.model, "[[chunk=50ms]] echo: all the world")
		require.NoError(t, err)
		require.Equal(t, "all the world", reply.text)
	})
}
