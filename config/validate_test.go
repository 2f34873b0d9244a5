package config

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What Validate finds in files is in testdata/bad; here is what files do not show.

func TestValidate_GivesPathsWithoutLines(t *testing.T) {
	t.Parallel()
	weight := -1
	c := EmbeddedDefault()
	c.Retry.MaxWait = -time.Second
	c.Providers[0].Credentials[2].Weight = &weight
	var errs Errors
	require.ErrorAs(t, c.Validate(), &errs)
	require.Equal(t, Errors{
		{Path: "retry.max-wait", Problem: "must not be negative"},
		{Path: "providers[0].credentials[2].weight", Problem: "must be between 0 and 1000000"},
	}, errs)
	require.EqualError(t, errs, "retry.max-wait: must not be negative\n"+
		"providers[0].credentials[2].weight: must be between 0 and 1000000")
}

func TestValidate_KnowsTheHostsKinds(t *testing.T) {
	t.Parallel()
	c := EmbeddedDefault()
	c.Providers[0].Kind = "host-kind"
	require.ErrorContains(t, c.Validate("other-kind"), `unknown value "host-kind"`)
	require.NoError(t, c.Validate("other-kind", "host-kind"))
}

func TestValidate_ChecksKeysThatLoadingFills(t *testing.T) {
	t.Parallel()
	c := EmbeddedDefault()
	c.APIKeys = []APIKey{{Key: "k"}}
	c.Providers[0].Credentials[0].ID = ""
	require.EqualError(t, c.Validate(), "api-keys[0].name: must not be empty\nproviders[0].credentials[0].id: is required")
}

func TestValidate_AllowsOpenAccessOnLoopbackOnly(t *testing.T) {
	t.Parallel()
	tests := map[string]bool{
		"127.0.0.1:8317":          true,
		"127.8.9.10:0":            true,
		"[::1]:8317":              true,
		"[::ffff:127.0.0.1]:8317": true,
		"localhost:8317":          true,
		":8317":                   false,
		"0.0.0.0:8317":            false,
		"[::]:8317":               false,
		"10.0.0.1:8317":           false,
		"localhost.example:8317":  false,
		"gateway.internal:8317":   false,
	}
	for listen, open := range tests {
		c := EmbeddedDefault()
		c.Listen = listen
		if open {
			require.NoError(t, c.Validate(), listen)
		} else {
			require.ErrorContains(t, c.Validate(), "api-keys: is required", listen)
		}
		c.APIKeys = []APIKey{{Key: "k", Name: "n"}}
		require.NoError(t, c.Validate(), listen)
	}
}

func TestValidate_RefusesAddressesNobodyCanListenOn(t *testing.T) {
	t.Parallel()
	for _, listen := range []string{"", "127.0.0.1", "127.0.0.1:65536", "127.0.0.1:-1", "::1:80", "http://a:80", "a b:80", "a:"} {
		c := EmbeddedDefault()
		c.Listen = listen
		require.ErrorContains(t, c.Validate(), "listen: ", listen)
	}
}

func TestValidate_AcceptsBcryptAndLongSecrets(t *testing.T) {
	t.Parallel()
	const digest = "abcdefghijklmnopqrstuvABCDEFGHIJKLMNOPQRSTUVWXYZ01234"
	tests := map[string]string{
		"":                       "",
		"correct horse battery":  "",
		"$2y$31$" + digest:       "",
		"$2b$32$" + digest:       "not a complete one",
		"$2b$12$" + digest + "x": "not a complete one",
		"1234567":                "at least 8 bytes",
		"12345678\n":             "must not begin or end with a space",
	}
	for secret, want := range tests {
		c := EmbeddedDefault()
		c.Management.SecretKey = secret
		if want == "" {
			require.NoError(t, c.Validate(), secret)
		} else {
			require.ErrorContains(t, c.Validate(), "management.secret-key: ", secret)
			require.ErrorContains(t, c.Validate(), want, secret)
		}
	}
}

func TestValidate_AcceptsTheEdges(t *testing.T) {
	t.Parallel()
	zero, most := 0, maxWeight
	c := EmbeddedDefault()
	c.MaxBodyBytes = minBodyBytes
	c.ShutdownGrace, c.Retry, c.Timeouts, c.Streaming = 0, Retry{}, Timeouts{}, Streaming{}
	c.Routing.SessionAffinityTTL = time.Second
	c.Cooldown = Cooldown{Max: 1, TransientMax: 1}
	p := &c.Providers[0]
	p.ProxyURL = "direct"
	p.BaseURL = "https://example.com/v1/"
	p.Headers = map[string]string{"X-Empty": "", "X-Copy": "$X-Foo"}
	p.Models = []Model{{Name: "org/model:free"}}
	p.Credentials[0].Weight, p.Credentials[1].Weight = &zero, &most
	p.Credentials[0].Faults = []Fault{{}, {Status: 200}, {Status: 599}}
	p.ErrorRules = []ErrorRule{{Status: 100, Action: "ignore"}, {BodyRegex: "a|b", Action: "rest", Rest: 1}}
	require.NoError(t, c.Validate())
	c.MaxBodyBytes, c.Retry.Rounds = maxBodyBytes, maxRounds
	require.NoError(t, c.Validate())
}
