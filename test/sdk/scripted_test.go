package sdk_test

import (
	"net/http/httptest"
	"testing"

	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/internal/fake"
	"github.com/understudyhq/understudy/providers"
)

// startScripted runs a gateway in front of a vendor of format f, whose answers a script makes
// up: for what the simulator does not say, and to see what it was asked.
func startScripted(t *testing.T, f providers.Format, script func(fake.Request) fake.Reply) (*gateway, *fake.Upstream) {
	t.Helper()
	asked := fake.New(script)
	server := httptest.NewServer(asked)
	t.Cleanup(server.Close)
	vendor := map[providers.Format]config.Provider{
		providers.OpenAIChat:      {Kind: config.KindOpenAICompatible, BaseURL: server.URL + "/v1"},
		providers.OpenAIResponses: {Kind: config.KindOpenAI, BaseURL: server.URL + "/v1"},
		providers.Anthropic:       {Kind: config.KindAnthropic, BaseURL: server.URL},
		providers.Gemini:          {Kind: config.KindGemini, BaseURL: server.URL},
	}[f]
	vendor.Name, vendor.Formats = "vendor", []string{string(f)}
	vendor.Models = config.EmbeddedDefault().Providers[0].Models
	vendor.Credentials = []config.Credential{{ID: "one", APIKey: "secret"}}
	u := upstream{format: f, providers: func(*testing.T, [][]config.Fault) []config.Provider { return []config.Provider{vendor} }}
	return startGateway(t, u, setup{}), asked
}

// atEveryVendor runs test for each format that a vendor may speak, all of them in parallel.
func atEveryVendor(t *testing.T, test func(*testing.T, providers.Format)) {
	t.Helper()
	for _, f := range providers.AllFormats() {
		t.Run("speaking "+string(f), func(t *testing.T) {
			t.Parallel()
			test(t, f)
		})
	}
}
