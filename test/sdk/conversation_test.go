package sdk_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/providers"
)

// TestConversation_StaysWhereItsPromptIsCached: every credential has a prompt cache of its
// own, so a turn finds the turns before it cached only where those were served.
func TestConversation_StaysWhereItsPromptIsCached(t *testing.T) {
	t.Parallel()
	inEveryWay(t, ways(), setup{}, func(t *testing.T, g *gateway, w way) {
		turns := []string{"all the world is a stage"}
		last, err := w.say(t.Context(), g.client, w.model, turns...)
		require.NoError(t, err)
		require.Positive(t, last.input)
		require.Zero(t, last.cached, "nobody has said this before")
		for _, next := range []string{"and all the men and women", "merely players", "they have their exits"} {
			turns = append(turns, last.text, next)
			reply, err := w.say(t.Context(), g.client, w.model, turns...)
			require.NoError(t, err)
			require.Equal(t, last.input, reply.cached, "all of the last turn's prompt")
			require.Greater(t, reply.input, last.input)
			last = reply
		}
	})
}

func TestConversation_WandersWithoutAffinity(t *testing.T) {
	t.Parallel()
	wander := setup{change: func(c *config.Config) { c.Routing.SessionAffinity = false }}
	onEveryUpstream(t, providers.Anthropic, wander, func(t *testing.T, g *gateway) {
		turns := []string{"all the world is a stage"}
		for range 3 {
			reply, err := askMessage(t.Context(), g.client, question{model: claudeModel, turns: turns})
			require.NoError(t, err)
			require.Zero(t, reply.cached, "each turn is served by the next credential")
			turns = append(turns, reply.text, "and then?")
		}
	})
}
