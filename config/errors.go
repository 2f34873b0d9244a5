package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Error is one thing wrong with a configuration. No value that may be secret is in it.
type Error struct {
	// File is the name given to Load or Parse; empty if there was no file.
	File string
	// Line is counted from 1; 0 = not known. A missing key has its parent's line.
	Line int
	// Path is the YAML path, such as providers[0].credentials[1].weight; empty for the
	// file as a whole.
	Path string
	// Problem says what is wrong and, where that helps, what would be right.
	Problem string
}

// Error returns "file:line: path: problem" without the parts that are not known.
func (e *Error) Error() string {
	var b strings.Builder
	if e.File != "" {
		b.WriteString(e.File)
		if e.Line > 0 {
			fmt.Fprintf(&b, ":%d", e.Line)
		}
		b.WriteString(": ")
	}
	if e.Path != "" {
		b.WriteString(e.Path + ": ")
	}
	b.WriteString(e.Problem)
	return b.String()
}

// Errors is everything wrong with a configuration, in the order of the file.
type Errors []*Error

// Error returns one line per error.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, err := range e {
		lines[i] = err.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the single errors.
func (e Errors) Unwrap() []error {
	errs := make([]error, len(e))
	for i, err := range e {
		errs[i] = err
	}
	return errs
}

// orNil keeps an empty list from becoming an error that is not nil.
func (e Errors) orNil() error {
	if len(e) == 0 {
		return nil
	}
	return e
}

func (e Errors) sortByLine() {
	slices.SortStableFunc(e, func(a, b *Error) int { return a.Line - b.Line })
}

// syntaxError turns an error of the YAML parser, which stops at the first, into one of ours.
func syntaxError(data []byte, err error) *Error {
	var load *yaml.LoadError
	if !errors.As(err, &load) {
		return &Error{Problem: "cannot be read as YAML"}
	}
	line := load.Mark.Line
	if line == 0 {
		line = 1 + strings.Count(string(data[:min(load.Mark.Index, len(data))]), "\n")
	}
	problem := load.Message
	if load.ContextMsg != "" {
		problem = fmt.Sprintf("%s (from line %d): %s", load.ContextMsg, load.ContextMark.Line, problem)
	}
	if load.Stage == yaml.ComposerStage {
		// The parser's own words quote the alias, which may be a secret somebody forgot to quote.
		problem = "unknown alias; a value that begins with * must be quoted"
	}
	if indentedByTab(data, line) {
		problem += "; indent with spaces, not tabs"
	}
	return &Error{Line: line, Problem: problem}
}

// indentedByTab reports whether there is a tab among what line, counted from 1, begins with.
func indentedByTab(data []byte, line int) bool {
	lines := strings.Split(string(data), "\n")
	if line > len(lines) {
		return false
	}
	return strings.HasPrefix(strings.TrimLeft(lines[line-1], " "), "\t")
}
