package config

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// field is one key of a settings struct.
type field struct {
	key   string // in YAML
	index []int  // for reflect.Value.FieldByIndex
	marks []string
}

// is reports whether the field's config tag holds mark.
func (f field) is(mark string) bool { return slices.Contains(f.marks, mark) }

// known has the fields of all settings, which are asked for with every value.
var known = sync.OnceValue(func() map[reflect.Type][]field {
	table := map[reflect.Type][]field{}
	var add func(reflect.Type)
	add = func(t reflect.Type) {
		for t.Kind() == reflect.Slice || t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		if _, done := table[t]; done || t.Kind() != reflect.Struct || t == reflect.TypeFor[time.Time]() {
			return
		}
		table[t] = reflectFields(t)
		for _, f := range table[t] {
			add(t.FieldByIndex(f.index).Type)
		}
	}
	add(reflect.TypeFor[Config]())
	add(reflect.TypeFor[fileKeys]())
	return table
})

// fieldsOf lists the keys of t, those of embedded structs included, in their order.
func fieldsOf(t reflect.Type) []field {
	if fields, ok := known()[t]; ok {
		return fields
	}
	return reflectFields(t)
}

func reflectFields(t reflect.Type) []field {
	var fields []field
	for _, f := range reflect.VisibleFields(t) {
		if f.Anonymous || f.Tag.Get("yaml") == "-" {
			continue
		}
		fields = append(fields, field{
			key:   f.Tag.Get("yaml"),
			index: f.Index,
			marks: strings.Split(f.Tag.Get("config"), ","),
		})
	}
	return fields
}

// marked returns the field of t that has mark.
func marked(t reflect.Type, mark string) (field, bool) {
	for _, f := range fieldsOf(t) {
		if f.is(mark) {
			return f, true
		}
	}
	return field{}, false
}

// join appends key to a YAML path.
func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// at appends a list index to a YAML path.
func at(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// setting is one key of a Config with its value.
type setting struct {
	path  string // such as providers[0].name
	shape string // path without list indexes, such as providers[].name
	value reflect.Value
}

// walk calls visit for every key below the struct v, parents before children. The keys
// of maps are values, not settings.
func walk(v reflect.Value, path, shape string, visit func(setting)) {
	for _, f := range fieldsOf(v.Type()) {
		value := v.FieldByIndex(f.index)
		s := setting{path: join(path, f.key), shape: join(shape, f.key), value: value}
		visit(s)
		switch value.Kind() {
		case reflect.Struct:
			walk(value, s.path, s.shape, visit)
		case reflect.Slice:
			if value.Type().Elem().Kind() != reflect.Struct {
				continue
			}
			for i := range value.Len() {
				walk(value.Index(i), at(s.path, i), s.shape+"[]", visit)
			}
		}
	}
}
