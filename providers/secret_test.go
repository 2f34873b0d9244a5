package providers_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v4"

	"github.com/understudyhq/understudy/providers"
)

const hidden = "sk-hidden-0123456789"

func TestSecret_IsMaskedByEveryVerb(t *testing.T) {
	t.Parallel()
	secret := providers.NewSecret(hidden)
	values := map[string]any{
		"value": secret, "pointer": &secret, "field": struct{ Key providers.Secret }{secret},
		"slice": []providers.Secret{secret}, "map": map[string]providers.Secret{"k": secret},
		"credential": providers.Credential{ID: "a", Secret: secret}, "error": fmt.Errorf("use %v", secret),
	}
	for name, value := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T %v", "%10.3s", "%t"} {
			text := fmt.Sprintf(verb, value, value)
			require.NotContains(t, text, hidden, "%s of a %s", verb, name)
			require.NotContains(t, text, fmt.Sprintf("%x", hidden), "%s of a %s", verb, name)
			require.NotContains(t, text, fmt.Sprintf("%X", hidden), "%s of a %s", verb, name)
		}
	}
	require.Equal(t, "***", fmt.Sprint(secret))
	require.Equal(t, "***", secret.String())
	require.Equal(t, "***", secret.GoString())
}

func TestSecret_IsMaskedByEncoders(t *testing.T) {
	t.Parallel()
	record := struct {
		Key providers.Secret            `json:"key" yaml:"key"`
		By  map[string]providers.Secret `json:"by" yaml:"by"`
	}{providers.NewSecret(hidden), map[string]providers.Secret{"x": providers.NewSecret(hidden)}}
	asJSON, err := json.Marshal(record)
	require.NoError(t, err)
	require.JSONEq(t, `{"key":"***","by":{"x":"***"}}`, string(asJSON))
	asYAML, err := yaml.Marshal(record)
	require.NoError(t, err)
	require.NotContains(t, string(asYAML), hidden)
	require.Contains(t, string(asYAML), "***")
}

func TestSecret_IsMaskedInLogs(t *testing.T) {
	t.Parallel()
	var text, structured bytes.Buffer
	for _, h := range []slog.Handler{slog.NewTextHandler(&text, nil), slog.NewJSONHandler(&structured, nil)} {
		secret := providers.NewSecret(hidden)
		slog.New(h).With("with", secret).Info("used", "secret", secret, "any", []any{secret}, slog.Group("g", "s", &secret))
	}
	require.NotContains(t, text.String()+structured.String(), hidden)
	require.Contains(t, text.String(), "secret=***")
	require.Contains(t, structured.String(), `"secret":"***"`)
}

func TestSecret_GivesItselfOutOnlyWhenAsked(t *testing.T) {
	t.Parallel()
	require.Equal(t, hidden, providers.NewSecret(hidden).Reveal())
	require.False(t, providers.NewSecret(hidden).Empty())
	var none providers.Secret
	require.True(t, none.Empty())
	require.Empty(t, none.Reveal())
	require.Empty(t, fmt.Sprint(none), "nothing to mask")
}
