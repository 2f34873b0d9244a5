package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Load reads, completes and validates the file at path. getenv is usually os.LookupEnv;
// nil knows no variable. It may be called by several goroutines at a time. extraKinds are provider kinds beyond those that come with the
// gateway. The error is of type Errors when the file could be read.
func Load(path string, getenv func(string) (string, bool), extraKinds ...string) (*Config, error) {
	data, _, err := readMain(path)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	return Parse(path, data, getenv, extraKinds...)
}

// Parse is Load for data that is in memory already; name stands for the file in errors.
// Its error is nil or of type Errors.
func Parse(name string, data []byte, getenv func(string) (string, bool), extraKinds ...string) (*Config, error) {
	if getenv == nil {
		getenv = func(string) (string, bool) { return "", false }
	}
	c := Default()
	d := decoder{getenv: getenv, lines: map[string]int{}, budget: maxValues}
	if root, err := parseDocument(data); err != nil {
		err.File = name
		return nil, Errors{err}
	} else if root != nil {
		d.decode(root, reflect.ValueOf(&c).Elem(), "")
	}
	derive(&c)

	var invalid Errors
	errors.As(c.Validate(extraKinds...), &invalid)
	if err := d.problems(name, invalid).orNil(); err != nil {
		return nil, err
	}
	return &c, nil
}

// problems returns what could not be read and what is invalid, in the order of the file
// that is called name.
func (d *decoder) problems(name string, invalid Errors) Errors {
	errs, unreadable := d.errs, map[string]bool{}
	for _, e := range errs {
		unreadable[e.Path] = true
	}
	for _, e := range invalid {
		if within(e.Path, unreadable) {
			continue // already reported as unreadable; that it is missing too is no news
		}
		e.Line = d.line(e.Path)
		errs = append(errs, e)
	}
	for _, e := range errs {
		e.File = name
	}
	errs.sortByLine()
	return errs
}

// parseDocument returns the root of the only document in data, or nil if there is none.
func parseDocument(data []byte) (*yaml.Node, *Error) {
	document, err := parseWhole(data)
	if document == nil || isNull(document.Content[0]) {
		return nil, err
	}
	return document.Content[0], err
}

// parseWhole is parseDocument for those who want the comments around the root too.
func parseWhole(data []byte) (*yaml.Node, *Error) {
	loader, err := yaml.NewLoader(bytes.NewReader(data))
	if err != nil {
		return nil, syntaxError(data, err)
	}
	var document, second yaml.Node
	switch err := loader.Load(&document); {
	case errors.Is(err, io.EOF):
		return nil, nil
	case err != nil:
		return nil, syntaxError(data, err)
	}
	switch err := loader.Load(&second); {
	case err == nil:
		return nil, &Error{Line: second.Line, Problem: "a second YAML document begins here; only one is allowed"}
	case !errors.Is(err, io.EOF):
		return nil, syntaxError(data, err)
	}
	return &document, nil
}

// line returns where path is in the file, or else its nearest parent.
func (d *decoder) line(path string) int {
	for path != "" {
		if line, ok := d.lines[path]; ok {
			return line
		}
		path = parent(path)
	}
	return 1
}

// within reports whether path or one of its parents is in set.
func within(path string, set map[string]bool) bool {
	for ; path != ""; path = parent(path) {
		if set[path] {
			return true
		}
	}
	return set[""]
}

// parent returns path without its last key or index; "" for a key of the top.
func parent(path string) string {
	return path[:max(0, strings.LastIndexAny(path, ".["))]
}
