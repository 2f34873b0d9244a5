package config

import (
	"cmp"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
)

// ChangeKind says what happened to a setting or an element of a list.
type ChangeKind string

// Kinds of changes.
const (
	Added   ChangeKind = "added"
	Removed ChangeKind = "removed"
	Changed ChangeKind = "changed"
)

// Change is one difference between two configurations. It never holds a value.
type Change struct {
	// Path is the YAML path with providers, models, credentials and client keys named
	// instead of counted: providers[openai].credentials[openai-1].weight. The path of a
	// whole list says that its order changed or, if its elements have no names, anything.
	Path string
	Kind ChangeKind
	// Boot says that the change needs a restart.
	Boot bool
	// Secret says that the values must not be shown: a key, headers, a proxy URL.
	Secret bool
}

// String returns path and kind, with a note if a restart is needed.
func (c Change) String() string {
	s := c.Path + " " + string(c.Kind)
	if c.Boot {
		s += " (needs a restart)"
	}
	return s
}

// LogValue returns String for logs.
func (c Change) LogValue() slog.Value { return slog.StringValue(c.String()) }

// Diff returns what changes from old to next, sorted by path; nothing if they are alike.
// Both must be complete. What is added or removed as a whole is one change; its parts are
// not listed. A file without explicit ids and names shifts them when an entry before
// others is removed, and shows as many changes.
func Diff(old, next *Config) []Change {
	d := differ{boot: true}
	d.structs(reflect.ValueOf(old.Boot), reflect.ValueOf(next.Boot), "")
	d.boot = false
	d.structs(reflect.ValueOf(old.Live), reflect.ValueOf(next.Live), "")
	slices.SortFunc(d.changes, func(a, b Change) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Kind, b.Kind))
	})
	return d.changes
}

type differ struct {
	boot    bool
	changes []Change
}

func (d *differ) add(path string, kind ChangeKind, secret bool) {
	d.changes = append(d.changes, Change{Path: path, Kind: kind, Boot: d.boot, Secret: secret})
}

func (d *differ) structs(old, next reflect.Value, path string) {
	for _, f := range fieldsOf(old.Type()) {
		a, b, path := old.FieldByIndex(f.index), next.FieldByIndex(f.index), join(path, f.key)
		switch {
		case a.Kind() == reflect.Struct:
			d.structs(a, b, path)
		case isNamedList(a.Type()):
			d.lists(a, b, path)
		case !alike(a, b):
			d.add(path, Changed, f.is("secret"))
		}
	}
}

// lists compares lists whose elements have names, by name.
func (d *differ) lists(old, next reflect.Value, path string) {
	before, after := names(old), names(next)
	inBefore, inAfter := positions(before), positions(after)
	for i, name := range before {
		if j, kept := inAfter[name]; kept {
			d.structs(old.Index(i), next.Index(j), named(path, name))
		} else {
			d.add(named(path, name), Removed, false)
		}
	}
	for _, name := range after {
		if _, known := inBefore[name]; !known {
			d.add(named(path, name), Added, false)
		}
	}
	if !slices.Equal(only(before, inAfter), only(after, inBefore)) {
		d.add(path, Changed, false)
	}
}

func positions(names []string) map[string]int {
	at := make(map[string]int, len(names))
	for i, name := range names {
		at[name] = i
	}
	return at
}

// only returns those of names that are in other too, in their order.
func only(names []string, other map[string]int) []string {
	var both []string
	for _, name := range names {
		if _, ok := other[name]; ok {
			both = append(both, name)
		}
	}
	return both
}

func isNamedList(t reflect.Type) bool {
	if t.Kind() != reflect.Slice || t.Elem().Kind() != reflect.Struct {
		return false
	}
	_, ok := marked(t.Elem(), "id")
	return ok
}

// names returns the names of a list's elements, in order.
func names(list reflect.Value) []string {
	id, _ := marked(list.Type().Elem(), "id")
	names := make([]string, list.Len())
	for i := range names {
		names[i] = list.Index(i).FieldByIndex(id.index).String()
	}
	return names
}

func named(path, name string) string { return fmt.Sprintf("%s[%s]", path, name) }

// alike reports whether a and b mean the same: an empty list is as good as none.
func alike(a, b reflect.Value) bool {
	if k := a.Kind(); (k == reflect.Slice || k == reflect.Map) && a.Len() == 0 && b.Len() == 0 {
		return true
	}
	return reflect.DeepEqual(a.Interface(), b.Interface())
}

// Values returns the values in c of those changes that are about one value, by path. Secrets are
// masked; what c does not have is not in it.
func Values(c *Config, changes []Change) map[string]string {
	wanted := make(map[string]bool, len(changes))
	for _, change := range changes {
		wanted[change.Path] = true
	}
	found := map[string]string{}
	var visit func(v reflect.Value, path string)
	visit = func(v reflect.Value, path string) {
		for _, f := range fieldsOf(v.Type()) {
			value, path := v.FieldByIndex(f.index), join(path, f.key)
			switch {
			case value.Kind() == reflect.Struct:
				visit(value, path)
			case isNamedList(value.Type()):
				for i, name := range names(value) {
					visit(value.Index(i), named(path, name))
				}
			case !wanted[path]:
			case f.is("secret"):
				found[path] = Masked
			default:
				if value.Kind() == reflect.Pointer && !value.IsNil() {
					value = value.Elem()
				}
				found[path] = fmt.Sprint(value.Interface())
			}
		}
	}
	visit(reflect.ValueOf(*c), "")
	return found
}
