package understudy_test

import (
	"errors"
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"
)

// noPackageState finds package variables that can change while the program runs. What
// stays as it was written is allowed: errors, compiled expressions, tables that nobody
// assigns to, embedded files; so is a sync.Pool, which holds nothing that matters.
func noPackageState(house *tree) []finding {
	const why = "two gateways in one process must not know of each other; state belongs to a value that somebody owns"
	var findings []finding
	for _, sources := range packages(house.production()) {
		for _, s := range sources {
			for _, name := range mutable(s) {
				findings = append(findings, s.find(name, why, "package variable %s can change", name.Name))
			}
		}
		findings = append(findings, assignments(sources, why)...)
	}
	return findings
}

// mutable returns the package variables of s whose very form allows them to change.
func mutable(s *source) []*ast.Ident {
	var names []*ast.Ident
	for _, decl := range s.syntax.Decls {
		group, ok := decl.(*ast.GenDecl)
		if !ok || group.Tok != token.VAR {
			continue
		}
		for _, spec := range group.Specs {
			spec, ok := spec.(*ast.ValueSpec)
			if !ok || isEmbedded(group.Doc) || isEmbedded(spec.Doc) {
				continue
			}
			for i, name := range spec.Names {
				if name.Name != "_" && !isSetByLinker(s, name) && !stays(name, spec, i) {
					names = append(names, name)
				}
			}
		}
	}
	return names
}

func isEmbedded(comment *ast.CommentGroup) bool {
	return comment != nil && slices.ContainsFunc(comment.List, func(line *ast.Comment) bool {
		return strings.HasPrefix(line.Text, "//go:embed ")
	})
}

// isSetByLinker reports whether the build writes the variable: -ldflags "-X main.version=…".
func isSetByLinker(s *source, name *ast.Ident) bool {
	return s.syntax.Name.Name == "main" && (name.Name == "version" || name.Name == "commit")
}

// stays reports whether the i-th variable of spec keeps its first value, unless somebody
// assigns to it.
func stays(name *ast.Ident, spec *ast.ValueSpec, i int) bool {
	if len(spec.Values) != len(spec.Names) {
		return isPool(spec.Type)
	}
	switch value := spec.Values[i].(type) {
	case *ast.CompositeLit:
		return isPool(value.Type) || !isOf(value.Type, "sync", "atomic")
	case *ast.UnaryExpr: // the address of an error or of a pool
		literal, ok := value.X.(*ast.CompositeLit)
		return ok && (isPool(literal.Type) || strings.HasPrefix(strings.ToLower(name.Name), "err"))
	case *ast.CallExpr:
		return makesConstant(value)
	}
	return false
}

// makesConstant reports whether call is a conversion to a slice or makes something that
// has no way to change.
func makesConstant(call *ast.CallExpr) bool {
	switch function := call.Fun.(type) {
	case *ast.ArrayType:
		return true
	case *ast.SelectorExpr:
		qualifier, ok := function.X.(*ast.Ident)
		return ok && slices.Contains([]string{
			"errors.New", "fmt.Errorf", "regexp.MustCompile", "strings.NewReplacer",
			"netip.MustParsePrefix", "time.Date", "template.Must", "sync.OnceValue",
		}, qualifier.Name+"."+function.Sel.Name)
	}
	return false
}

func isPool(typeExpr ast.Expr) bool {
	selector, ok := typeExpr.(*ast.SelectorExpr)
	return ok && selector.Sel.Name == "Pool" && isOf(typeExpr, "sync")
}

// isOf reports whether typeExpr names a type, generic or not, of one of the packages.
func isOf(typeExpr ast.Expr, packages ...string) bool {
	if generic, ok := typeExpr.(*ast.IndexExpr); ok {
		typeExpr = generic.X
	}
	selector, ok := typeExpr.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	qualifier, ok := selector.X.(*ast.Ident)
	return ok && slices.Contains(packages, qualifier.Name)
}

// assignments finds statements of one package that change a package variable.
func assignments(sources []*source, why string) []finding {
	uses, scope := resolve(sources)
	var findings []finding
	for _, s := range sources {
		changed := func(target ast.Expr) {
			name := variableIn(target)
			if name == nil {
				return
			}
			if object, ok := uses[name].(*types.Var); ok && object.Parent() == scope {
				findings = append(findings, s.find(name, why, "package variable %s is changed", name.Name))
			}
		}
		ast.Inspect(s.syntax, func(node ast.Node) bool {
			switch node := node.(type) {
			case *ast.AssignStmt:
				for _, target := range node.Lhs {
					changed(target)
				}
			case *ast.IncDecStmt:
				changed(node.X)
			case *ast.CallExpr:
				builtin, ok := node.Fun.(*ast.Ident)
				if ok && len(node.Args) > 0 && (builtin.Name == "delete" || builtin.Name == "clear") {
					changed(node.Args[0])
				}
			}
			return true
		})
	}
	return findings
}

// variableIn returns the variable that an assignment to target changes: x for x[i].f.
func variableIn(target ast.Expr) *ast.Ident {
	for {
		switch inner := target.(type) {
		case *ast.Ident:
			return inner
		case *ast.IndexExpr:
			target = inner.X
		case *ast.SelectorExpr:
			target = inner.X
		case *ast.StarExpr:
			target = inner.X
		case *ast.ParenExpr:
			target = inner.X
		default:
			return nil
		}
	}
}

// resolve says what each identifier of one package stands for. Imported packages are
// left unknown: for telling a local variable from a package's, they do not matter.
func resolve(sources []*source) (map[*ast.Ident]types.Object, *types.Scope) {
	files := make([]*ast.File, len(sources))
	for i, s := range sources {
		files[i] = s.syntax
	}
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}}
	checker := types.Config{Importer: noImports{}, Error: func(error) {}}
	// What does not resolve for lack of imports is expected.
	checked, _ := checker.Check(sources[0].folder, sources[0].positions, files, info)
	return info.Uses, checked.Scope()
}

type noImports struct{}

func (noImports) Import(string) (*types.Package, error) { return nil, errors.New("left unknown") }
