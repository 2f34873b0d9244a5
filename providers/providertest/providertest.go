// Package providertest is the conformance suite that every provider adapter passes: the
// contract of providers.Provider and, where a vendor lists its models, of providers.Lister as
// tests.
package providertest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/providers"
)

// secret is the credential the suite uses; it must not show up anywhere.
const secret = "sk-conformance-0123456789"

// Case describes one adapter: what it should do where vendors differ.
type Case struct {
	Provider providers.Provider
	// Formats are the adapter's defaults, in order.
	Formats []providers.Format
	// URLs is everything the adapter serves. Every other combination of a format and an
	// operation has to be unsupported. ListModels counts for all formats.
	URLs []URL
	// Header and Value are what Authorize sets for Secret.
	Header, Value string
	// ModelList is a page of the vendor's list; ModelNames and NextPage what is in it. Empty
	// = the vendor has no list, and the adapter must not be a providers.Lister.
	ModelList  string
	ModelNames []string
	NextPage   string
}

// URL is one line of an adapter's URL table.
type URL struct {
	Call providers.Call
	// Path is what follows the base URL, in escaped form.
	Path string
}

// Secret is the secret that Authorize is tested with.
func Secret() providers.Secret { return providers.NewSecret(secret) }

// Run tests the adapter of c.
func Run(t *testing.T, c Case) {
	t.Helper()
	tests := []struct {
		name string
		run  func(*testing.T)
	}{
		{"lists its formats", c.testFormats},
		{"serves its URL table", c.testURLs},
		{"refuses every other operation", c.testUnsupported},
		{"keeps ids below their collection", c.testResources},
		{"authorizes with one header", c.testAuthorize},
		{"classifies by status", c.testStatuses},
		{"classifies what went wrong on the way", c.testErrors},
		{"never panics on a body", c.testBodies},
		{"reads its model list", c.testModelList},
		{"shows no secret", c.testSecrecy},
		{"is safe for concurrent use", c.testConcurrency},
	}
	for _, tt := range tests {
		t.Run(tt.name, tt.run)
	}
}

func (c Case) testFormats(t *testing.T) {
	require.Equal(t, c.Formats, c.Provider.Formats())
	for _, f := range c.Formats {
		require.Contains(t, providers.AllFormats(), f)
	}
	c.Provider.Formats()[0] = "changed by a caller"
	require.Equal(t, c.Formats, c.Provider.Formats(), "callers share no list")
}

func (c Case) testURLs(t *testing.T) {
	bases := []struct{ base, prefix string }{
		{"https://upstream.example/some/v1", "https://upstream.example/some/v1"},
		{"https://upstream.example/some/v1/", "https://upstream.example/some/v1"},
		{"http://127.0.0.1:8080", "http://127.0.0.1:8080"},
		{"http://[::1]:8080/", "http://[::1]:8080"},
		{"https://upstream.example/a%2Fb/v1", "https://upstream.example/a%2Fb/v1"},
	}
	for _, b := range bases {
		for _, u := range c.URLs {
			base := mustParse(t, b.base)
			call := u.Call
			require.Equal(t, b.prefix+u.Path, c.mustURL(t, base, call), "%+v", call)
			call.Query = "b=2&a=%31&alt=sse&&x"
			require.Equal(t, b.prefix+u.Path+"?"+call.Query, c.mustURL(t, base, call), "query passes byte for byte")
			require.Equal(t, mustParse(t, b.base), base, "base is not modified")
		}
	}
	versioned := mustParse(t, "https://upstream.example/v1?api-version=7")
	call := c.URLs[0].Call
	require.Equal(t, "https://upstream.example/v1"+c.URLs[0].Path+"?api-version=7", c.mustURL(t, versioned, call))
	call.Query = "a=1"
	require.Equal(t, "https://upstream.example/v1"+c.URLs[0].Path+"?api-version=7&a=1", c.mustURL(t, versioned, call))
}

func (c Case) mustURL(t *testing.T, base *url.URL, call providers.Call) string {
	t.Helper()
	u, err := c.Provider.URL(base, call)
	require.NoError(t, err, "%+v", call)
	return u.String()
}

