package sdk_test

import (
	"context"
	"net/http"
	"strconv"
	"testing"

	"github.com/anthropics/anthropic-sdk-go/option"
	openaioption "github.com/openai/openai-go/v3/option"
	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/providers"
)

// trouble is a condition in which a request fails.
type trouble struct {
	name  string
	setup setup
	key   string // empty = the right one
	model string // empty = one that exists
	// before is how many requests precede the one that counts.
	before int
	// seen is what each SDK is to see, whatever the upstream speaks.
	seen map[sdk]refusal
	says string // a part of the message
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
			seen: map[sdk]refusal{
				openAISDK:    {401, "authentication_error", "invalid_api_key", ""},
				anthropicSDK: {401, "authentication_error", "", ""},
				genaiSDK:     {401, "UNAUTHENTICATED", "invalid_api_key", ""},
			},
		},
		{
			name: "unknown model", model: "unknown", final: true,
			seen: map[sdk]refusal{
				openAISDK:    {404, "invalid_request_error", "model_not_found", ""},
				anthropicSDK: {404, "not_found_error", "", ""},
				genaiSDK:     {404, "NOT_FOUND", "model_not_found", ""},
			},
		},
		{
			name: "every credential is rate limited", setup: limited, waits: 60,
			seen: map[sdk]refusal{
				openAISDK:    {429, "rate_limit_error", "rate_limit_exceeded", ""}, // the upstream's own words
				anthropicSDK: {429, "rate_limit_error", "", ""},
				genaiSDK:     {429, "RESOURCE_EXHAUSTED", "", ""},
			},
		},
		{
			name: "every credential rests", setup: limited, before: 1, waits: 60,
			seen: map[sdk]refusal{
				openAISDK:    {429, "rate_limit_error", "model_cooldown", ""},
				anthropicSDK: {429, "rate_limit_error", "", ""},
				genaiSDK:     {429, "RESOURCE_EXHAUSTED", "model_cooldown", ""},
			},
		},
		{
			name: "every credential answers 500", setup: answering(http.StatusInternalServerError), says: "500",
			seen: map[sdk]refusal{
				openAISDK:    {500, "server_error", "", ""},
				anthropicSDK: {500, "api_error", "", ""},
				genaiSDK:     {500, "INTERNAL", "", ""},
			},
		},
		{
			name: "every credential answers 402", setup: answering(http.StatusPaymentRequired), says: "402",
			seen: map[sdk]refusal{
				openAISDK:    {402, "insufficient_quota", "insufficient_quota", ""},
				anthropicSDK: {402, "billing_error", "", ""},
				genaiSDK:     {402, "FAILED_PRECONDITION", "", ""},
			},
		},
		{
			name: "every credential answers 403", setup: answering(http.StatusForbidden), says: "403",
			seen: map[sdk]refusal{
				openAISDK:    {403, "invalid_request_error", "", ""},
				anthropicSDK: {403, "permission_error", "", ""},
				genaiSDK:     {403, "PERMISSION_DENIED", "", ""},
			},
		},
		{
			name: "the request is refused", setup: answering(http.StatusConflict), says: "409", final: true,
			seen: map[sdk]refusal{
				openAISDK:    {409, "invalid_request_error", "", ""},
				anthropicSDK: {409, "invalid_request_error", "", ""},
				genaiSDK:     {409, "ABORTED", "", ""},
			},
		},
		{
			name: "every credential answers 529", setup: answering(529), says: "529",
			seen: map[sdk]refusal{
				openAISDK:    {529, "service_unavailable_error", "server_is_overloaded", ""},
				anthropicSDK: {529, "overloaded_error", "", ""},
				genaiSDK:     {529, "UNAVAILABLE", "", ""},
			},
		},
		{
			name: "every credential is disabled", setup: setup{change: disableAll}, final: true,
			seen: map[sdk]refusal{
				openAISDK:    {503, "server_error", "no_credential_available", ""},
				anthropicSDK: {503, "api_error", "", ""},
				genaiSDK:     {503, "UNAVAILABLE", "no_credential_available", ""},
			},
		},
	}
}

// answering makes every credential answer with a status.
func answering(status int) setup { return setup{faults: everywhere(config.Fault{Status: status})} }

func disableAll(c *config.Config) {
	for i := range c.Providers {
		for j := range c.Providers[i].Credentials {
			c.Providers[i].Credentials[j].Disabled = true
		}
	}
}

func TestErrors_AreTypedInEverySDK(t *testing.T) {
	t.Parallel()
	for _, tr := range troubles() {
		t.Run(tr.name, func(t *testing.T) {
			t.Parallel()
			inEveryWay(t, ways(), tr.setup, tr.check)
		})
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
	refused, typed := w.sdk.understand(err)
	require.True(t, typed, "%v", err)
	require.Contains(t, refused.message, tr.says)
	refused.message = ""
	require.Equal(t, tr.wanted(w.sdk, g.upstream.format), refused)
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

// wanted is what an SDK is to see at an upstream that speaks f. OpenAI's upstreams tell codes,
// which are passed on to those SDKs that show one.
func (tr trouble) wanted(s sdk, f providers.Format) refusal {
	r := tr.seen[s]
	if s == genaiSDK && r.code == "" && (f == providers.OpenAIChat || f == providers.OpenAIResponses) {
		r.code = tr.seen[openAISDK].code
	}
	return r
}

// TestErrors_ThatAreFinalAreNotTriedAgain: left alone, these SDKs try a 503 three times.
func TestErrors_ThatAreFinalAreNotTriedAgain(t *testing.T) {
	t.Parallel()
	calls := map[sdk]func(context.Context, client) error{
		openAISDK: func(ctx context.Context, c client) error {
			sdk := c.openAI(openaioption.WithMaxRetries(2))
			_, err := sdk.Chat.Completions.New(ctx, chatParams(openAIModel, []string{"all the world"}))
			return err
		},
		anthropicSDK: func(ctx context.Context, c client) error {
			sdk := c.anthropic(option.WithMaxRetries(2))
			_, err := sdk.Messages.New(ctx, messageParams(claudeModel, []string{"all the world"}))
			return err
		},
	}
	formats := map[sdk]providers.Format{openAISDK: providers.OpenAIChat, anthropicSDK: providers.Anthropic}
	for sdk, call := range calls {
		t.Run(string(sdk), func(t *testing.T) {
			t.Parallel()
			onEveryUpstream(t, formats[sdk], setup{change: disableAll}, func(t *testing.T, g *gateway) {
				var statuses []int
				err := call(t.Context(), g.observed(func(r *http.Response) { statuses = append(statuses, r.StatusCode) }))
				require.Error(t, err)
				require.Equal(t, []int{http.StatusServiceUnavailable}, statuses)
			})
		})
	}
}
