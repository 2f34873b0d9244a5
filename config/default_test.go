package config

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestEmbeddedDefault_IsValidAndComplete(t *testing.T) {
	t.Parallel()
	c := EmbeddedDefault()
	require.NoError(t, c.Validate())
	require.Equal(t, "127.0.0.1:8317", c.Listen)
	require.True(t, c.Routing.SessionAffinity)
	require.Empty(t, c.APIKeys)

	accounts := map[string][]string{}
	for _, cred := range c.Providers[0].Credentials {
		accounts[cred.Account] = append(accounts[cred.Account], cred.ID)
		require.Equal(t, cred.ID, cred.APIKey)
	}
	require.Equal(t, map[string][]string{
		"a": {"sim-a-1", "sim-a-2", "sim-a-3"},
		"b": {"sim-b-1", "sim-b-2", "sim-b-3"},
	}, accounts)
}

func TestEmbeddedDefault_SharesNothing(t *testing.T) {
	t.Parallel()
	EmbeddedDefault().Providers[0].Models[0].Alias[0] = "changed"
	require.NotEqual(t, "changed", EmbeddedDefault().Providers[0].Models[0].Alias[0])
}

func TestDefault_LacksOnlyAProvider(t *testing.T) {
	t.Parallel()
	c := Default()
	require.EqualError(t, c.Validate(), "providers: at least one provider is required")
}

func TestComplete_MakesAConfigBuiltInGoValid(t *testing.T) {
	t.Parallel()
	on := true
	c := Config{Live: Live{
		APIKeys: []APIKey{{Key: "k"}},
		Routing: Routing{Strategy: "ff", ClaudeCodeSessionAffinity: &on},
		Providers: []Provider{
			{Name: "a", Kind: KindAnthropic, Credentials: []Credential{{APIKey: "secret"}, {ID: "own", APIKey: "secret"}}},
			{Name: "mine", Kind: "host-kind", Credentials: []Credential{{APIKey: "secret"}}},
		},
	}}
	Complete(&c)
	require.NoError(t, c.Validate("host-kind"))
	require.Equal(t, FillFirst, c.Routing.Strategy)
	require.True(t, c.Routing.SessionAffinity)
	require.Equal(t, time.Hour, c.Routing.SessionAffinityTTL)
	require.Equal(t, "key-1", c.APIKeys[0].Name)
	require.Equal(t, "https://api.anthropic.com", c.Providers[0].BaseURL)
	require.Equal(t, []string{"anthropic"}, c.Providers[0].Formats)
	require.Equal(t, "a-1", c.Providers[0].Credentials[0].ID)
	require.Equal(t, "own", c.Providers[0].Credentials[1].ID)
	require.Nil(t, c.Providers[1].Formats, "the adapter knows what it speaks")
	require.Zero(t, c.Streaming.Keepalive, "0 means off")
}

func TestComplete_KeepsCooldownMaxAboveTransientMax(t *testing.T) {
	t.Parallel()
	c := Default()
	c.Cooldown = Cooldown{Max: 10 * time.Second}
	Complete(&c)
	require.Equal(t, 10*time.Second, c.Cooldown.TransientMax)
}

func TestComplete_ChangesNothingTheSecondTime(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := configs().Draw(t, "config")
		once := describeSettings(c)
		Complete(c)
		require.Equal(t, once, describeSettings(c))
	})
}

// configs draws complete configurations from few names, so that two of them overlap.
func configs() *rapid.Generator[*Config] {
	name := rapid.SampledFrom([]string{"a", "b", "c"})
	list := rapid.SliceOfNDistinct(name, 0, 3, rapid.ID)
	credential := func(t *rapid.T, id string) Credential {
		c := Credential{
			ID:       id,
			APIKey:   name.Draw(t, "api key"),
			Priority: rapid.IntRange(0, 1).Draw(t, "priority"),
			Models:   list.Draw(t, "globs"),
		}
		if rapid.Bool().Draw(t, "weighted") {
			weight := rapid.IntRange(0, 2).Draw(t, "weight")
			c.Weight = &weight
		}
		return c
	}
	return rapid.Custom(func(t *rapid.T) *Config {
		c := Default()
		c.Listen = rapid.SampledFrom([]string{"127.0.0.1:1", "127.0.0.1:2"}).Draw(t, "listen")
		c.Routing.Strategy = rapid.SampledFrom([]Strategy{"rr", "ff", LeastLoaded}).Draw(t, "strategy")
		for _, key := range list.Draw(t, "keys") {
			c.APIKeys = append(c.APIKeys, APIKey{Key: key + name.Draw(t, "key"), Name: key})
		}
		for _, provider := range list.Draw(t, "providers") {
			p := Provider{Name: provider, Kind: rapid.SampledFrom(knownKinds()).Draw(t, "kind")}
			for _, model := range list.Draw(t, "models") {
				p.Models = append(p.Models, Model{Name: model, Alias: list.Draw(t, "alias")})
			}
			for _, id := range list.Draw(t, "credentials") {
				p.Credentials = append(p.Credentials, credential(t, provider+"-"+id))
			}
			if rapid.Bool().Draw(t, "rules") {
				p.ErrorRules = []ErrorRule{{Status: rapid.IntRange(400, 401).Draw(t, "status"), Action: "stop"}}
			}
			c.Providers = append(c.Providers, p)
		}
		Complete(&c)
		return &c
	})
}
