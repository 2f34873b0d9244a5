package config

import (
	"log/slog"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestDiff_NamesWhatChanged(t *testing.T) {
	t.Parallel()
	weight := 3
	tests := map[string]struct {
		change func(*Config)
		want   []Change
	}{
		"nothing": {func(*Config) {}, nil},
		"an empty list for none": {
			func(c *Config) { c.APIKeys, c.Providers[0].ExcludeModels = []APIKey{}, []string{} }, nil,
		},
		"boot": {
			func(c *Config) { c.Listen, c.TLS.CertFile = "127.0.0.1:1", "cert.pem" },
			[]Change{{Path: "listen", Kind: Changed, Boot: true}, {Path: "tls.cert-file", Kind: Changed, Boot: true}},
		},
		"plain settings": {
			func(c *Config) { c.Retry.MaxWait, c.Routing.Strategy = time.Second, FillFirst },
			[]Change{{Path: "retry.max-wait", Kind: Changed}, {Path: "routing.strategy", Kind: Changed}},
		},
		"management key": {
			func(c *Config) { c.Management.SecretKey = "hunter2hunter2" },
			[]Change{{Path: "management.secret-key", Kind: Changed, Secret: true}},
		},
		"client key added": {
			func(c *Config) { c.APIKeys = []APIKey{{Key: "hunter2", Name: "team"}} },
			[]Change{{Path: "api-keys[team]", Kind: Added}},
		},
		"provider added": {
			func(c *Config) { c.Providers = append(c.Providers, Provider{Name: "p"}) },
			[]Change{{Path: "providers[p]", Kind: Added}},
		},
		"provider renamed": {
			func(c *Config) { c.Providers[0].Name = "other" },
			[]Change{{Path: "providers[other]", Kind: Added}, {Path: "providers[simulator]", Kind: Removed}},
		},
		"model removed": {
			func(c *Config) { c.Providers[0].Models = c.Providers[0].Models[1:] },
			[]Change{{Path: "providers[simulator].models[understudy-large]", Kind: Removed}},
		},
		"alias of a model": {
			func(c *Config) { c.Providers[0].Models[0].Alias = []string{"main"} },
			[]Change{{Path: "providers[simulator].models[understudy-large].alias", Kind: Changed}},
		},
		"headers and proxy": {
			func(c *Config) {
				c.Providers[0].Headers = map[string]string{"X-Key": "hunter2"}
				c.Providers[0].ProxyURL = "http://user:hunter2@proxy"
			},
			[]Change{
				{Path: "providers[simulator].headers", Kind: Changed, Secret: true},
				{Path: "providers[simulator].proxy-url", Kind: Changed, Secret: true},
			},
		},
		"fields of a credential": {
			func(c *Config) {
				cred := &c.Providers[0].Credentials[1]
				cred.APIKey, cred.Weight, cred.Faults = "hunter2", &weight, []Fault{{Status: 500}}
			},
			[]Change{
				{Path: "providers[simulator].credentials[sim-a-2].api-key", Kind: Changed, Secret: true},
				{Path: "providers[simulator].credentials[sim-a-2].faults", Kind: Changed},
				{Path: "providers[simulator].credentials[sim-a-2].weight", Kind: Changed},
			},
		},
		"order of credentials": {
			func(c *Config) { slices.Reverse(c.Providers[0].Credentials) },
			[]Change{{Path: "providers[simulator].credentials", Kind: Changed}},
		},
		"credential removed from between": {
			func(c *Config) { c.Providers[0].Credentials = slices.Delete(c.Providers[0].Credentials, 1, 2) },
			[]Change{{Path: "providers[simulator].credentials[sim-a-2]", Kind: Removed}},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			next := EmbeddedDefault()
			tt.change(next)
			require.Equal(t, tt.want, Diff(EmbeddedDefault(), next))
		})
	}
}

func TestDiff_IsEmptyOnlyForWhatIsAlike(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := configs().Draw(t, "a"), configs().Draw(t, "b")
		require.Empty(t, Diff(a, a))
		require.Equal(t, sameSettings(a, b), len(Diff(a, b)) == 0)
	})
}

// sameSettings reports whether a and b show the same settings.
func sameSettings(a, b *Config) bool { return describeSettings(a) == describeSettings(b) }

func TestDiff_MirrorsItselfBackwards(t *testing.T) {
	t.Parallel()
	mirrored := map[ChangeKind]ChangeKind{Added: Removed, Removed: Added, Changed: Changed}
	rapid.Check(t, func(t *rapid.T) {
		a, b := configs().Draw(t, "a"), configs().Draw(t, "b")
		there, back := Diff(a, b), Diff(b, a)
		require.Len(t, back, len(there))
		for _, c := range there {
			c.Kind = mirrored[c.Kind]
			require.Contains(t, back, c)
		}
	})
}

func TestChange_ShowsNoValue(t *testing.T) {
	t.Parallel()
	c := Change{Path: "listen", Kind: Changed, Boot: true}
	require.Equal(t, "listen changed (needs a restart)", c.String())
	require.Equal(t, slog.StringValue("listen changed (needs a restart)"), c.LogValue())
	for i := range reflect.TypeFor[Change]().NumField() {
		require.Contains(t, []reflect.Kind{reflect.String, reflect.Bool}, reflect.TypeFor[Change]().Field(i).Type.Kind())
	}
}
