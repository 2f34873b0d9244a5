package config

import (
	"fmt"
	"reflect"
)

// Skim reads the file at path without completing or validating it, and goes on where something
// is wrong: for who needs a few settings of a gateway that runs with an earlier version of the
// file, or with variables that the caller lacks. What could not be read has its default and is
// in wrong. err means that nothing could be read.
func Skim(path string, getenv func(string) (string, bool)) (c *Config, wrong Errors, err error) {
	data, _, err := readMain(path)
	if err != nil {
		return nil, nil, fmt.Errorf("read configuration: %w", err)
	}
	settings := Default()
	d := decoder{getenv: getenv, lines: map[string]int{}, budget: maxValues}
	root, bad := parseDocument(data)
	if bad != nil {
		bad.File = path
		return nil, nil, bad
	}
	if root != nil {
		d.decode(root, reflect.ValueOf(&settings).Elem(), "")
	}
	return &settings, d.problems(path, nil), nil
}
