package config

import (
	"fmt"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// keyShapes lists every key of the settings struct t in the configuration file, such as
// providers[].models[].name.
func keyShapes(t reflect.Type, path string) []string {
	var shapes []string
	for _, f := range fieldsOf(t) {
		if f.is("file") {
			continue
		}
		shape := join(path, f.key)
		shapes = append(shapes, shape)
		switch kind := t.FieldByIndex(f.index).Type; {
		case kind.Kind() == reflect.Struct && kind != reflect.TypeFor[time.Time]():
			shapes = append(shapes, keyShapes(kind, shape)...)
		case kind.Kind() == reflect.Slice && kind.Elem().Kind() == reflect.Struct:
			shapes = append(shapes, keyShapes(kind.Elem(), shape+"[]")...)
		}
	}
	return shapes
}

// fileShapes lists the keys that are only for files in credentials-dir.
func fileShapes() []string {
	shared := map[string]bool{}
	for _, f := range fieldsOf(reflect.TypeFor[Credential]()) {
		shared[f.key] = !f.is("file")
	}
	shapes := []string{"service-account.file"} // the rest of it is Google's
	for _, f := range fieldsOf(reflect.TypeFor[fileKeys]()) {
		if !shared[f.key] {
			shapes = append(shapes, f.key)
		}
	}
	return append(shapes, keyShapes(reflect.TypeFor[OAuth](), "oauth")...)
}

func exampleEnvironment(name string) (string, bool) {
	known := []string{"TEAM_A_KEY", "TEAM_B_KEY", "ANTHROPIC_KEY", "OPENAI_KEY_1", "OPENAI_KEY_2"}
	return "value-of-" + name, slices.Contains(known, name)
}

func TestExample_LoadsAndHasEveryKey(t *testing.T) {
	t.Parallel()
	const path = "../config.example.yaml"
	c, err := Load(path, exampleEnvironment)
	require.NoError(t, err)
	require.Equal(t, "value-of-OPENAI_KEY_2", c.Providers[1].Credentials[1].APIKey)

	data, err := os.ReadFile(path)
	require.NoError(t, err)
	root, failure := parseDocument(data)
	require.Nil(t, failure)
	d := decoder{getenv: exampleEnvironment, lines: map[string]int{}, budget: maxValues}
	d.decode(root, reflect.ValueOf(&Config{}).Elem(), "")
	index := regexp.MustCompile(`\[\d+\]`)
	used := map[string]bool{}
	for path := range d.lines {
		used[index.ReplaceAllString(path, "[]")] = true
	}
	for _, shape := range keyShapes(reflect.TypeFor[Config](), "") {
		switch {
		case shape == "routing.claude-code-session-affinity": // deprecated, hence commented out
			require.Contains(t, string(data), "\n  # claude-code-session-affinity: true\n")
		case strings.HasPrefix(shape, "providers[].credentials[].error-rules[]."): // shown for a provider
		default:
			require.True(t, used[shape], "%s lacks %s", path, shape)
		}
	}
}

func TestExample_ShowsTheDefaults(t *testing.T) {
	t.Parallel()
	c, err := Load("../config.example.yaml", exampleEnvironment)
	require.NoError(t, err)
	c.APIKeys, c.Providers = nil, nil
	require.Equal(t, Default(), *c)
}

// documented is one row of a table in docs/configuration.md.
type documented struct{ standard, values, applies string }

func documentedKeys(t *testing.T) map[string]documented {
	t.Helper()
	data, err := os.ReadFile("../docs/configuration.md")
	require.NoError(t, err)
	rows := map[string]documented{}
	row := regexp.MustCompile("(?m)^\\| `([^`]+)` \\| (.*) \\| (.*) \\| (.*) \\|$")
	for _, m := range row.FindAllStringSubmatch(string(data), -1) {
		require.NotContains(t, rows, m[1], "documented twice")
		rows[m[1]] = documented{standard: strings.Trim(m[2], "`"), values: m[3], applies: m[4]}
	}
	return rows
}

func TestDocs_DescribeEveryKeyAndNoOther(t *testing.T) {
	t.Parallel()
	rows := documentedKeys(t)
	owners := []string{"providers[].credentials[].error-rules[].", "providers[].credentials[].faults[].", "providers[].error-rules[]."}
	wanted := map[string]bool{}
	for _, shape := range keyShapes(reflect.TypeFor[Config](), "") {
		for _, owner := range owners {
			if field, ok := strings.CutPrefix(shape, owner); ok {
				parts := strings.Split(strings.TrimSuffix(owner, "."), ".")
				shape = parts[len(parts)-1] + "." + field
			}
		}
		wanted[shape] = true
	}
	for _, shape := range fileShapes() {
		wanted[shape] = true
	}
	for shape := range wanted {
		require.Contains(t, slices.Collect(maps.Keys(rows)), shape)
	}
	for key := range rows {
		require.True(t, wanted[key], "%s is documented but does not exist", key)
	}
}

func TestDocs_ShowCredentialFilesThatWork(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../docs/configuration.md")
	require.NoError(t, err)
	_, section, _ := strings.Cut(string(data), "\n## Credential files\n")
	section, _, _ = strings.Cut(section, "\n## ")
	blocks := regexp.MustCompile("(?s)```(yaml|json)\n(.*?)```").FindAllStringSubmatch(section, -1)
	require.Len(t, blocks, 3)
	key := accountKey(t, privateKey(t, true), nil)
	used := map[string]bool{}
	for i, block := range blocks {
		p := testParser(key)
		p.getenv = func(name string) (string, bool) { return "k", name == "OPENAI_KEY_7" }
		p.kinds = map[string]string{"openai": KindOpenAI, "gemini": KindGemini, "vertex": KindVertex}
		f := p.parse(fmt.Sprintf("creds/%d.%s", i, block[1]), []byte(block[2]))
		require.Empty(t, f.bad)
		require.NotEmpty(t, f.credentials)
		for _, shape := range fileShapes() {
			parts := strings.Split(shape, ".")
			used[shape] = used[shape] || strings.Contains(block[2], parts[len(parts)-1]+":") || strings.Contains(block[2], parts[len(parts)-1]+`":`)
		}
	}
	for _, shape := range fileShapes() {
		require.True(t, used[shape], shape)
	}
}

func TestDocs_GiveDefaultsAndRestarts(t *testing.T) {
	t.Parallel()
	rows := documentedKeys(t)
	boot := keyShapes(reflect.TypeFor[Boot](), "")
	standard := Default()
	walk(reflect.ValueOf(&standard).Elem(), "", "", func(s setting) {
		row := rows[s.shape]
		if s.value.Kind() != reflect.Struct {
			require.Equal(t, defaultText(s.value), row.standard, s.shape)
		}
		require.Equal(t, slices.Contains(boot, s.shape), row.applies == "restart", s.shape)
	})
}

// defaultText is how the table shows a default.
func defaultText(v reflect.Value) string {
	switch {
	case v.Type() == reflect.TypeFor[[]Provider]():
		return "required"
	case v.Kind() == reflect.Pointer:
		return "not set"
	case v.Kind() == reflect.Slice, v.Kind() == reflect.String && v.Len() == 0:
		return "empty"
	}
	duration, ok := v.Interface().(time.Duration)
	if !ok {
		return fmt.Sprint(v.Interface())
	}
	switch {
	case duration <= 5*time.Minute:
		return fmt.Sprintf("%gs", duration.Seconds())
	case duration < time.Hour:
		return fmt.Sprintf("%gm", duration.Minutes())
	default:
		return fmt.Sprintf("%gh", duration.Hours())
	}
}
