package roster

import (
	"fmt"
	"maps"
	"slices"
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

func held(d time.Duration, kind providers.Kind) cooldown.State {
	return cooldown.State{Since: now, Until: now.Add(d), ProbeAt: now.Add(d), Held: true, Kind: kind}
}

func TestRoster_AliasHasACursorOfItsOwnAndThePoolRotates(t *testing.T) {
	t.Parallel()
	x := New[int]()
	u := upstream("u", providers.Model{Name: "n1", Aliases: []string{"x"}}, providers.Model{Name: "n2", Aliases: []string{"x"}})
	x.Join(credential(u, "a"), 1, 0)
	ring := x.Ring("x", providers.OpenAIChat, now)
	require.ElementsMatch(t, []string{"n1", "n2"}, []string{picked(t, ring).Model(), picked(t, ring).Model()})
	require.NotSame(t, ring, x.Ring("n1", providers.OpenAIChat, now))
}

func TestRoster_ExcludedModelsHaveNoCandidates_AL16(t *testing.T) {
	t.Parallel()
	x := New[int]()
	u := upstream("u")
	u.Exclude = []string{"gpt-*"}
	x.Join(credential(u, "a"), 1, 0)
	require.Nil(t, x.Ring("gpt-5", providers.OpenAIChat, now))
	require.NotNil(t, x.Ring("o3", providers.OpenAIChat, now))
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
	}, x.Models(now))
}

// picked is the strategy's next pick, which there must be.
func picked(t require.TestingT, ring *Ring[int]) *Slot[int] {
	p, ok := ring.Pick(nil, now)
	require.True(t, ok)
	return p.Slot
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
	x.SetDown("down", true, false, now)
	x.SetDown("failed", false, true, now)
	x.Rest("resting", "m", resting(time.Minute), now)
	x.Rest("wide", "", resting(time.Second), now)
	x.Rest("unauthorized", "", held(time.Hour, providers.Unauthorized), now)
	ring := x.Ring("m", providers.OpenAIChat, now)
	tried := []Tried{{Credential: "tried"}}
	_, ok := ring.Pick(tried, now)
	require.False(t, ok)
	require.Equal(t, Shortage{
		Provider: "u", RetryAfter: time.Second, Due: now.Add(time.Second), Reasons: map[string]int{
			"disabled": 1, "failed": 2, "resting:rate-limited": 2, "unauthorized": 1, "tried": 1,
		},
	}, ring.Shortage(tried, now))
	require.Equal(t, Field{Strategy: "", Ready: 1, Rejected: []Rejection{
		{"disabled", Disabled},
		{"down", Failed},
		{"failed", Failed},
		{"resting", "resting:rate-limited"},
		{"unauthorized", Unauthorized},
		{"wide", "resting:rate-limited"},
	}}, *ring.Field(nil, now))
}

// What a request has tried is not ready for it, and is told apart from what nobody could pick.
func TestRing_FieldOfARequestThatHasTried(t *testing.T) {
	t.Parallel()
	x := New[int]()
	u := upstream("u", providers.Model{Name: "p1", Aliases: []string{"m"}}, providers.Model{Name: "p2", Aliases: []string{"m"}})
	for i, id := range []string{"high-1", "high-2", "low-1", "low-2", "out"} {
		c := credential(u, id)
		if i < 2 {
			c.Priority = 1
		}
		c.Disabled = id == "out"
		x.Join(c, 1, i)
	}
	ring := x.Ring("m", providers.OpenAIChat, now)
	of := func(ids ...string) (tried []Tried) {
		for _, id := range ids {
			tried = append(tried, Tried{Credential: providers.CredentialID(id)})
		}
		return tried
	}
	tests := map[string]struct {
		tried []Tried
		ready int
		want  []Rejection
	}{
		"nothing":    {nil, 4, []Rejection{{"out", Disabled}, {"low-1", LowerTier}, {"low-2", LowerTier}}},
		"one":        {of("high-1"), 3, []Rejection{{"high-1", AlreadyTried}, {"out", Disabled}, {"low-1", LowerTier}, {"low-2", LowerTier}}},
		"of low":     {of("low-2"), 3, []Rejection{{"low-2", AlreadyTried}, {"out", Disabled}, {"low-1", LowerTier}}},
		"a tier":     {of("high-2", "high-1"), 2, []Rejection{{"high-1", AlreadyTried}, {"high-2", AlreadyTried}, {"out", Disabled}}},
		"not ready":  {of("out"), 4, []Rejection{{"out", AlreadyTried}, {"low-1", LowerTier}, {"low-2", LowerTier}}},
		"twice":      {of("low-1", "low-1"), 3, []Rejection{{"low-1", AlreadyTried}, {"out", Disabled}, {"low-2", LowerTier}}},
		"unheard of": {of("x"), 4, []Rejection{{"out", Disabled}, {"low-1", LowerTier}, {"low-2", LowerTier}}},
		"all": {of("high-1", "high-2", "low-1", "low-2"), 0, []Rejection{
			{"high-1", AlreadyTried}, {"high-2", AlreadyTried}, {"low-1", AlreadyTried}, {"low-2", AlreadyTried}, {"out", Disabled},
		}},
		"one of its models": {[]Tried{{"high-1", "p1"}}, 4, []Rejection{{"out", Disabled}, {"low-1", LowerTier}, {"low-2", LowerTier}}},
		"all of its models": {[]Tried{{"high-1", "p1"}, {"high-1", "p2"}}, 3, []Rejection{
			{"high-1", AlreadyTried}, {"out", Disabled}, {"low-1", LowerTier}, {"low-2", LowerTier},
		}},
	}
	for name, tt := range tests {
		require.Equal(t, Field{Ready: tt.ready, Rejected: tt.want}, *ring.Field(tt.tried, now), name)
	}
}

