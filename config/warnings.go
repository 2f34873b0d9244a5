package config

import (
	"fmt"
	"reflect"
	"slices"
)

// warning is a key that is accepted, but not for long.
type warning struct {
	shape string // the key, without list indexes
	note  string
}

// warnings lists the keys to warn about.
func warnings() []warning {
	return []warning{
		{"routing.claude-code-session-affinity", "is deprecated; use session-affinity"},
	}
}

// Warnings names, one per key, the settings that are deprecated: by the YAML path of the first
// place, with the number of others.
func (c *Config) Warnings() []string {
	table := warnings()
	defaults := map[string]reflect.Value{}
	d := Default()
	walk(reflect.ValueOf(&d).Elem(), "", "", func(s setting) { defaults[s.shape] = s.value })

	first, count := make([]string, len(table)), make([]int, len(table))
	walk(reflect.ValueOf(c).Elem(), "", "", func(s setting) {
		i := slices.IndexFunc(table, func(w warning) bool { return w.shape == s.shape })
		if i < 0 || !set(s.value, defaults[s.shape]) {
			return
		}
		if count[i]++; count[i] == 1 {
			first[i] = s.path
		}
	})

	var found []string
	for i, w := range table {
		switch {
		case count[i] == 1:
			found = append(found, fmt.Sprintf("%s: %s", first[i], w.note))
		case count[i] > 1:
			found = append(found, fmt.Sprintf("%s and %d more: %s", first[i], count[i]-1, w.note))
		}
	}
	return found
}

// set reports whether value is not the default, which standard is; standard is invalid
// inside lists, where the default is zero.
func set(value, standard reflect.Value) bool {
	if !standard.IsValid() {
		standard = reflect.Zero(value.Type())
	}
	return !alike(value, standard)
}
