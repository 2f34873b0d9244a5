package sdk_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/providers"
	"github.com/understudyhq/understudy/providers/simulator"
)

// credentialsPerProvider is the embedded default's number.
const credentialsPerProvider = 6

// Names that clients may use for the simulator's models. They are aliases.
const (
	openAIModel    = "gpt-5.5"
	claudeModel    = "claude-sonnet"
	geminiModel    = "gemini-pro"
	embeddingModel = "text-embedding-3-small"
)

// upstream is what stands behind a gateway.
type upstream struct {
	name string
	// format is the one that it is spoken to in.
	format providers.Format
	// names lists its providers.
	names []string
	// providers returns what a gateway needs to reach it. It is gone after the test.
	providers func(t *testing.T, faults [][]config.Fault) []config.Provider
}

// relays are the upstreams that speak a client's format.
func relays(f providers.Format) []upstream {
	inOrder := map[providers.Format][]config.Provider{
		providers.OpenAIChat: {
			{Name: "openai", Kind: config.KindOpenAI, BaseURL: "/v1"},
			{Name: "compatible", Kind: config.KindOpenAICompatible, BaseURL: "/v1"},
		},
		providers.OpenAIResponses: {{Name: "openai", Kind: config.KindOpenAI, BaseURL: "/v1"}},
		providers.Anthropic:       {{Name: "anthropic", Kind: config.KindAnthropic}},
		providers.Gemini:          {{Name: "gemini", Kind: config.KindGemini}},
	}
	vendors := inOrder[f]
	remote := upstream{name: "over HTTP", format: f, providers: func(t *testing.T, faults [][]config.Fault) []config.Provider {
		return overHTTP(t, slices.Clone(vendors), faults, func(*http.Request) {})
	}}
	for _, v := range vendors {
		remote.names = append(remote.names, v.Name)
	}
	return []upstream{{name: "in process", format: f, names: []string{"simulator"}, providers: inProcess}, remote}
}

// upstreams are those that a client of a format is tried at: such as speak its own, and one
// for each other format, which speaks nothing else.
func upstreams(f providers.Format) []upstream {
	all := relays(f)
	for _, other := range providers.AllFormats() {
		if other != f {
			all = append(all, upstream{
				name: "speaking " + string(other), format: other, names: []string{"simulator"},
				providers: func(t *testing.T, faults [][]config.Fault) []config.Provider {
					only := inProcess(t, faults)
					only[0].Formats = []string{string(other)}
					return only
				},
			})
		}
	}
	return all
}

// opens reports whether a stream of the upstream's begins with an event that says nothing yet.
func (u upstream) opens() bool {
	return u.format == providers.OpenAIResponses || u.format == providers.Anthropic
}

// inProcess is the embedded default's own upstream, which speaks every format.
func inProcess(_ *testing.T, faults [][]config.Fault) []config.Provider {
	simulated := config.EmbeddedDefault().Providers[0]
	for i, script := range faults {
		simulated.Credentials[i].Faults = script
	}
	return []config.Provider{simulated}
}

// overHTTP is the same simulator behind a socket, as vendors that share its models. Every
// request is shown to see before it is answered.
func overHTTP(t *testing.T, vendors []config.Provider, faults [][]config.Fault, see func(*http.Request)) []config.Provider {
	t.Helper()
	models := config.EmbeddedDefault().Providers[0].Models
	var options simulator.Options
	for _, m := range models {
		options.Models = append(options.Models, m.Name)
	}
	for i := range vendors {
		for n := range credentialsPerProvider {
			id := fmt.Sprintf("%s-%d", vendors[i].Name, n+1)
			known := simulator.Credential{ID: id, Key: "secret-of-" + id}
			if n < len(faults) {
				for _, f := range faults[n] {
					known.Faults = append(known.Faults, simulator.Fault(f))
				}
			}
			options.Credentials = append(options.Credentials, known)
			vendors[i].Credentials = append(vendors[i].Credentials, config.Credential{ID: id, APIKey: known.Key})
		}
	}
	simulated := simulator.New(options)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		see(r)
		simulated.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	for i := range vendors {
		vendors[i].BaseURL = server.URL + vendors[i].BaseURL
		vendors[i].Models = models
	}
	return vendors
}
