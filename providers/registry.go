package providers

import (
	"fmt"
	"slices"
)

// Registry maps a configuration `kind` to its adapter. The zero value is not usable:
// call NewRegistry. It is filled before a gateway starts and only read afterwards.
type Registry struct{ byKind map[string]Provider }

// NewRegistry returns an empty registry.
func NewRegistry() *Registry { return &Registry{byKind: map[string]Provider{}} }

// Add registers p as kind, replacing an earlier one.
func (r *Registry) Add(kind string, p Provider) { r.byKind[kind] = p }

// Get returns the adapter of kind, or an error that lists the kinds there are.
func (r *Registry) Get(kind string) (Provider, error) {
	if p, ok := r.byKind[kind]; ok {
		return p, nil
	}
	return nil, fmt.Errorf("unknown provider kind %q; known: %v", kind, r.Kinds())
}

// Kinds lists the registered kinds, sorted.
func (r *Registry) Kinds() []string {
	kinds := make([]string, 0, len(r.byKind))
	for k := range r.byKind {
		kinds = append(kinds, k)
	}
	slices.Sort(kinds)
	return kinds
}
