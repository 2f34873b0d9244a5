package providers_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/providers"
)

func TestClassify_NamesWhatWentWrongOnTheWay(t *testing.T) {
	t.Parallel()
	post := func(err error) error {
		return &url.Error{Op: "Post", URL: "https://upstream.example/v1?key=sk-hidden", Err: err}
	}
	tests := map[string]struct {
		err    error
		kind   providers.Kind
		reason string
	}{
		"client gone (CD28)": {post(context.Canceled), providers.Canceled, "client went away"},
		"deadline":           {post(context.DeadlineExceeded), providers.Transient, "timeout"},
		"socket timeout":     {post(&net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}), providers.Transient, "timeout"},
		"refused":            {post(&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}), providers.Transient, "connect failed"},
		"reset":              {post(&net.OpError{Op: "read", Err: syscall.ECONNRESET}), providers.Transient, "connection reset"},
		"broken pipe":        {post(syscall.EPIPE), providers.Transient, "connection reset"},
		"proxy refuses":      {post(&net.OpError{Op: "proxyconnect", Net: "tcp", Err: errors.New("secret")}), providers.Transient, "proxy failed"},
		"socks refuses":      {post(&net.OpError{Op: "socks connect", Net: "tcp", Err: errors.New("secret")}), providers.Transient, "proxy failed"},
		"unknown authority":  {post(&tls.CertificateVerificationError{Err: errors.New("who")}), providers.Transient, "certificate not trusted"},
		"no such host":       {post(&net.OpError{Op: "dial", Err: &net.DNSError{Name: "upstream.example", IsNotFound: true}}), providers.Transient, "host not found"},
		// An answer that is empty is trouble of the upstream, also if the connection ends with it.
		"end of file without status (CD29)": {post(io.EOF), providers.Transient, "connection closed early"},
		"cut short":                         {fmt.Errorf("read body: %w", io.ErrUnexpectedEOF), providers.Transient, "connection closed early"},
		"anything else":                     {errors.New("malformed sk-hidden"), providers.Transient, "broken answer"},
		"nothing whatsoever (CD22)":         {nil, providers.Transient, "no answer"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := providers.Outcome{Kind: tt.kind, Reason: tt.reason}
			require.Equal(t, want, providers.Classify(providers.Answer{Err: tt.err}, nil))
			if tt.err != nil {
				want.Status = 200
				require.Equal(t, want, providers.Classify(providers.Answer{Status: 200, Err: tt.err}, nil))
			}
		})
	}
}

func TestClassify_TrustsAFailingStatusMoreThanABrokenBody(t *testing.T) {
	t.Parallel()
	o := providers.Classify(providers.Answer{Status: 429, Header: header("Retry-After: 9"), Err: io.ErrUnexpectedEOF}, nil)
	require.Equal(t, providers.Outcome{Kind: providers.RateLimited, Status: 429, RetryAfter: 9 * time.Second, Reason: "429"}, o)
	o = providers.Classify(providers.Answer{Status: 429, Err: context.Canceled}, nil)
	require.Equal(t, providers.Canceled, o.Kind)
}

func TestClassify_JudgesEveryStatus(t *testing.T) {
	t.Parallel()
	want := map[int]providers.Kind{
		101: providers.Success, 200: providers.Success, 299: providers.Success,
		401: providers.Unauthorized, 402: providers.OutOfFunds, 403: providers.Forbidden,
		407: providers.Transient, 408: providers.Transient, 421: providers.Transient, 425: providers.Transient,
		429: providers.RateLimited, 499: providers.Transient, 529: providers.Overloaded,
	}
	call := providers.Call{Operation: providers.CountTokens, Model: "m"}
	for status := 100; status < 600; status++ {
		kind, ok := want[status]
		switch {
		case ok:
		case status >= 200 && status < 300:
			kind = providers.Success
		case status >= 400 && status < 500:
			kind = providers.RequestFault
		default:
			kind = providers.Transient
		}
		require.Equal(t, kind, providers.Classify(providers.Answer{Call: call, Status: status}, nil).Kind, "status %d", status)
	}
}