func TestRing_FieldIsBounded(t *testing.T) {
	t.Parallel()
	x, u := New[int](), upstream("u", providers.Model{Name: "m"})
	for i := range 40 {
		id := fmt.Sprintf("c%02d", i)
		c := credential(u, id)
		c.Priority = i % 2
		if i < 4 {
			c.Exclude = []string{"m"}
		}
		x.Join(c, 1, i)
		if i < 14 {
			x.Rest(c.ID, "m", resting(time.Hour), now)
		}
	}
	f := x.Ring("m", providers.OpenAIChat, now).Field(nil, now)
	require.Len(t, f.Rejected, 16)
	require.Equal(t, 26, f.Ready)
	require.Equal(t, 4+10+13-16, f.More, "excluded, resting, of the lower tier, but for those that are listed")
	require.Contains(t, f.Rejected, Rejection{"c14", LowerTier})
	var tried []Tried
	for i := range 36 {
		tried = append(tried, Tried{Credential: providers.CredentialID(fmt.Sprintf("c%02d", i))})
	}
	f = x.Ring("m", providers.OpenAIChat, now).Field(tried, now)
	require.Len(t, f.Rejected, 16)
	require.Equal(t, 4, f.Ready)
	require.Equal(t, 32+4+2-16, f.More, "tried, excluded, of the lower tier, but for those that are listed")
}

func TestRing_WakeFindsRestsThatAreOver(t *testing.T) {
	t.Parallel()
	x := New[int]()
	u := upstream("u", providers.Model{Name: "m"})
	x.Join(credential(u, "a"), 1, 0)
	x.Rest("a", "m", resting(time.Second), now)
	ring := x.Ring("m", providers.OpenAIChat, now)
	ring.Wake(now)
	_, ok := ring.Pick(nil, now)
	require.False(t, ok)
	ring.Wake(now.Add(time.Second))
	_, ok = ring.Pick(nil, now.Add(time.Second))
	require.True(t, ok)
}

func TestRing_OneProbeAtATime(t *testing.T) {
	t.Parallel()
	for name, model := range map[string]string{"of a model": "m", "of a credential": ""} {
		t.Run(name, func(t *testing.T) {
			x, u := New[int](), upstream("u", providers.Model{Name: "m"}, providers.Model{Name: "m2"})
			x.Join(credential(u, "a"), 1, 0)
			x.Rest("a", model, held(time.Minute, providers.OutOfFunds), now)
			ring := x.Ring("m", providers.OpenAIChat, now)
			require.Equal(t, now.Add(time.Minute), ring.Shortage(nil, now).Due)
			due := now.Add(time.Minute)
			ring.Wake(due)
			p, ok := ring.Pick(nil, due)
			require.True(t, ok)
			require.True(t, p.Probe)
			_, ok = ring.Pick(nil, due)
			require.False(t, ok, "the probe is under way")
			require.Zero(t, ring.Shortage(nil, due).Due, "only its outcome can tell")
			x.Unprobed("a", "m", due)
			p, ok = ring.Pick(nil, due)
			require.True(t, ok && p.Probe, "it said nothing")
			x.Rest("a", model, cooldown.State{}, due)
			p, ok = ring.Pick(nil, due)
			require.True(t, ok && !p.Probe, "it succeeded")
		})
	}
}

