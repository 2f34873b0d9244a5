package prompt

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPrompt_PicksTheToolToCall(t *testing.T) {
	t.Parallel()
	tools := []Tool{{Name: "get"}, {Name: "get_weather"}, {Name: "mcp.list-all"}}
	tests := map[string]struct {
		prompt Prompt
		want   string // "" = none
	}{
		"nothing asks for one":       {Prompt{text: "what about get?"}, ""},
		"by name":                    {Prompt{text: "please call get_weather now"}, "get_weather"},
		"at the end of a sentence":   {Prompt{text: "I said: call mcp.list-all."}, "mcp.list-all"},
		"a shorter name":             {Prompt{text: "call get"}, "get"},
		"not a part of a name":       {Prompt{text: "call get_weather_tomorrow"}, ""},
		"the second one mentioned":   {Prompt{text: "call me, then call get_weather"}, "get_weather"},
		"required":                   {Prompt{Choice: Choice{Required: true}}, "get"},
		"required and named in text": {Prompt{text: "call get_weather", Choice: Choice{Required: true}}, "get_weather"},
		"forced":                     {Prompt{text: "call get", Choice: Choice{Name: "get_weather"}}, "get_weather"},
		"forced but not declared":    {Prompt{Choice: Choice{Name: "other"}}, ""},
		"forbidden":                  {Prompt{text: "call get", Choice: Choice{Forbidden: true}}, ""},
		"after a result":             {Prompt{text: "call get", afterTool: true, Choice: Choice{Required: true}}, ""},
	}
	for name, tt := range tests {
		tt.prompt.Tools = tools
		got, ok := tt.prompt.pickTool()
		require.Equal(t, tt.want, got.Name, name)
		require.Equal(t, tt.want != "", ok, name)
	}
	_, ok := (&Prompt{text: "call get", Choice: Choice{Required: true}}).pickTool()
	require.False(t, ok, "no tools declared")
}
