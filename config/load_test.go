package config

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the wanted texts in testdata")

// environment is what the files in testdata see. hunter2 is the secret that must not show.
func environment(name string) (string, bool) {
	value, ok := map[string]string{
		"HOST":      "127.0.0.1",
		"PORT":      "9000",
		"GRACE":     "1m30s",
		"BYTES":     "4096",
		"YES":       "true",
		"WORD":      "hunter2",
		"EMPTY":     "",
		"INJECTION": "k,key:x,[a]",
	}[name]
	return value, ok
}

func TestLoad_ReadsGoodFiles(t *testing.T) {
	t.Parallel()
	forEachFile(t, "testdata/good", func(t *testing.T, path string) string {
		c, err := Load(path, environment, "host-kind")
		require.NoError(t, err)
		return describeSettings(c)
	})
}

func TestLoad_ReportsAllErrorsOfBadFiles(t *testing.T) {
	t.Parallel()
	forEachFile(t, "testdata/bad", func(t *testing.T, path string) string {
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		c, err := Parse(filepath.Base(path), data, environment)
		require.Nil(t, c)
		var errs Errors
		require.ErrorAs(t, err, &errs)
		require.NotContains(t, err.Error(), "hunter2")
		return err.Error() + "\n"
	})
}

// forEachFile compares what got makes of each YAML file in dir with the text beside it.
func forEachFile(t *testing.T, dir string, got func(t *testing.T, path string) string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, path := range files {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".yaml"), func(t *testing.T) {
			t.Parallel()
			text := got(t, path)
			wanted := strings.TrimSuffix(path, ".yaml") + ".txt"
			if *update {
				require.NoError(t, os.WriteFile(wanted, []byte(text), 0o600))
			}
			want, err := os.ReadFile(wanted)
			require.NoError(t, err)
			require.Equal(t, string(want), text)
		})
	}
}

// describeSettings lists the settings of c that differ from an empty file's.
func describeSettings(c *Config) string {
	standard := Default()
	defaults := map[string]any{}
	walk(reflect.ValueOf(&standard).Elem(), "", "", func(s setting) { defaults[s.path] = s.value.Interface() })
	var b strings.Builder
	walk(reflect.ValueOf(c).Elem(), "", "", func(s setting) {
		value := s.value
		if value.Kind() == reflect.Pointer && !value.IsNil() {
			value = value.Elem()
		}
		named := value.Kind() == reflect.Struct || value.Kind() == reflect.Slice && value.Type().Elem().Kind() == reflect.Struct
		if named || s.value.IsZero() && defaults[s.path] == nil || reflect.DeepEqual(defaults[s.path], s.value.Interface()) {
			return
		}
		fmt.Fprintf(&b, "%s = %v\n", s.path, value.Interface())
	})
	return b.String()
}

func TestLoad_FailsWithoutFile(t *testing.T) {
	t.Parallel()
	_, err := Load(filepath.Join(t.TempDir(), "none.yaml"), environment)
	require.ErrorIs(t, err, fs.ErrNotExist)
	var errs Errors
	require.NotErrorAs(t, err, &errs)
}

func TestParse_BoundsWhatAliasesExpandTo(t *testing.T) {
	t.Parallel()
	models := "{kind: simulator, name: x, models: &models [" + strings.Repeat("a, ", 1000) + "a]}"
	file := "providers:\n- " + models + "\n" + strings.Repeat("- {models: *models}\n", 300)
	_, err := Parse("bomb.yaml", []byte(file), nil)
	require.ErrorContains(t, err, "the file expands to more than 200000 values")
}

func TestParse_ReadsCyclicAliasesAsWrongTypes(t *testing.T) {
	t.Parallel()
	_, err := Parse("cycle.yaml", []byte("providers: &p [{name: *p, credentials: *p}]"), nil)
	require.ErrorContains(t, err, "cycle.yaml:1: providers[0].name: must be a string, not a list")
}

func TestErrors_UnwrapToSingleErrors(t *testing.T) {
	t.Parallel()
	_, err := Parse("c.yaml", []byte("a: 1\nb: 2\n"), nil)
	var first *Error
	require.ErrorAs(t, err, &first)
	require.Equal(t, &Error{File: "c.yaml", Line: 1, Path: "a", Problem: "unknown key"}, first)
	var all Errors
	require.ErrorAs(t, err, &all)
	require.Len(t, all, 3)
	require.ErrorIs(t, err, error(all[2]))
	require.Equal(t, 2, all[2].Line)
}

func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/good/*.yaml", "testdata/bad/*.yaml", "../config.example.yaml"} {
		files, err := filepath.Glob(pattern)
		require.NoError(f, err)
		for _, path := range files {
			data, err := os.ReadFile(path)
			require.NoError(f, err)
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse("fuzz.yaml", data, environment)
		if err != nil {
			var errs Errors
			require.ErrorAs(t, err, &errs)
			for _, e := range errs {
				require.Positive(t, e.Line, e.Error())
				require.NotEmpty(t, e.Problem)
			}
			return
		}
		require.NoError(t, c.Validate())
		require.Empty(t, Diff(c, c))
		again, err := Parse("fuzz.yaml", data, environment)
		require.NoError(t, err)
		Complete(again)
		require.Equal(t, c, again, "what was loaded is complete")
		c.Warnings()
	})
}