func TestClassify_WeighsTheCodeAgainstTheStatus(t *testing.T) {
	t.Parallel()
	tests := []struct {
		status     int
		code, want providers.Kind
	}{
		{402, providers.RequestFault, providers.OutOfFunds},
		{429, providers.OutOfFunds, providers.OutOfFunds},
		{403, providers.OutOfFunds, providers.OutOfFunds},
		{400, providers.WindowExhausted, providers.WindowExhausted},
		{429, providers.RequestFault, providers.RateLimited},
		{429, providers.Overloaded, providers.RateLimited},
		{401, providers.RequestFault, providers.Unauthorized},
		{400, providers.Unauthorized, providers.Unauthorized},
		{529, providers.RateLimited, providers.Overloaded},
		{403, providers.RequestFault, providers.RequestFault},
		{403, providers.ModelUnsupported, providers.Forbidden},
		{404, providers.RequestFault, providers.RequestFault},
		{422, providers.ModelUnsupported, providers.ModelUnsupported},
		{400, providers.RateLimited, providers.RateLimited},
		{500, providers.RequestFault, providers.Transient},
		{500, providers.ModelUnsupported, providers.Transient},
		{503, providers.Overloaded, providers.Overloaded},
		{500, providers.RateLimited, providers.RateLimited},
	}
	for _, tt := range tests {
		read := func(providers.Answer) providers.Signals { return providers.Signals{Kind: tt.code, Code: "code"} }
		o := providers.Classify(providers.Answer{Status: tt.status}, read)
		require.Equal(t, tt.want, o.Kind, "%d with a code for %s", tt.status, tt.code)
		// The same in a stream, where the body names the status.
		status := tt.status
		read = func(providers.Answer) providers.Signals { return providers.Signals{Kind: tt.code, Status: status} }
		o = providers.Classify(providers.Answer{Status: 200, Body: []byte("{}")}, read)
		require.Equal(t, tt.want, o.Kind, "%d in a stream with a code for %s", tt.status, tt.code)
		require.Equal(t, 200, o.Status)
	}
}

func TestClassify_TellsModelsFromRequestsByTheText(t *testing.T) {
	t.Parallel()
	unsupported, fault := providers.ModelUnsupported, providers.RequestFault
	tests := []struct {
		status  int
		message string
		want    providers.Kind
	}{
		{404, "The model `o3` was retired.", unsupported},
		{404, "models/o3 is not found for API version v1beta", unsupported},
		{404, "Unknown proto3 message", fault},
		{404, "o3-mini is a model", fault},
		{404, "No such model.", unsupported},
		{404, "File not found", fault},
		{404, "o3 is only served by the responses endpoint", fault},
		{400, "The 'o3' model is not supported when using this kind of account.", unsupported},
		{400, "The requested model does not exist.", unsupported},
		{422, "Your team does not have access to the model 'o3'.", unsupported},
		{400, "Model o3 is not available in your region", unsupported},
		{400, "Unsupported parameter: 'seed' is not supported with this model.", fault},
		{400, "The file 'model.txt' does not exist.", fault},
		{400, "o3 does not support images.", fault},
		{400, "o3: the tool in messages[1] is unknown", fault},
		{400, "This model is not available to this account.", unsupported},
		{422, "o3 is not supported for this account", unsupported},
		{400, "The parameter is not supported for this model.", fault},
		{409, "The model o3 does not exist.", fault},
		{400, "Bad input: " + strings.Repeat("x", 512) + " the model does not exist", fault},
	}
	for _, tt := range tests {
		read := func(providers.Answer) providers.Signals { return providers.Signals{Message: tt.message} }
		call := providers.Call{Operation: providers.Generate, Model: "o3"}
		require.Equal(t, tt.want, providers.Classify(providers.Answer{Call: call, Status: tt.status}, read).Kind, tt.message)
	}
}