func TestRing_LimitedCredentialsSaturate(t *testing.T) {
	t.Parallel()
	x, u := New[int](), upstream("u", providers.Model{Name: "m"})
	c := credential(u, "a")
	c.MaxConcurrency = 2
	x.Join(c, 1, 0)
	ring := x.Ring("m", providers.OpenAIChat, now)
	for range 2 {
		s := picked(t, ring)
		require.True(t, x.Tracked(s))
		x.Used(s, now)
	}
	_, ok := ring.Pick(nil, now)
	require.False(t, ok)
	require.True(t, ring.Shortage(nil, now).Saturated)
	require.Equal(t, map[string]int{"saturated": 1}, ring.Shortage(nil, now).Reasons)
	x.Released("a", now)
	picked(t, ring)
}

func TestRing_PoolFailsOverInsideACredential(t *testing.T) {
	t.Parallel()
	x := New[int]()
	u := upstream("u", providers.Model{Name: "n1", Aliases: []string{"x"}}, providers.Model{Name: "n2", Aliases: []string{"x"}})
	x.Join(credential(u, "a"), 1, 0)
	x.Join(credential(u, "b"), 1, 1)
	ring := x.Ring("x", providers.OpenAIChat, now)
	first, ok := ring.Pick(nil, now)
	require.True(t, ok && first.Pooled)
	tried := []Tried{{first.Credential(), first.Model()}}
	second, _, ok := ring.Seated(first.Credential(), 0, tried, now)
	require.True(t, ok)
	require.Equal(t, first.Credential(), second.Credential())
	require.NotEqual(t, first.Model(), second.Model())
	_, _, ok = ring.Seated(first.Credential(), 0, append(tried, Tried{second.Credential(), second.Model()}), now)
	require.False(t, ok)

	x.Rest("a", "n1", resting(time.Hour), now)
	for range 4 { // n1 is suspended there and skipped (AL9)
		p, _, ok := ring.Seated("a", 0, nil, now)
		require.True(t, ok)
		require.Equal(t, "n2", p.Model())
	}
	x.Rest("a", "n2", resting(time.Hour), now)
	_, _, ok = ring.Seated("a", 0, nil, now)
	require.False(t, ok)
}

func TestRing_HighestTierFirst(t *testing.T) {
	t.Parallel()
	x, u := New[int](), upstream("u", providers.Model{Name: "m"})
	for i, priority := range []int{0, 0, 10} {
		c := credential(u, string(rune('a'+i)))
		c.Priority = priority
		x.Join(c, 1, i)
	}
	ring := x.Ring("m", providers.OpenAIChat, now)
	for range 3 {
		require.EqualValues(t, "c", picked(t, ring).Credential(), "ST4, AF31")
	}
	x.Rest("c", "m", resting(time.Second), now)
	require.NotEqualValues(t, "c", picked(t, ring).Credential())
	later := now.Add(time.Second)
	ring.Wake(later)
	p, _ := ring.Pick(nil, later)
	require.EqualValues(t, "c", p.Credential())
}

func TestRing_FellowsShareAnAccount(t *testing.T) {
	t.Parallel()
	x, u := New[int](), upstream("u", providers.Model{Name: "m"})
	for i, account := range []string{"one", "one", "two", ""} {
		c := credential(u, string(rune('a'+i)))
		c.Account = account
		x.Join(c, 1, i)
	}
	ring := x.Ring("m", providers.OpenAIChat, now)
	p, ok := ring.Fellow("a", "u", "one", nil, now)
	require.True(t, ok)
	require.EqualValues(t, "a", p.Credential())
	x.Rest("a", "m", resting(time.Minute), now)
	p, ok = ring.Fellow("a", "u", "one", nil, now)
	require.True(t, ok)
	require.EqualValues(t, "b", p.Credential())
	x.Rest("b", "m", resting(time.Second), now)
	_, ok = ring.Fellow("a", "u", "one", nil, now)
	require.False(t, ok)
	e, known := ring.FellowShortage("a", "u", "one", now)
	require.True(t, known)
	require.Equal(t, now.Add(time.Second), e.Due)
	x.Leave("a")
	x.Leave("b")
	_, known = x.Ring("m", providers.OpenAIChat, now).FellowShortage("a", "u", "one", now)
	require.False(t, known, "gone")
	_, ok = x.Ring("m", providers.OpenAIChat, now).Fellow("d", "u", "", nil, now)
	require.True(t, ok)
	_, ok = x.Ring("m", providers.OpenAIChat, now).Fellow("d", "another", "", nil, now)
	require.False(t, ok, "it had that id, but was somebody else")
}

