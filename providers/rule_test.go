package providers_test

import (
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/providers"
)

func TestErrorRule_IsEqualIfItSaysTheSame(t *testing.T) {
	t.Parallel()
	rule := func(pattern string) providers.ErrorRule {
		return providers.ErrorRule{Status: 403, Pattern: regexp.MustCompile(pattern), Action: providers.ActionRest, Rest: time.Minute}
	}
	require.True(t, rule("a+").Equal(rule("a+")))
	require.True(t, providers.ErrorRule{Contains: "x"}.Equal(providers.ErrorRule{Contains: "x"}))
	for name, other := range map[string]func(*providers.ErrorRule){
		"status":     func(r *providers.ErrorRule) { r.Status = 404 },
		"text":       func(r *providers.ErrorRule) { r.Contains = "x" },
		"pattern":    func(r *providers.ErrorRule) { r.Pattern = regexp.MustCompile("a*") },
		"no pattern": func(r *providers.ErrorRule) { r.Pattern = nil },
		"action":     func(r *providers.ErrorRule) { r.Action = providers.ActionNext },
		"rest":       func(r *providers.ErrorRule) { r.Rest = time.Hour },
	} {
		r := rule("a+")
		other(&r)
		require.False(t, rule("a+").Equal(r), name)
		require.False(t, r.Equal(rule("a+")), name)
	}
}
