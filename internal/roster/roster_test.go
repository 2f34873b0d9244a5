package roster

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/internal/cooldown"
	"github.com/understudyhq/understudy/providers"
)

var now = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

func upstream(name string, models ...providers.Model) *providers.Upstream {
	return &providers.Upstream{Name: name, Formats: []providers.Format{providers.OpenAIChat}, Models: models}
}

func credential(u *providers.Upstream, id string) *providers.Credential {
	return &providers.Credential{ID: providers.CredentialID(id), Upstream: u}
}

func resting(d time.Duration) cooldown.State {
	return cooldown.State{Since: now, Until: now.Add(d), Kind: providers.RateLimited}
}

func TestRoster_AliasHasACursorOfItsOwnAndThePoolRotates(t *testing.T) {
	t.Parallel()
	x := New[int]()
	u := upstream("u", providers.Model{Name: "n1", Aliases: []string{"x"}}, providers.Model{Name: "n2", Aliases: []string{"x"}})
	x.Join(credential(u, "a"), 1, 0)
	ring := x.Ring("x", providers.OpenAIChat)
	require.ElementsMatch(t, []string{"n1", "n2"}, []string{ring.Pick(nil).Model(), ring.Pick(nil).Model()})
	require.NotSame(t, ring, x.Ring("n1", providers.OpenAIChat))
}

func TestRoster_ExcludedModelsHaveNoCandidates_AL16(t *testing.T) {
	t.Parallel()
	x := New[int]()
	u := upstream("u")
	u.Exclude = []string{"gpt-*"}
	x.Join(credential(u, "a"), 1, 0)
	require.Nil(t, x.Ring("gpt-5", providers.OpenAIChat))
	require.NotNil(t, x.Ring("o3", providers.OpenAIChat))
	require.Empty(t, x.Formats("gpt-5"))
}

func TestRoster_ModelsHideWhatNobodyEnabledServes(t *testing.T) {
	t.Parallel()
	x := New[int]()
	u := upstream("u", providers.Model{Name: "m", Aliases: []string{"alias"}}, providers.Model{Name: "hidden"})
	u.Prefix = "team"
	c := credential(u, "a")
	c.Exclude = []string{"hidden"}
	x.Join(c, 1, 0)
	v := upstream("v", providers.Model{Name: "m"})
	v.Formats = []providers.Format{providers.Anthropic}
	x.Join(credential(v, "b"), 1, 1)
	require.Equal(t, []Model{
		{Name: "m", Provider: "u", Formats: []providers.Format{providers.OpenAIChat, providers.Anthropic}},
		{Name: "alias", Provider: "u", Formats: []providers.Format{providers.OpenAIChat}},
		{Name: "team/m", Provider: "u", Formats: []providers.Format{providers.OpenAIChat}},
		{Name: "team/alias", Provider: "u", Formats: []providers.Format{providers.OpenAIChat}},
	}, x.Models())
}

func TestRoster_ShortageCountsReasonsAndFindsTheSoonest(t *testing.T) {
	t.Parallel()
	x := New[int]()
	u := upstream("u", providers.Model{Name: "m"})
	for i, id := range []string{"disabled", "down", "failed", "resting", "tried", "unauthorized", "wide"} {
		c := credential(u, id)
		c.Disabled = id == "disabled"
		x.Join(c, 1, i)
	}
	x.SetDown("down", true, false)
	x.SetDown("failed", false, true)
	x.Rest("resting", "m", resting(time.Minute))
	x.Rest("wide", "", resting(time.Second))
	x.Rest("unauthorized", "", cooldown.State{Until: now.Add(time.Millisecond), Kind: providers.Unauthorized})
	ring := x.Ring("m", providers.OpenAIChat)
	require.Nil(t, ring.Pick([]providers.CredentialID{"tried"}))
	require.Equal(t, Shortage{Provider: "u", RetryAfter: time.Second, Reasons: map[string]int{
		"disabled": 1, "restarting": 1, "failed": 1, "resting:rate-limited": 2, "unauthorized": 1, "tried": 1,
	}}, ring.Shortage([]providers.CredentialID{"tried"}, now))
}

