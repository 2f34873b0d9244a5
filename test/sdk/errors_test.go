package sdk_test

import (
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/anthropics/anthropic-sdk-go/option"
	openaioption "github.com/openai/openai-go/v3/option"
	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/config"
)

// trouble is a condition in which a request fails, and what each SDK is to see of it.
type trouble struct {
	name  string
	setup setup
	key   string // empty = the right one
	model string // empty = one that exists
	// before is how many requests precede the one that counts.
	before    int
	openAI    refusal
	anthropic refusal
	genai     refusal
	// final says that the answer tells SDKs not to try again.
	final bool
	// waits says that the answer tells when to try again: after this many seconds, or a
	// tenth more.
	waits int
}

func troubles() []trouble {
	limited := setup{faults: everywhere(config.Fault{
		Status: http.StatusTooManyRequests, Headers: map[string]string{"Retry-After": "60"},
	})}
	return []trouble{
		{
			name: "wrong client key", key: "wrong", final: true,
			openAI:    refusal{401, "authentication_error", "invalid_api_key"},
			anthropic: refusal{401, "authentication_error", ""},
			genai:     refusal{401, "UNAUTHENTICATED", "invalid_api_key"},
		},
		{
			name: "unknown model", model: "unknown", final: true,
			openAI:    refusal{404, "invalid_request_error", "model_not_found"},
			anthropic: refusal{404, "not_found_error", ""},
			genai:     refusal{404, "NOT_FOUND", "model_not_found"},
		},
		{
			name: "every credential is rate limited", setup: limited, waits: 60,
			openAI:    refusal{429, "rate_limit_error", "rate_limit_exceeded"}, // the upstream's own words
			anthropic: refusal{429, "rate_limit_error", ""},
			genai:     refusal{429, "RESOURCE_EXHAUSTED", ""},
		},
		{
			name: "every credential rests", setup: limited, before: 1, waits: 60,
			openAI:    refusal{429, "rate_limit_error", "model_cooldown"},
			anthropic: refusal{429, "rate_limit_error", ""},
			genai:     refusal{429, "RESOURCE_EXHAUSTED", "model_cooldown"},
		},
		{
			name: "every credential answers 500", setup: setup{faults: everywhere(config.Fault{Status: http.StatusInternalServerError})},
			openAI:    refusal{500, "server_error", ""},
			anthropic: refusal{500, "api_error", ""},
			genai:     refusal{500, "INTERNAL", ""},
		},
		{
			name: "every credential is disabled", setup: setup{change: disableAll}, final: true,
			openAI:    refusal{503, "server_error", "no_credential_available"},
			anthropic: refusal{503, "api_error", ""},
			genai:     refusal{503, "UNAVAILABLE", "no_credential_available"},
		},
	}
}

func disableAll(c *config.Config) {
	for i := range c.Providers {
		for j := range c.Providers[i].Credentials {
			c.Providers[i].Credentials[j].Disabled = true
		}
	}
}

// seenBy returns what a way's SDK is to see.
func (tr trouble) seenBy(w way) refusal {
	switch sdk, _, _ := strings.Cut(w.name, " "); sdk {
	case "openai":
		return tr.openAI
	case "anthropic":
		return tr.anthropic
	default:
		return tr.genai
	}
}

func TestErrors_AreTypedInEverySDK(t *testing.T) {
	t.Parallel()
	for _, tr := range troubles() {
		for _, w := range ways() {
			t.Run(tr.name+"/"+w.name, func(t *testing.T) {
				t.Parallel()
				onEveryUpstream(t, tr.setup, func(t *testing.T, g *gateway) { tr.check(t, g, w) })
			})
		}
	}
}

func (tr trouble) check(t *testing.T, g *gateway, w way) {
	t.Helper()
	var header http.Header
	c := g.observed(func(r *http.Response) { header = r.Header.Clone() })
	if tr.key != "" {
		c = c.withKey(tr.key)
	}
	model := w.model
	if tr.model != "" {
		model = tr.model
	}
	for range tr.before {
		_, err := w.say(t.Context(), c, model, "all the world")
		require.Error(t, err)
	}
	_, err := w.say(t.Context(), c, model, "all the world")
	refused, typed := w.understand(err)
	require.True(t, typed, "%v", err)
	require.Equal(t, tr.seenBy(w), refused)
	require.NotEmpty(t, header.Get("X-Request-Id"))
	if tr.final {
		require.Equal(t, "false", header.Get("X-Should-Retry"))
	} else {
		require.Empty(t, header.Get("X-Should-Retry"))
	}
	if tr.waits > 0 {
		seconds, err := strconv.Atoi(header.Get("Retry-After"))
		require.NoError(t, err)
		require.GreaterOrEqual(t, seconds, tr.waits-1)
		require.LessOrEqual(t, seconds, tr.waits+tr.waits/10)
	}
}

// TestErrors_ThatAreFinalAreNotTriedAgain: left alone, these SDKs try a 503 three times.
func TestErrors_ThatAreFinalAreNotTriedAgain(t *testing.T) {
	t.Parallel()
	sdks := map[string]func(*testing.T, client) error{
		"openai": func(t *testing.T, c client) error {
			sdk := c.openAI(openaioption.WithMaxRetries(2))
			_, err := sdk.Chat.Completions.New(t.Context(), chatParams(openAIModel, []string{"all the world"}))
			return err
		},
		"anthropic": func(t *testing.T, c client) error {
			sdk := c.anthropic(option.WithMaxRetries(2))
			_, err := sdk.Messages.New(t.Context(), messageParams(claudeModel, []string{"all the world"}))
			return err
		},
	}
	for name, call := range sdks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEveryUpstream(t, setup{change: disableAll}, func(t *testing.T, g *gateway) {
				var calls atomic.Int64
				err := call(t, g.observed(func(r *http.Response) {
					calls.Add(1)
					require.Equal(t, http.StatusServiceUnavailable, r.StatusCode)
				}))
				require.Error(t, err)
				require.EqualValues(t, 1, calls.Load())
			})
		})
	}
}
