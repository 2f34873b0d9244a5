package providers_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/providers"
)

// stub is a provider that does nothing.
type stub struct{ name string }

func (stub) Formats() []providers.Format                    { return nil }
func (stub) URL(*url.URL, providers.Call) (*url.URL, error) { return nil, providers.ErrUnsupported }
func (stub) Authorize(http.Header, providers.Secret)        {}
func (stub) Classify(a providers.Answer) providers.Outcome  { return providers.Classify(a, nil) }

func TestRegistry_FindsAdaptersByKind(t *testing.T) {
	t.Parallel()
	r := providers.NewRegistry()
	require.Empty(t, r.Kinds())
	r.Add("vendor-b", stub{"b"})
	r.Add("vendor-a", stub{"a"})
	require.Equal(t, []string{"vendor-a", "vendor-b"}, r.Kinds())
	p, err := r.Get("vendor-b")
	require.NoError(t, err)
	require.Equal(t, stub{"b"}, p)
}

func TestRegistry_ReplacesAnAdapter(t *testing.T) {
	t.Parallel()
	r := providers.NewRegistry()
	r.Add("vendor", stub{"old"})
	r.Add("vendor", stub{"new"})
	p, err := r.Get("vendor")
	require.NoError(t, err)
	require.Equal(t, stub{"new"}, p)
	require.Equal(t, []string{"vendor"}, r.Kinds())
}

func TestRegistry_NamesTheKindsItKnows(t *testing.T) {
	t.Parallel()
	r := providers.NewRegistry()
	r.Add("vendor-b", stub{})
	r.Add("vendor-a", stub{})
	p, err := r.Get("vendor-c")
	require.EqualError(t, err, `unknown provider kind "vendor-c"; known: [vendor-a vendor-b]`)
	require.Nil(t, p)
	_, err = r.Get("")
	require.Error(t, err)
	require.NotErrorIs(t, err, providers.ErrUnsupported)
}
