package understudy_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"slices"
	"strings"
)

// The last figure of each size; typical ones are a half or less.
const (
	maxFileLines     = 500
	maxFunctionLines = 80   // not of tests: a table is long without being hard to read
	maxPackageLines  = 5000 // without tests; the engine's actors share their messages, and fill it
	maxFanOut        = 16   // our packages that one imports; the root package wires and may have more
)

func withinBudgets(house *tree) []finding {
	const why = "beyond this a reader loses the thread; split where the subject splits"
	var findings []finding
	for _, s := range house.sources {
		if lines := s.lineCount(); lines > maxFileLines {
			findings = append(findings, finding{s.path, fmt.Sprintf("%d lines in a file, at most %d", lines, maxFileLines), why})
		}
	}
	for _, s := range house.production() {
		s.functions(func(f *ast.FuncDecl) {
			if lines := s.lines(f); lines > maxFunctionLines {
				findings = append(findings, s.find(f, why, "%d lines in %s, at most %d", lines, f.Name.Name, maxFunctionLines))
			}
		})
	}
	for _, sources := range packages(house.production()) {
		folder := sources[0].folder
		if lines := packageLines(sources); lines > maxPackageLines {
			findings = append(findings, finding{folder, fmt.Sprintf("%d lines in a package, at most %d", lines, maxPackageLines), why})
		}
		if out := fanOut(sources); out > maxFanOut && folder != "." && !within("test", folder) {
			findings = append(findings, finding{folder, fmt.Sprintf("imports %d of our packages, at most %d", out, maxFanOut), why})
		}
	}
	return findings
}

// figures are the sizes of a tree.
type figures struct {
	files, functions, packages []int // lines of each, ascending; functions and packages without tests
	test, production           int   // lines
	fanOut                     int   // of the package that imports most, the root aside
}

func measure(house *tree) figures {
	var result figures
	for _, s := range house.sources {
		result.files = append(result.files, s.lineCount())
		if s.isTest() {
			result.test += s.lineCount()
			continue
		}
		result.production += s.lineCount()
		s.functions(func(f *ast.FuncDecl) { result.functions = append(result.functions, s.lines(f)) })
	}
	for _, sources := range packages(house.production()) {
		result.packages = append(result.packages, packageLines(sources))
		if sources[0].folder != "." {
			result.fanOut = max(result.fanOut, fanOut(sources))
		}
	}
	slices.Sort(result.files)
	slices.Sort(result.functions)
	slices.Sort(result.packages)
	return result
}

func (f figures) String() string {
	var b strings.Builder
	b.WriteString("lines (median/p90/max)")
	fmt.Fprintf(&b, ": file %s, function %s, package %s", spread(f.files), spread(f.functions), spread(f.packages))
	fmt.Fprintf(&b, "; test/production %.1f; fan-out at most %d", float64(f.test)/float64(max(f.production, 1)), f.fanOut)
	return b.String()
}

func spread(ascending []int) string {
	if len(ascending) == 0 {
		return "-"
	}
	last := len(ascending) - 1
	return fmt.Sprintf("%d/%d/%d", ascending[last/2], ascending[last*9/10], ascending[last])
}

func (s *source) lineCount() int { return bytes.Count(s.body, []byte("\n")) }

func packageLines(sources []*source) int {
	lines := 0
	for _, s := range sources {
		lines += s.lineCount()
	}
	return lines
}

func fanOut(sources []*source) int {
	folders := map[string]bool{}
	for _, s := range sources {
		s.imports(func(_ *ast.ImportSpec, imported string) {
			if within(modulePath, imported) {
				folders[ourFolder(imported)] = true
			}
		})
	}
	return len(folders)
}
