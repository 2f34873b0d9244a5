package httpapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/understudyhq/understudy/providers"
)

const (
	// maxListBytes and maxListPages bound an upstream's model list.
	maxListBytes = 8 << 20
	maxListPages = 50
	// anthropicVersion is what the gateway's own calls name; clients bring theirs.
	anthropicVersion = "2023-06-01"
)

// ListUpstreamModels asks the upstream of c which models it has. The upstream's provider
// must be a providers.Lister.
func ListUpstreamModels(ctx context.Context, c *providers.Credential) ([]string, error) {
	lister, ok := c.Upstream.Provider.(providers.Lister)
	if !ok {
		return nil, fmt.Errorf("provider %s: %w", c.Upstream.Name, providers.ErrUnsupported)
	}
	var names []string
	query := ""
	for range maxListPages {
		body, err := fetchList(ctx, c, query)
		if err != nil {
			return nil, err
		}
		page, err := lister.ModelNames(body)
		if err != nil {
			return nil, fmt.Errorf("provider %s: %w", c.Upstream.Name, err)
		}
		names = append(names, page...)
		if query = lister.NextPage(body); query == "" {
			return names, nil
		}
	}
	return nil, fmt.Errorf("provider %s: list models: more than %d pages", c.Upstream.Name, maxListPages)
}

func fetchList(ctx context.Context, c *providers.Credential, query string) ([]byte, error) {
	call := providers.Call{Format: c.Upstream.Formats[0], Operation: providers.ListModels, Query: query}
	u, err := c.URL(call)
	if err != nil {
		return nil, fmt.Errorf("provider %s: list models: %w", c.Upstream.Name, err)
	}
	req := (&http.Request{Method: http.MethodGet, URL: u, Header: http.Header{}, Host: u.Host}).WithContext(ctx)
	req.Header.Set("Accept", "application/json")
	if c.Upstream.Speaks(providers.Anthropic) {
		req.Header.Set("Anthropic-Version", anthropicVersion)
	}
	setConfigured(req.Header, nil, c.Upstream.Headers)
	setConfigured(req.Header, nil, c.Headers)
	c.Authorize(req.Header)
	resp, err := c.Transport.RoundTrip(req)
	if err != nil {
		return nil, fmt.Errorf("provider %s: list models: %w", c.Upstream.Name, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("provider %s: list models: status %d", c.Upstream.Name, resp.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxListBytes+1))
	if err != nil {
		return nil, fmt.Errorf("provider %s: list models: %w", c.Upstream.Name, err)
	}
	if len(body) > maxListBytes {
		return nil, errors.New("provider " + c.Upstream.Name + ": list models: answer too large")
	}
	return body, nil
}