func (c Case) testUnsupported(t *testing.T) {
	base := mustParse(t, "https://upstream.example")
	operations := []providers.Operation{
		providers.Generate, providers.Complete, providers.Embed, providers.BatchEmbed,
		providers.CountTokens, providers.Compact, providers.ListModels, providers.Retrieve,
		providers.Delete, providers.Cancel, providers.ListInput, "unheard-of",
	}
	for _, format := range append(providers.AllFormats(), "unheard-of") {
		for _, operation := range operations {
			call := providers.Call{Format: format, Operation: operation, Model: "some-model", Resource: "some-id"}
			_, err := c.Provider.URL(base, call)
			if c.serves(call) {
				require.NoError(t, err, "%+v", call)
			} else {
				require.ErrorIs(t, err, providers.ErrUnsupported, "%+v", call)
			}
		}
	}
}

// testResources makes sure that an id sent by a client cannot choose another route.
func (c Case) testResources(t *testing.T) {
	base := mustParse(t, "https://upstream.example/v1")
	for _, u := range c.URLs {
		if u.Call.Resource == "" {
			continue
		}
		call := u.Call
		for _, id := range []string{"", ".", ".."} {
			call.Resource = id
			_, err := c.Provider.URL(base, call)
			require.Error(t, err, "%s of %q", call.Operation, id)
			require.NotErrorIs(t, err, providers.ErrUnsupported, "%s of %q", call.Operation, id)
		}
		whole := strings.Count(c.mustURL(t, base, u.Call), "/")
		for _, id := range []string{"a/b", "../files", "..%2Ffiles", "a?b#c", "é x"} {
			call.Resource = id
			got := c.mustURL(t, base, call)
			require.Equal(t, whole, strings.Count(got, "/"), got)
			require.Contains(t, got, "/"+url.PathEscape(id))
		}
	}
}

func (c Case) serves(call providers.Call) bool {
	return slices.ContainsFunc(c.URLs, func(u URL) bool {
		return u.Call.Operation == call.Operation &&
			(u.Call.Format == call.Format || call.Operation == providers.ListModels)
	})
}

func (c Case) testAuthorize(t *testing.T) {
	want := http.Header{"Accept": {"text/event-stream"}, http.CanonicalHeaderKey(c.Header): {c.Value}}
	h := http.Header{"Accept": {"text/event-stream"}}
	c.Provider.Authorize(h, Secret())
	require.Equal(t, want, h)
	c.Provider.Authorize(h, Secret())
	require.Equal(t, want, h, "a second call adds nothing")
	c.Provider.Authorize(h, providers.NewSecret("another"))
	require.Len(t, h, 2)
	require.Len(t, h.Values(c.Header), 1, "a new secret replaces the old one")
	require.NotContains(t, h.Get(c.Header), secret)
}

func (c Case) testStatuses(t *testing.T) {
	tests := []struct {
		status int
		want   []providers.Kind
	}{
		{200, []providers.Kind{providers.Success}},
		{201, []providers.Kind{providers.Success}},
		{204, []providers.Kind{providers.Success}},
		{400, []providers.Kind{providers.RequestFault}},
		{401, []providers.Kind{providers.Unauthorized}},
		{402, []providers.Kind{providers.OutOfFunds}},
		{403, []providers.Kind{providers.Forbidden}},
		{409, []providers.Kind{providers.RequestFault}},
		{413, []providers.Kind{providers.RequestFault}},
		{422, []providers.Kind{providers.RequestFault}},
		{429, []providers.Kind{providers.RateLimited}},
		{500, []providers.Kind{providers.Transient}},
		{502, []providers.Kind{providers.Transient}},
		{503, []providers.Kind{providers.Transient, providers.Overloaded}},
		{504, []providers.Kind{providers.Transient}},
		{529, []providers.Kind{providers.Overloaded}},
	}
	for _, tt := range tests {
		o := c.Provider.Classify(c.answer(tt.status, ""))
		require.Contains(t, tt.want, o.Kind, "status %d", tt.status)
		require.Equal(t, tt.status, o.Status)
		require.Zero(t, o.RetryAfter, "status %d gives no hint", tt.status)
		if o.Kind != providers.Success {
			require.NotEmpty(t, o.Reason, "status %d", tt.status)
		}
	}
	limited := c.answer(429, "")
	limited.Header.Set("Retry-After", "17")
	require.Equal(t, 17*time.Second, c.Provider.Classify(limited).RetryAfter)
}

