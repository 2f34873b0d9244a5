package httpapi

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/actors"
	"github.com/understudyhq/understudy/providers"
)

func TestRecord_IsMadeOnceWhateverHappens(t *testing.T) {
	t.Parallel()
	panics := func() *fakePool {
		return newPool(func(*http.Request) (*http.Response, error) { panic("a transport's bug") })
	}
	refusing := func(err error) *fakePool {
		p := newPool()
		p.refuse = err
		return p
	}
	for _, e := range endpoints() {
		tests := map[string]struct {
			pool     *fakePool
			status   int
			err      string
			outcomes []providers.Kind
		}{
			"panic":      {panics(), 500, "internal_error", []providers.Kind{providers.GatewayBug}},
			"stopped":    {refusing(actors.ErrStopped), 503, "shutting_down", nil},
			"overloaded": {refusing(actors.ErrOverloaded), 503, "overloaded", nil},
			"broken off": {newPool(stream(errors.New("cut"), opening(e.format)...)), 200, "upstream_error", []providers.Kind{providers.Transient}},
			"failover":   {newPool(answer(500, "application/json", "{}"), goodStream(e.format)), 200, "", []providers.Kind{providers.Transient, providers.Success}},
		}
		for name, tt := range tests {
			w := send(newTestServer(tt.pool, live()), "POST", e.path, e.body, "X-Request-Id", "id")
			require.Equal(t, tt.status, w.Code, "%s %s", e.format, name)
			require.Len(t, tt.pool.records, 1, "%s %s", e.format, name)
			record := tt.pool.records[0]
			require.Equal(t, tt.status, record.Status)
			require.Equal(t, tt.err, record.Err, "%s %s", e.format, name)
			var outcomes []providers.Kind
			for _, a := range record.Attempts {
				outcomes = append(outcomes, a.Outcome)
			}
			require.Equal(t, tt.outcomes, outcomes, "%s %s", e.format, name)
		}
	}
}

func TestClip_KeepsWholeLetters(t *testing.T) {
	t.Parallel()
	require.Equal(t, "gpt-5.5", clip("gpt-5.5"))
	whole := strings.Repeat("x", maxNameBytes)
	require.Equal(t, whole, clip(whole))
	require.Equal(t, whole+"…", clip(whole+"y"))
	odd := clip("x" + strings.Repeat("ä", maxNameBytes))
	require.True(t, utf8.ValidString(odd))
	require.LessOrEqual(t, len(odd), maxNameBytes+len("…"))
}
