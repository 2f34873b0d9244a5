// Package compat is the adapter for the many upstreams that speak OpenAI's formats under
// another name (configuration kind "openai-compatible").
package compat

import (
	"bytes"

	"github.com/understudyhq/understudy/providers"
	"github.com/understudyhq/understudy/providers/openai"
)

// Provider is the OpenAI adapter with two differences: it has no default base URL, and by
// default its upstream is taken to speak chat completions only. The zero value is ready
// for use.
type Provider struct{ openai.Provider }

// Formats implements providers.Provider.
func (Provider) Formats() []providers.Format {
	return []providers.Format{providers.OpenAIChat}
}

// ModelNames implements providers.Lister. Some servers list their models in a bare array.
func (p Provider) ModelNames(body []byte) ([]string, error) {
	if bytes.HasPrefix(bytes.TrimSpace(body), []byte("[")) {
		return providers.ReadModelNames(body, "@this", "id")
	}
	return p.Provider.ModelNames(body)
}
