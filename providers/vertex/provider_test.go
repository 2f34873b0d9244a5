package vertex_test

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/understudyhq/understudy/providers"
	"github.com/understudyhq/understudy/providers/providertest"
	"github.com/understudyhq/understudy/providers/vertex"
)

func call(o providers.Operation, model string) providers.Call {
	return providers.Call{Format: providers.Gemini, Operation: o, Model: model}
}

func TestProvider_Conforms(t *testing.T) {
	t.Parallel()
	stream := call(providers.Generate, "gemini-3-pro")
	stream.Stream = true
	const models = "/publishers/google/models/"
	providertest.Run(t, providertest.Case{
		Provider: vertex.Provider{},
		Formats:  []providers.Format{providers.Gemini},
		URLs: []providertest.URL{
			{Call: call(providers.Generate, "gemini-3-pro"), Path: models + "gemini-3-pro:generateContent"},
			{Call: stream, Path: models + "gemini-3-pro:streamGenerateContent"},
			{Call: call(providers.Generate, "team/a b:c?d#é%2F"), Path: models + "team/a%20b:c%3Fd%23%C3%A9%252F:generateContent"},
			{Call: call(providers.CountTokens, "m"), Path: models + "m:countTokens"},
			{Call: call(providers.Embed, "m"), Path: models + "m:embedContent"},
		},
		Header: "Authorization",
		Value:  "Bearer " + providertest.Secret().Reveal(),
	})
}

func TestProvider_RefusesNamesThatLeaveTheModels(t *testing.T) {
	t.Parallel()
	base := &url.URL{Scheme: "https", Host: "upstream.example"}
	for _, model := range []string{"", ".", "..", "../../../endpoints/1", "a/../b", "/a", "a/", "a//b"} {
		_, err := vertex.Provider{}.URL(base, call(providers.Generate, model))
		require.Error(t, err, "%q", model)
		require.NotErrorIs(t, err, providers.ErrUnsupported, "%q", model)
	}
}

func TestBase_NamesProjectAndLocation(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ endpoint, project, location, want string }{
		"region":            {"", "my-project", "us-central1", "https://us-central1-aiplatform.googleapis.com/v1/projects/my-project/locations/us-central1"},
		"global":            {"", "my-project", "global", "https://aiplatform.googleapis.com/v1/projects/my-project/locations/global"},
		"several regions":   {"", "my-project", "eu", "https://aiplatform.eu.rep.googleapis.com/v1/projects/my-project/locations/eu"},
		"number":            {"", "1234567890", "us", "https://aiplatform.us.rep.googleapis.com/v1/projects/1234567890/locations/us"},
		"of a domain":       {"", "example.com:my-project", "global", "https://aiplatform.googleapis.com/v1/projects/example.com:my-project/locations/global"},
		"other endpoint":    {"http://127.0.0.1:8080/vertex/", "p", "europe-west4", "http://127.0.0.1:8080/vertex/v1/projects/p/locations/europe-west4"},
		"no way out":        {"", "a/b?c", "global", "https://aiplatform.googleapis.com/v1/projects/a%2Fb%3Fc/locations/global"},
		"empty project":     {"", "", "global", `project: "" is not a project`},
		"parent":            {"", "..", "global", `project: ".." is not a project`},
		"empty location":    {"", "p", "", `location: "" is not a location`},
		"another host":      {"", "p", "evil.example/", `location: "evil.example/" is not a location`},
		"host with a name":  {"", "p", "u@evil", `location: "u@evil" is not a location`},
		"upper case":        {"", "p", "US", `location: "US" is not a location`},
		"begins with a bar": {"", "p", "-us", `location: "-us" is not a location`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			endpoint, err := url.Parse(tt.endpoint)
			require.NoError(t, err)
			before := *endpoint
			base, err := vertex.Base(endpoint, tt.project, tt.location)
			require.Equal(t, before, *endpoint, "the endpoint is not modified")
			if err != nil {
				require.EqualError(t, err, tt.want)
				return
			}
			require.Equal(t, tt.want, base.String())
			u, err := vertex.Provider{}.URL(base, call(providers.CountTokens, "gemini-3-pro"))
			require.NoError(t, err)
			require.Equal(t, tt.want+"/publishers/google/models/gemini-3-pro:countTokens", u.String())
		})
	}
	base, err := vertex.Base(nil, "p", "us-east1")
	require.NoError(t, err)
	require.Equal(t, "us-east1-aiplatform.googleapis.com", base.Host)
}

// TestBase_StaysWithGoogle draws what may come from a file that somebody else wrote.
func TestBase_StaysWithGoogle(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		base, err := vertex.Base(nil, rapid.String().Draw(t, "project"), rapid.StringMatching(`[a-zA-Z0-9./@:#-]{0,12}`).Draw(t, "location"))
		if err != nil {
			return
		}
		parsed, err := url.Parse(base.String())
		require.NoError(t, err)
		require.Regexp(t, `^([a-z0-9-]+-)?aiplatform(\.(us|eu)\.rep)?\.googleapis\.com$`, parsed.Host)
		require.Regexp(t, `^/v1/projects/[^/]+/locations/[a-z0-9-]+$`, parsed.EscapedPath())
	})
}