func TestRing_WakeFindsRestsThatAreOver(t *testing.T) {
	t.Parallel()
	x := New[int]()
	u := upstream("u", providers.Model{Name: "m"})
	x.Join(credential(u, "a"), 1, 0)
	x.Rest("a", "m", resting(time.Second))
	ring := x.Ring("m", providers.OpenAIChat)
	require.False(t, ring.Wake(now))
	require.Nil(t, ring.Pick(nil))
	require.True(t, ring.Wake(now.Add(time.Second)))
	require.NotNil(t, ring.Pick(nil))
}

func TestRoster_MadeUpNamesDoNotPileUp(t *testing.T) {
	t.Parallel()
	x := New[int]()
	x.Join(credential(upstream("u"), "a"), 1, 0)
	for i := range 3 * maxRoutes {
		require.NotNil(t, x.Ring(fmt.Sprintf("made-up-%d", i), providers.OpenAIChat).Pick(nil))
	}
	require.LessOrEqual(t, len(x.routes), maxRoutes)
	require.LessOrEqual(t, len(x.members["a"].slots), maxRoutes)
	require.LessOrEqual(t, len(x.cursors), maxRoutes)
}

// TestRoster_NeverPicksWhoIsOutAndSharesEvenly drives a roster with random commands beside a
// simple model of it.
func TestRoster_NeverPicksWhoIsOutAndSharesEvenly(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		x, u := New[int](), upstream("u", providers.Model{Name: "m"})
		x.SetStrategy(config.RoundRobin)
		ready := map[providers.CredentialID]bool{}
		since := map[providers.CredentialID]int{} // picks since the last change, per credential
		for range rapid.IntRange(1, 120).Draw(t, "commands") {
			id := providers.CredentialID(rapid.SampledFrom([]string{"a", "b", "c", "d", "e"}).Draw(t, "id"))
			_, joined := ready[id]
			switch rapid.SampledFrom([]string{"join", "leave", "rest", "wake", "down", "up", "pick", "pick", "pick"}).Draw(t, "command") {
			case "join":
				if !joined {
					x.Join(credential(u, string(id)), 1, len(ready))
					ready[id] = true
					clear(since)
				}
			case "leave":
				x.Leave(id)
				delete(ready, id)
				clear(since)
			case "rest":
				x.Rest(id, "m", resting(time.Hour))
				setIf(ready, id, false)
				clear(since)
			case "wake":
				x.SetDown(id, false, false)
				x.Rest(id, "m", cooldown.State{})
				setIf(ready, id, true)
				clear(since)
			case "down":
				x.SetDown(id, true, false)
				setIf(ready, id, false)
				clear(since)
			case "up":
				x.SetDown(id, false, false)
				x.Rest(id, "m", cooldown.State{})
				setIf(ready, id, true)
				clear(since)
			case "pick":
				pick(t, x, ready, since)
			}
		}
	})
}

func setIf(ready map[providers.CredentialID]bool, id providers.CredentialID, to bool) {
	if _, ok := ready[id]; ok {
		ready[id] = to
	}
}

func pick(t *rapid.T, x *Roster[int], ready map[providers.CredentialID]bool, since map[providers.CredentialID]int) {
	ring := x.Ring("m", providers.OpenAIChat)
	if len(ready) == 0 {
		require.Nil(t, ring)
		return
	}
	n := 0
	for _, ok := range ready {
		if ok {
			n++
		}
	}
	s := ring.Pick(nil)
	if n == 0 {
		require.Nil(t, s)
		return
	}
	require.NotNil(t, s)
	require.True(t, ready[s.Credential()], "%s is not ready", s.Credential())
	since[s.Credential()]++
	for id, ok := range ready {
		if ok {
			require.LessOrEqual(t, since[s.Credential()]-since[id], 1, "%s was passed over", id)
		}
	}
}

func BenchmarkRing_PickAmong10000With9990Resting(b *testing.B) {
	x, u := New[int](), upstream("u", providers.Model{Name: "m"})
	for i := range 10000 {
		id := fmt.Sprintf("c%05d", i)
		x.Join(credential(u, id), 1, i)
		if i%1000 != 0 {
			x.Rest(providers.CredentialID(id), "m", resting(time.Hour))
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if x.Ring("m", providers.OpenAIChat).Pick(nil) == nil {
			b.Fatal("nobody")
		}
	}
}
