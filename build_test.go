package understudy

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/providers"
)

// ruled is a configuration with error rules on both levels and two credentials.
func ruled(t *testing.T, change func(*config.Config)) *config.Config {
	t.Helper()
	cfg, err := config.Parse("c.yaml", []byte(`
providers:
  - name: local
    kind: openai-compatible
    base-url: http://upstream.example/v1
    models: [big]
    error-rules:
      - {status: 403, body-regex: "(?i)quota", action: rest, rest: 10m}
      - {body-contains: policy, action: stop}
    credentials:
      - {id: a, api-key: k, disable-cooldown: false, error-rules: [{body-regex: "busy|full", action: next}]}
      - {id: b, api-key: k, disable-cooldown: true}
      - {id: c, api-key: k}
`), nil)
	require.NoError(t, err)
	if change != nil {
		change(cfg)
	}
	require.NoError(t, cfg.Validate())
	return cfg
}

func TestBuilder_CompilesErrorRules(t *testing.T) {
	t.Parallel()
	built, err := newBuilder(newOptions(nil)).build(ruled(t, nil))
	require.NoError(t, err)
	u := built.upstreams[0]

	require.Len(t, u.upstream.Rules, 2)
	require.Equal(t, "(?i)quota", u.upstream.Rules[0].Pattern.String())
	require.Equal(t, providers.ErrorRule{
		Status: 403, Pattern: u.upstream.Rules[0].Pattern, Action: providers.ActionRest, Rest: 10 * time.Minute,
	}, u.upstream.Rules[0])
	require.Equal(t, providers.ErrorRule{Contains: "policy", Action: providers.ActionStop}, u.upstream.Rules[1])
	a, b, c := u.credentials[0], u.credentials[1], u.credentials[2]
	require.Len(t, a.Rules, 1)
	require.Equal(t, "busy|full", a.Rules[0].Pattern.String())
	require.Empty(t, b.Rules)
	require.False(t, *a.DisableCooldown, "it rests whatever the global setting says (CD27)")
	require.True(t, *b.DisableCooldown, "it never rests (CD26, CD27)")
	require.Nil(t, c.DisableCooldown)

	o := providers.Judge(b, providers.Answer{Status: 403, Body: []byte(`{"error":{"message":"Quota used"}}`)})
	require.Equal(t, 10*time.Minute, o.Rest)
	o = providers.Judge(a, providers.Answer{Status: 403, Body: []byte(`{"error":{"message":"busy: quota used"}}`)})
	require.Equal(t, providers.ThenNext, o.Then, "the credential's rules come first")
	require.Zero(t, o.Rest)
}

func TestBuilder_RefusesAPatternThatIsNone(t *testing.T) {
	t.Parallel()
	broken := []config.ErrorRule{{BodyRegex: "(", Action: "stop"}}
	for name, change := range map[string]func(*config.Config){
		"provider local: error-rules[0].body-regex":               func(c *config.Config) { c.Providers[0].ErrorRules = broken },
		"provider local: credential b: error-rules[0].body-regex": func(c *config.Config) { c.Providers[0].Credentials[1].ErrorRules = broken },
	} {
		cfg := ruled(t, nil)
		change(cfg)
		_, err := newBuilder(newOptions(nil)).build(cfg)
		require.ErrorContains(t, err, name)
	}
}

func TestBuilder_KeepsWhatDidNotChange(t *testing.T) {
	t.Parallel()
	yes := true
	tests := map[string]struct {
		change   func(*config.Config)
		upstream bool   // stays the same object
		kept     []bool // for each credential
	}{
		"nothing":       {nil, true, []bool{true, true, true}},
		"a priority":    {func(c *config.Config) { c.Providers[0].Credentials[2].Priority = 1 }, true, []bool{true, true, false}},
		"a cooldown":    {func(c *config.Config) { c.Providers[0].Credentials[0].DisableCooldown = &yes }, true, []bool{false, true, true}},
		"an own rule":   {func(c *config.Config) { c.Providers[0].Credentials[0].ErrorRules[0].BodyRegex = "busy" }, true, []bool{false, true, true}},
		"a common rule": {func(c *config.Config) { c.Providers[0].ErrorRules[0].BodyRegex = "quota" }, false, []bool{false, false, false}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBuilder(newOptions(nil))
			first, err := b.build(ruled(t, nil))
			require.NoError(t, err)
			b.adopt(first)
			second, err := b.build(ruled(t, tt.change))
			require.NoError(t, err)
			was, is := first.upstreams[0], second.upstreams[0]
			require.Equal(t, tt.upstream, was.upstream == is.upstream)
			for i, kept := range tt.kept {
				require.Equal(t, kept, was.credentials[i] == is.credentials[i], was.credentials[i].ID)
			}
		})
	}
}

func TestBuilder_GivesVertexCredentialsTheirPlace(t *testing.T) {
	t.Parallel()
	parse := func(place string) *config.Config {
		cfg, err := config.Parse("c.yaml", []byte(`
providers:
  - {name: vertex, kind: vertex, `+place+`, credentials: [{api-key: a}, {api-key: b}]}
  - {name: gemini, kind: gemini, credentials: [{api-key: c}]}
`), nil)
		require.NoError(t, err)
		return cfg
	}
	b := newBuilder(newOptions(nil))
	first, err := b.build(parse("project: p, location: us-central1"))
	require.NoError(t, err)
	b.adopt(first)
	call := providers.Call{Format: providers.Gemini, Operation: providers.Generate, Model: "m"}
	for _, c := range first.upstreams[0].credentials {
		u, err := c.URL(call)
		require.NoError(t, err)
		require.Equal(t, "https://us-central1-aiplatform.googleapis.com/v1/projects/p/locations/us-central1/publishers/google/models/m:generateContent", u.String())
	}
	require.Nil(t, first.upstreams[1].credentials[0].Base)

	second, err := b.build(parse("project: p, location: us-central1, models: [m]"))
	require.NoError(t, err)
	require.Equal(t, first.upstreams[0].credentials[0].Base, second.upstreams[0].credentials[0].Base)
	b.adopt(second)
	third, err := b.build(parse("project: p, location: us-central1, models: [m]"))
	require.NoError(t, err)
	require.Same(t, second.upstreams[0].credentials[0], third.upstreams[0].credentials[0])

	moved, err := b.build(parse("project: p, location: global, base-url: https://vertex.example, models: [m]"))
	require.NoError(t, err)
	u, err := moved.upstreams[0].credentials[1].URL(call)
	require.NoError(t, err)
	require.Equal(t, "https://vertex.example/v1/projects/p/locations/global/publishers/google/models/m:generateContent", u.String())

	nowhere := parse("project: p, location: global")
	nowhere.Providers[0].Project = ""
	_, err = b.build(nowhere)
	require.EqualError(t, err, `provider vertex: credential vertex-1: project: "" is not a project`)
}