func TestRoster_ModelsHideWhatNobodyCanServe(t *testing.T) {
	t.Parallel()
	x, u := New[int](), upstream("u", providers.Model{Name: "m"})
	x.Join(credential(u, "a"), 1, 0)
	x.Join(credential(u, "b"), 1, 1)
	x.Rest("a", "m", held(time.Hour, providers.ModelUnsupported), now)
	require.Len(t, x.Models(now), 1)
	x.Rest("b", "", held(time.Hour, providers.Unauthorized), now)
	require.Empty(t, x.Models(now))
	x.Rest("b", "", resting(time.Hour), now)
	require.Len(t, x.Models(now), 1, "a rest is no reason to hide (CD15)")
}

func TestRoster_MadeUpNamesDoNotPileUp(t *testing.T) {
	t.Parallel()
	x := New[int]()
	x.Join(credential(upstream("u"), "a"), 1, 0)
	for i := range 3 * maxRoutes {
		picked(t, x.Ring(fmt.Sprintf("made-up-%d", i), providers.OpenAIChat, now))
	}
	require.LessOrEqual(t, len(x.routes), maxRoutes)
	require.LessOrEqual(t, len(x.members["a"].slots), maxRoutes)
	require.LessOrEqual(t, len(x.memories), maxRoutes)
}

// TestRoster_NeverPicksWhoIsOutAndSharesEvenly drives a roster with random commands beside a
// simple model of it: N·k picks of those that stay ready give each k, one more or one less,
// while others rest, recover, join and leave.
func TestRoster_NeverPicksWhoIsOutAndSharesEvenly(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		x, u := New[int](), upstream("u", providers.Model{Name: "m"})
		x.SetStrategy(rapid.SampledFrom([]config.Strategy{config.RoundRobin, config.Weighted}).Draw(t, "strategy"))
		ready := map[providers.CredentialID]bool{}
		order := map[providers.CredentialID]int{}
		since := map[providers.CredentialID]int{} // picks since it became ready
		begin := map[providers.CredentialID]map[providers.CredentialID]int{}
		become := func(id providers.CredentialID, to bool) {
			if was, ok := ready[id]; !ok || was == to {
				return
			}
			ready[id] = to
			begin[id] = maps.Clone(since)
		}
		for n := range rapid.IntRange(1, 150).Draw(t, "commands") {
			id := providers.CredentialID(rapid.SampledFrom([]string{"a", "b", "c", "d", "e"}).Draw(t, "id"))
			_, joined := ready[id]
			switch rapid.SampledFrom([]string{"join", "leave", "rest", "wake", "down", "up", "pick", "pick", "pick", "pick"}).Draw(t, "command") {
			case "join":
				if !joined {
					c := credential(u, string(id))
					c.Weight = 1
					order[id] = n
					x.Join(c, 1, n)
					ready[id] = false
					become(id, true)
				}
			case "leave":
				x.Leave(id)
				delete(ready, id)
			case "rest":
				x.Rest(id, "m", resting(time.Hour), now)
				become(id, false)
			case "wake", "up":
				x.SetDown(id, false, false, now)
				x.Rest(id, "m", cooldown.State{}, now)
				become(id, true)
			case "down":
				x.SetDown(id, true, false, now)
				become(id, false)
			case "pick":
				pickOne(t, x, ready, since, begin)
			}
		}
	})
}

func pickOne(t *rapid.T, x *Roster[int], ready map[providers.CredentialID]bool, since map[providers.CredentialID]int, begin map[providers.CredentialID]map[providers.CredentialID]int) {
	ring := x.Ring("m", providers.OpenAIChat, now)
	if len(ready) == 0 {
		require.Nil(t, ring)
		return
	}
	p, ok := ring.Pick(nil, now)
	require.Equal(t, slices.Contains(slices.Collect(maps.Values(ready)), true), ok)
	if !ok {
		return
	}
	id := p.Credential()
	require.True(t, ready[id], "%s is not ready", id)
	since[id]++
	for other, ok := range ready {
		if !ok || other == id {
			continue
		}
		// Since both have been ready, neither has had two turns more than the other.
		from := begin[id]
		if begin[other][id] > begin[id][id] || begin[other][other] > begin[id][other] {
			from = begin[other]
		}
		mine, theirs := since[id]-from[id], since[other]-from[other]
		require.LessOrEqual(t, mine-theirs, 1, "%s was passed over for %s", other, id)
	}
}

func BenchmarkRing_PickAmong10000With9990Resting(b *testing.B) {
	x, u := New[int](), upstream("u", providers.Model{Name: "m"})
	for i := range 10000 {
		id := fmt.Sprintf("c%05d", i)
		x.Join(credential(u, id), 1, i)
		if i%1000 != 0 {
			x.Rest(providers.CredentialID(id), "m", resting(time.Hour), now)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := x.Ring("m", providers.OpenAIChat, now).Pick(nil, now); !ok {
			b.Fatal("nobody")
		}
	}
}