func TestClassify_KnowsALoginThatHasEnded(t *testing.T) {
	t.Parallel()
	tests := map[string]providers.Kind{ // CD19
		`{"error":"invalid_grant","error_description":"expired"}`:                     providers.Unauthorized,
		`{"error":{"code":"invalid_grant","message":"expired"}}`:                      providers.Unauthorized,
		`{"error":{"type":"invalid_grant"}}`:                                          providers.Unauthorized,
		`{"error":{"status":"invalid_grant"}}`:                                        providers.Unauthorized,
		`{"error":{"type":"api_error","message":"invalid_grant: account not found"}}`: providers.Unauthorized,
		`{"error":{"message":"messages[0]: \"invalid_grant\" is no content type"}}`:   providers.RequestFault,
		`{"error":"invalid_grant_type"}`:                                              providers.RequestFault,
		`{"message":"invalid_grant"}`:                                                 providers.RequestFault,
	}
	for body, want := range tests {
		o := providers.Classify(providers.Answer{Status: 400, Body: []byte(body)}, nil)
		require.Equal(t, want, o.Kind, body)
		if want == providers.Unauthorized {
			require.Equal(t, providers.ScopeCredential, o.Scope, body)
			require.Equal(t, "400 invalid_grant", o.Reason, body)
		}
	}
	read := func(providers.Answer) providers.Signals { return providers.Signals{Kind: providers.OutOfFunds} }
	o := providers.Classify(providers.Answer{Status: 400, Body: []byte(`{"error":"invalid_grant"}`)}, read)
	require.Equal(t, providers.OutOfFunds, o.Kind, "an adapter knows better")
}

func TestClassify_IgnoresLimitsThatDidNotRefuse(t *testing.T) {
	t.Parallel()
	limits := header("X-Ratelimit-Remaining-Tokens: 0", "X-Ratelimit-Reset-Tokens: 50s")
	for status, want := range map[int]time.Duration{429: 50 * time.Second, 500: 0, 503: 0, 529: 0, 402: 0, 401: 0, 403: 0, 400: 0} {
		o := providers.Classify(providers.Answer{Status: status, Header: limits, Now: now}, nil)
		require.Equal(t, want, o.RetryAfter, "status %d", status)
	}
	limits.Set("Retry-After", "8")
	for status, want := range map[int]time.Duration{429: 8 * time.Second, 503: 8 * time.Second, 529: 8 * time.Second, 401: 0, 400: 0} {
		o := providers.Classify(providers.Answer{Status: status, Header: limits, Now: now}, nil)
		require.Equal(t, want, o.RetryAfter, "status %d", status)
	}
}

func TestClassify_BoundsAnAdaptersHint(t *testing.T) {
	t.Parallel()
	for hint, want := range map[time.Duration]time.Duration{400 * 24 * time.Hour: month, -time.Hour: 0, time.Hour: time.Hour} {
		read := func(providers.Answer) providers.Signals {
			return providers.Signals{Kind: providers.WindowExhausted, Scope: providers.ScopeAccount, RetryAfter: hint}
		}
		o := providers.Classify(providers.Answer{Status: http.StatusTooManyRequests}, read)
		require.Equal(t, want, o.RetryAfter)
		require.Equal(t, providers.ScopeAccount, o.Scope)
	}
}

func TestOutcome_IsRetryableUnlessNobodyElseHelps(t *testing.T) {
	t.Parallel()
	final := []providers.Kind{providers.Success, providers.RequestFault, providers.Canceled, providers.GatewayBug}
	for _, k := range final {
		require.False(t, providers.Outcome{Kind: k}.Retryable(), k)
	}
	require.True(t, providers.Outcome{Kind: providers.RequestFault, Then: providers.ThenNext}.Retryable())
	require.False(t, providers.Outcome{Kind: providers.Transient, Then: providers.ThenStop}.Retryable())
	for _, k := range []providers.Kind{
		providers.ModelUnsupported, providers.RateLimited, providers.WindowExhausted, providers.OutOfFunds,
		providers.Unauthorized, providers.Forbidden, providers.Overloaded, providers.Transient,
	} {
		require.True(t, providers.Outcome{Kind: k}.Retryable(), k)
	}
}