func (c Case) testErrors(t *testing.T) {
	tests := map[string]struct {
		err  error
		want providers.Kind
	}{
		"canceled": {fmt.Errorf("send: %w", context.Canceled), providers.Canceled},
		"timeout":  {fmt.Errorf("send: %w", context.DeadlineExceeded), providers.Transient},
		"reset":    {&url.Error{Op: "Post", URL: "https://upstream.example", Err: syscall.ECONNRESET}, providers.Transient},
		"other":    {errors.New("malformed answer"), providers.Transient},
	}
	for name, tt := range tests {
		for _, status := range []int{0, 200} {
			o := c.Provider.Classify(providers.Answer{Call: c.URLs[0].Call, Status: status, Err: tt.err, Now: Now()})
			require.Equal(t, tt.want, o.Kind, "%s with status %d", name, status)
		}
	}
}

func (c Case) testBodies(t *testing.T) {
	bodies := []string{
		"", " ", "null", "0", `"text"`, "[]", "{}", "[[]]", "{", `{"error":`, `{"error":null}`, `{"error":[]}`,
		`{"error":{}}`, `{"error":{"code":{},"type":[],"message":1,"details":{}}}`, "<html>", "\x00\xff",
	}
	for _, body := range bodies {
		for _, status := range []int{200, 400, 403, 404, 429, 500, 503} {
			o := c.Provider.Classify(c.answer(status, body))
			require.NotEmpty(t, o.Kind, "status %d, body %q", status, body)
			require.NotEqual(t, providers.Success, c.Provider.Classify(c.answer(max(status, 400), body)).Kind)
		}
	}
}

func (c Case) testModelList(t *testing.T) {
	lister, lists := c.Provider.(providers.Lister)
	require.Equal(t, c.ModelList != "", lists)
	require.Equal(t, lists, c.serves(providers.Call{Operation: providers.ListModels}), "who reads a list says where it is")
	if !lists {
		return
	}
	names, err := lister.ModelNames([]byte(c.ModelList))
	require.NoError(t, err)
	require.Equal(t, c.ModelNames, names)
	require.Equal(t, c.NextPage, lister.NextPage([]byte(c.ModelList)))
	for _, body := range []string{"", "null", "{", "{}", "<html></html>", `{"data":1,"models":1}`, c.ModelList[:len(c.ModelList)/2]} {
		_, err := lister.ModelNames([]byte(body))
		require.Error(t, err, "body %q", body)
		require.Empty(t, lister.NextPage([]byte("{}")))
	}
}

func (c Case) testSecrecy(t *testing.T) {
	h := http.Header{}
	c.Provider.Authorize(h, Secret())
	body := fmt.Sprintf(`{"error":{"message":"bad key %[1]s","code":"%[1]s","type":"%[1]s","status":"%[1]s"}}`, secret)
	printed := []any{Secret(), c.Provider}
	for _, status := range []int{200, 400, 401, 403, 404, 429, 500} {
		printed = append(printed, c.Provider.Classify(c.answer(status, body)))
	}
	failed := c.answer(0, "")
	failed.Err = errors.New("dial with " + secret)
	printed = append(printed, c.Provider.Classify(failed))
	for _, value := range printed {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			text := fmt.Sprintf(verb, value)
			require.NotContains(t, text, secret, verb)
			require.NotContains(t, text, fmt.Sprintf("%x", secret), verb)
		}
	}
}

func (c Case) testConcurrency(t *testing.T) {
	base := mustParse(t, "https://upstream.example/v1/")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				for _, u := range c.URLs {
					_, _ = c.Provider.URL(base, u.Call)
				}
				c.Provider.Formats()
				c.Provider.Authorize(http.Header{}, Secret())
				c.Provider.Classify(c.answer(429, `{"error":{"message":"try again in 2s"}}`))
				if lister, ok := c.Provider.(providers.Lister); ok {
					_, _ = lister.ModelNames([]byte(c.ModelList))
				}
			}
		})
	}
	wg.Wait()
	require.Equal(t, "https://upstream.example/v1/", base.String())
}

// answer is a whole answer; a body that is not empty makes a 200 an error event.
func (c Case) answer(status int, body string) providers.Answer {
	a := providers.Answer{Call: c.URLs[0].Call, Status: status, Header: http.Header{}, Now: Now()}
	if body != "" {
		a.Body = []byte(body)
	}
	return a
}

// Now is when the answers of this suite come: 2030-01-02T03:04:05Z.
func Now() time.Time { return time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC) }

func mustParse(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	require.NoError(t, err)
	return u
}
