package config

import (
	"fmt"
	"reflect"
	"slices"
)

// warning is a key that is accepted but does not do, or not for long, what it says.
type warning struct {
	shape string // the key, without list indexes
	note  string
	// when limits the warning to some values; nil = all but the default.
	when func(reflect.Value) bool
}

const notYet = "has no effect yet"

// warnings lists the keys to warn about. A feature that arrives takes its rows with it.
func warnings() []warning {
	isVertex := func(v reflect.Value) bool { return v.String() == KindVertex }
	return []warning{
		{"management.secret-key", "opens X-Understudy-Debug; the management API " + notYet, nil},
		{"management.allow-remote", "is for X-Understudy-Debug; the management API " + notYet, nil},
		{"routing.claude-code-session-affinity", "is deprecated; use session-affinity", nil},
		{"logging.requests", notYet, nil},
		{"providers[].kind", "has no adapter yet; its requests fail", isVertex},
		{"providers[].proxy-url", notYet, nil},
		{"providers[].credentials[].websockets", notYet, nil},
		{"providers[].credentials[].proxy-url", notYet, nil},
	}
}

// Warnings names, one per key, the settings that are accepted but have no effect yet, and
// those that are deprecated: by the YAML path of the first place, with the number of others.
func (c *Config) Warnings() []string {
	table := warnings()
	defaults := map[string]reflect.Value{}
	d := Default()
	walk(reflect.ValueOf(&d).Elem(), "", "", func(s setting) { defaults[s.shape] = s.value })

	first, count := make([]string, len(table)), make([]int, len(table))
	walk(reflect.ValueOf(c).Elem(), "", "", func(s setting) {
		i := slices.IndexFunc(table, func(w warning) bool { return w.shape == s.shape })
		if i < 0 || !table[i].applies(s.value, defaults[s.shape]) {
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

// applies reports whether to warn about value; standard is its default, invalid inside
// lists, where the default is zero.
func (w warning) applies(value, standard reflect.Value) bool {
	if w.when != nil {
		return w.when(value)
	}
	if !standard.IsValid() {
		standard = reflect.Zero(value.Type())
	}
	return !alike(value, standard)
}
