package understudy_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const modulePath = "github.com/understudyhq/understudy"

// tree is what the rules look at: every hand-written Go file of the module, and every
// text file of the repository. Paths are relative to its root, with slashes.
type tree struct {
	sources   []*source
	texts     []text
	positions *token.FileSet
}

// source is one Go file.
type source struct {
	text
	folder    string // "." is the root package's
	syntax    *ast.File
	positions *token.FileSet
}

// text is one text file.
type text struct {
	path string
	body []byte
}

// loadTree reads the repository at root. Other modules inside it, such as the tools, have
// texts but no sources.
func loadTree(t *testing.T, root string) *tree {
	t.Helper()
	result := &tree{positions: token.NewFileSet()}
	var otherModules []string
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		slashed := filepath.ToSlash(name)
		if entry.IsDir() {
			if isIgnored(slashed) {
				return fs.SkipDir
			}
			if _, err := os.Stat(filepath.Join(name, "go.mod")); err == nil && name != root {
				otherModules = append(otherModules, slashed)
			}
			return nil
		}
		if !entry.Type().IsRegular() || slashed == "config.yaml" || slashed == ".git" { // a worktree's .git is a file
			return nil
		}
		body, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		result.add(t, text{path: slashed, body: body}, !withinAny(otherModules, slashed))
		return nil
	})
	require.NoError(t, err)
	require.NotEmpty(t, result.sources, "the house test found no house")
	return result
}

// parseTree makes a tree of files given as text.
func parseTree(t *testing.T, files map[string]string) *tree {
	t.Helper()
	result := &tree{positions: token.NewFileSet()}
	for name, body := range files {
		result.add(t, text{path: name, body: []byte(body)}, true)
	}
	slices.SortFunc(result.sources, func(a, b *source) int { return strings.Compare(a.path, b.path) })
	return result
}

func (tr *tree) add(t *testing.T, file text, inModule bool) {
	t.Helper()
	if bytes.IndexByte(file.body, 0) >= 0 {
		return // not a text
	}
	tr.texts = append(tr.texts, file)
	if !inModule || path.Ext(file.path) != ".go" || strings.Contains("/"+file.path, "/testdata/") {
		return
	}
	syntax, err := parser.ParseFile(tr.positions, file.path, file.body, parser.ParseComments|parser.SkipObjectResolution)
	require.NoError(t, err)
	if ast.IsGenerated(syntax) {
		return
	}
	tr.sources = append(tr.sources, &source{
		text: file, folder: path.Dir(file.path), syntax: syntax, positions: tr.positions,
	})
}

// isIgnored reports whether a folder holds what git ignores or keeps for itself.
func isIgnored(folder string) bool {
	switch folder {
	case ".", ".ci", ".github":
		return false
	case "bin", "credentials":
		return true
	}
	return strings.HasPrefix(path.Base(folder), ".")
}

// production yields the sources that end up in somebody's program.
func (tr *tree) production() []*source {
	return slices.DeleteFunc(slices.Clone(tr.sources), (*source).isTest)
}

// packages groups sources by folder, in order of the folders' names.
func packages(sources []*source) [][]*source {
	byFolder := map[string][]*source{}
	for _, s := range sources {
		byFolder[s.folder] = append(byFolder[s.folder], s)
	}
	groups := make([][]*source, 0, len(byFolder))
	for _, group := range byFolder {
		groups = append(groups, group)
	}
	slices.SortFunc(groups, func(a, b []*source) int { return strings.Compare(a[0].folder, b[0].folder) })
	return groups
}

func (s *source) isTest() bool { return strings.HasSuffix(s.path, "_test.go") }

// imports calls visit with the unquoted path of every import.
func (s *source) imports(visit func(spec *ast.ImportSpec, imported string)) {
	for _, spec := range s.syntax.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue // the parser has refused such a file
		}
		visit(spec, imported)
	}
}

func (s *source) importsAny(prefixes ...string) bool {
	found := false
	s.imports(func(_ *ast.ImportSpec, imported string) {
		found = found || withinAny(prefixes, imported)
	})
	return found
}

// functions calls visit with every function and method.
func (s *source) functions(visit func(*ast.FuncDecl)) {
	for _, decl := range s.syntax.Decls {
		if function, ok := decl.(*ast.FuncDecl); ok {
			visit(function)
		}
	}
}

// selectors calls visit with every x.name; qualifier is x if it is a plain identifier.
func (s *source) selectors(visit func(node *ast.SelectorExpr, qualifier string)) {
	ast.Inspect(s.syntax, func(node ast.Node) bool {
		if selector, ok := node.(*ast.SelectorExpr); ok {
			qualifier := ""
			if ident, ok := selector.X.(*ast.Ident); ok {
				qualifier = ident.Name
			}
			visit(selector, qualifier)
		}
		return true
	})
}

func (s *source) find(node ast.Node, why, format string, args ...any) finding {
	position := s.positions.Position(node.Pos())
	return finding{at: fmt.Sprintf("%s:%d", s.path, position.Line), what: fmt.Sprintf(format, args...), why: why}
}

// findAll reports every match of pattern, showing its group or, without one, all of it.
func (f text) findAll(pattern *regexp.Regexp, why string) []finding {
	var findings []finding
	for _, match := range pattern.FindAllSubmatchIndex(f.body, -1) {
		start, end := match[len(match)-2], match[len(match)-1]
		line := 1 + bytes.Count(f.body[:start], []byte("\n"))
		findings = append(findings, finding{fmt.Sprintf("%s:%d", f.path, line), string(f.body[start:end]), why})
	}
	return findings
}

// lines counts the lines that node covers.
func (s *source) lines(node ast.Node) int {
	return s.positions.Position(node.End()).Line - s.positions.Position(node.Pos()).Line + 1
}

// within reports whether name is parent or lies somewhere below it.
func within(parent, name string) bool {
	return name == parent || strings.HasPrefix(name, parent+"/")
}

func withinAny(parents []string, name string) bool {
	return slices.ContainsFunc(parents, func(parent string) bool { return within(parent, name) })
}

// matches reports whether one of the patterns means name: a path as path.Match takes it,
// "x/..." for x and all below it, "...x" for all that end in x, "..." for all.
func matches(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		if suffix, ok := strings.CutPrefix(pattern, "..."); ok {
			return strings.HasSuffix(name, suffix)
		}
		if parent, ok := strings.CutSuffix(pattern, "/..."); ok {
			return within(parent, name)
		}
		ok, err := path.Match(pattern, name)
		return ok && err == nil
	})
}
