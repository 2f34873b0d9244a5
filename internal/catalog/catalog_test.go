package catalog

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/providers"
)

func TestCatalog_Resolve(t *testing.T) {
	t.Parallel()
	fixed := &providers.Upstream{Name: "fixed", Prefix: "team", Models: []providers.Model{
		{Name: "big", Aliases: []string{"main", "pool"}}, {Name: "vendor/small", Aliases: []string{"pool"}},
	}}
	listing := &providers.Upstream{Name: "listing"}
	open := &providers.Upstream{Name: "open", Prefix: "o"}
	c := Catalog{
		Upstreams: []*providers.Upstream{fixed, listing, open},
		Listed:    map[string][]string{"listing": {"sonnet-20250929", "gpt-2025-01-02", "plain-12345678"}},
	}
	tests := map[string]struct {
		upstream *providers.Upstream
		name     string
		want     []string
	}{
		"a model by its name":                     {fixed, "big", []string{"big"}},
		"an alias (AL1)":                          {fixed, "main", []string{"big"}},
		"a pool":                                  {fixed, "pool", []string{"big", "vendor/small"}},
		"behind the upstream's name":              {fixed, "fixed/big", []string{"big"}},
		"an alias behind the prefix (AL5)":        {fixed, "team/main", []string{"big"}},
		"a name with a slash of its own":          {fixed, "vendor/small", []string{"vendor/small"}},
		"that behind the prefix":                  {fixed, "team/vendor/small", []string{"vendor/small"}},
		"unknown":                                 {fixed, "huge", nil},
		"another upstream's qualifier":            {fixed, "open/big", nil},
		"a listed model":                          {listing, "sonnet-20250929", []string{"sonnet-20250929"}},
		"a listed model without its date":         {listing, "sonnet", []string{"sonnet"}},
		"the same in the other form":              {listing, "gpt", []string{"gpt"}},
		"digits that are no date":                 {listing, "plain", nil},
		"not listed":                              {listing, "opus", nil},
		"any name while the list is unknown":      {open, "opus", []string{"opus"}},
		"any name with a slash":                   {open, "meta/llama", []string{"meta/llama"}},
		"but not one that names another upstream": {open, "fixed/huge", nil},
		"addressed by name":                       {open, "open/meta/llama", []string{"meta/llama"}},
		"addressed by prefix":                     {open, "o/llama", []string{"llama"}},
		"no name":                                 {open, "", nil},
		"a qualifier alone":                       {open, "open/", nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, tt.want, c.Resolve(tt.upstream, tt.name))
		})
	}
}

func TestCatalog_ModelsAndNames(t *testing.T) {
	t.Parallel()
	u := &providers.Upstream{Name: "u", Prefix: "team"}
	c := Catalog{Listed: map[string][]string{"u": {"a"}}}
	require.Equal(t, []providers.Model{{Name: "a"}}, c.Models(u))
	m := providers.Model{Name: "b", Aliases: []string{"x"}}
	require.Equal(t, []string{"b", "x", "team/b", "team/x"}, Names(u, m))
	u.Models = []providers.Model{m}
	require.Equal(t, u.Models, c.Models(u))
}
