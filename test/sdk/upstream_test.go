package sdk_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/understudyhq/understudy/config"
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
	// chat lists the providers that speak OpenAI's chat format.
	chat []string
	// providers returns what a gateway needs to reach it. It is gone after the test.
	providers func(t *testing.T, faults [][]config.Fault) []config.Provider
}

func upstreams() []upstream {
	return []upstream{
		{name: "in process", chat: []string{"simulator"}, providers: inProcess},
		{name: "over HTTP", chat: []string{"openai", "compatible"}, providers: overHTTP},
	}
}

// inProcess is the embedded default's own upstream.
func inProcess(_ *testing.T, faults [][]config.Fault) []config.Provider {
	simulated := config.EmbeddedDefault().Providers[0]
	for i, script := range faults {
		simulated.Credentials[i].Faults = script
	}
	return []config.Provider{simulated}
}

// overHTTP is the same simulator behind a socket, as four vendors that share its models.
func overHTTP(t *testing.T, faults [][]config.Fault) []config.Provider {
	t.Helper()
	return overHTTPSeenBy(t, faults, func(*http.Request) {})
}

// overHTTPSeenBy is overHTTP with every request shown to see before it is answered.
func overHTTPSeenBy(t *testing.T, faults [][]config.Fault, see func(*http.Request)) []config.Provider {
	t.Helper()
	vendors := []config.Provider{
		{Name: "openai", Kind: config.KindOpenAI, BaseURL: "/v1"},
		{Name: "compatible", Kind: config.KindOpenAICompatible, BaseURL: "/v1"},
		{Name: "anthropic", Kind: config.KindAnthropic},
		{Name: "gemini", Kind: config.KindGemini},
	}
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
