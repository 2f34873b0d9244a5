package understudy_test

import (
	"go/ast"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strings"
)

func packageNames(house *tree) []finding {
	const why = "such a name says nothing about its contents, so anything ends up in it"
	vague := []string{"util", "utils", "common", "types", "helper", "helpers", "misc", "base", "shared", "pkg", "sdk"}
	var findings []finding
	for _, s := range house.sources {
		for folder := range strings.SplitSeq(s.folder, "/") {
			if slices.Contains(vague, folder) {
				findings = append(findings, s.find(s.syntax.Name, why, "folder %s", folder))
			}
		}
		if slices.Contains(vague, s.syntax.Name.Name) {
			findings = append(findings, s.find(s.syntax.Name, why, "package %s", s.syntax.Name.Name))
		}
	}
	return findings
}

func noInit(house *tree) []finding {
	var findings []finding
	for _, s := range house.sources {
		s.functions(func(f *ast.FuncDecl) {
			if f.Recv == nil && f.Name.Name == "init" {
				findings = append(findings, s.find(f, "importing a package must do nothing; hosts decide what runs", "an init function"))
			}
		})
	}
	return findings
}

// noSleeping finds waits for the wall's clock. Inside a testing/synctest bubble
// time.Sleep is the fake clock's and welcome; polling is not, even there.
func noSleeping(house *tree) []finding {
	polls := []string{"Eventually", "Eventuallyf", "EventuallyWithT", "EventuallyWithTf", "Never", "Neverf"}
	var findings []finding
	for _, s := range house.sources {
		if !s.isTest() && within("test", s.path) {
			continue // load generators pace themselves
		}
		inBubble := s.isTest() && (s.importsAny("testing/synctest") || s.mentions("inBubble") || s.mentions("inSocketBubble") || s.mentions("inEngine"))
		s.selectors(func(node *ast.SelectorExpr, qualifier string) {
			switch {
			case qualifier == "time" && node.Sel.Name == "Sleep" && !inBubble && s.isTest():
				findings = append(findings, s.find(node, "a sleeping test is slow when it passes and wrong when the machine is busy; use a synctest bubble",
					"time.Sleep outside a bubble"))
			case qualifier == "time" && node.Sel.Name == "Sleep" && !s.isTest():
				findings = append(findings, s.find(node, "nothing can interrupt it; wait for a timer and a context", "time.Sleep"))
			case (qualifier == "require" || qualifier == "assert") && slices.Contains(polls, node.Sel.Name):
				findings = append(findings, s.find(node, "polling hides what the test waits for; wait for that event itself",
					"%s.%s", qualifier, node.Sel.Name))
			}
		})
	}
	return findings
}

func (s *source) mentions(name string) bool {
	found := false
	ast.Inspect(s.syntax, func(node ast.Node) bool {
		ident, ok := node.(*ast.Ident)
		found = found || ok && ident.Name == name
		return !found
	})
	return found
}

// harmfulActorCalls lists what must not be called on protoactor's types, and why. Future
// itself has no row: without the calls that make one there is none to wait for.
func harmfulActorCalls() map[string]string {
	const (
		future = "the library's futures race when answered twice and keep 312 bytes for ever without a timeout; use Ask"
		timer  = "the timer goroutine and the actor race for its state; send one message to oneself later"
	)
	return map[string]string{
		"SetReceiveTimeout":             timer,
		"SendRepeatedly":                timer,
		"RequestRepeatedly":             timer,
		"RequestFuture":                 future,
		"NewFuture":                     future,
		"StopFuture":                    future,
		"PoisonFuture":                  future,
		"Result":                        future,
		"BoundedDropping":               "after the first dropped message its consumer burns a core for ever",
		"Bounded":                       "a full mailbox makes its senders spin; an actor that sends to itself deadlocks",
		"NewRestartingStrategy":         "it restarts without any delay, tens of thousands of times a second",
		"NewExponentialBackoffStrategy": "its delay grows linearly without a bound and it never gives up",
		"SubscribeWithPredicate":        "it races with publishing",
		"WithMetricProviders":           "its metrics leak 1.5 KB per actor and make a message seven times dearer",
	}
}

func noHarmfulActorCalls(house *tree) []finding {
	const library = "github.com/asynkron/protoactor-go"
	harmful := harmfulActorCalls()
	var findings []finding
	for _, s := range house.sources {
		if !s.importsAny(library) || within("test", s.path) {
			continue
		}
		s.imports(func(spec *ast.ImportSpec, imported string) {
			if withinAny([]string{library + "/router", library + "/plugin"}, imported) {
				findings = append(findings, s.find(spec, "its groups and passivation are changed under their readers", "import of %s", imported))
			}
		})
		s.selectors(func(node *ast.SelectorExpr, _ string) {
			if why, ok := harmful[node.Sel.Name]; ok {
				findings = append(findings, s.find(node.Sel, why, "%s", node.Sel.Name))
			}
		})
	}
	return findings
}

// documented finds packages without a comment and, in packages that can be imported,
// exported names without one. A comment on a group of constants or variables, but not
// of types, speaks for all its members.
func documented(house *tree) []finding {
	var findings []finding
	for _, sources := range packages(house.production()) {
		if !slices.ContainsFunc(sources, func(s *source) bool { return hasText(s.syntax.Doc) }) {
			findings = append(findings, sources[0].find(sources[0].syntax.Name,
				"the package comment is where a reader begins", "package %s has no comment", sources[0].syntax.Name.Name))
		}
		for _, s := range sources {
			if s.syntax.Name.Name == "main" {
				continue
			}
			for _, name := range undocumented(s.syntax) {
				findings = append(findings, s.find(name, "a name that others use is a promise; the comment says which",
					"%s has no comment", name.Name))
			}
		}
	}
	return findings
}

func undocumented(file *ast.File) []*ast.Ident {
	var names []*ast.Ident
	for _, decl := range file.Decls {
		switch decl := decl.(type) {
		case *ast.FuncDecl:
			if !hasText(decl.Doc) && decl.Name.IsExported() && receiverIsExported(decl) && !isWellKnown(decl) {
				names = append(names, decl.Name)
			}
		case *ast.GenDecl:
			for _, spec := range decl.Specs {
				names = append(names, undocumentedIn(decl, spec)...)
			}
		}
	}
	return names
}

func undocumentedIn(decl *ast.GenDecl, spec ast.Spec) []*ast.Ident {
	switch spec := spec.(type) {
	case *ast.TypeSpec:
		ownGroup := decl.Lparen == token.NoPos && hasText(decl.Doc)
		if spec.Name.IsExported() && !ownGroup && !hasText(spec.Doc) && !hasText(spec.Comment) {
			return []*ast.Ident{spec.Name}
		}
	case *ast.ValueSpec:
		if !hasText(decl.Doc) && !hasText(spec.Doc) && !hasText(spec.Comment) {
			return slices.DeleteFunc(slices.Clone(spec.Names), func(name *ast.Ident) bool { return !name.IsExported() })
		}
	}
	return nil
}

// isWellKnown reports whether f is a method whose contract the standard library states.
func isWellKnown(f *ast.FuncDecl) bool {
	names := []string{"Error", "Unwrap", "String", "GoString", "Format", "LogValue", "ServeHTTP", "RoundTrip", "Read", "Write", "Close", "MarshalJSON", "MarshalText", "UnmarshalJSON", "UnmarshalText"}
	return f.Recv != nil && slices.Contains(names, f.Name.Name)
}

func receiverIsExported(f *ast.FuncDecl) bool {
	if f.Recv == nil {
		return true
	}
	exported := true
	ast.Inspect(f.Recv.List[0].Type, func(node ast.Node) bool {
		ident, ok := node.(*ast.Ident)
		if ok {
			exported = ident.IsExported()
		}
		return !ok // the first identifier is the type's; later ones are its parameters
	})
	return exported
}

func hasText(comment *ast.CommentGroup) bool {
	return comment != nil && strings.TrimSpace(comment.Text()) != ""
}

// nothingLeftToDo finds the marks of unfinished work: in the comments of Go files, and
// anywhere in the other texts but prose and fixtures, which may speak of them.
func nothingLeftToDo(house *tree) []finding {
	const why = "unfinished work belongs in an issue, where somebody sees it"
	mark := regexp.MustCompile(`\b(TODO|FIXME|XXX)\b`)
	var findings []finding
	for _, s := range house.sources {
		for _, group := range s.syntax.Comments {
			for _, comment := range group.List {
				if found := mark.FindString(comment.Text); found != "" {
					findings = append(findings, s.find(comment, why, "%s", found))
				}
			}
		}
	}
	for _, file := range house.texts {
		prose := slices.Contains([]string{".go", ".md", ".sum"}, path.Ext(file.path)) || path.Base(file.path) == "LICENSE"
		if !prose && !strings.Contains("/"+file.path, "/testdata/") {
			findings = append(findings, file.findAll(mark, why)...)
		}
	}
	return findings
}

// noMachinePaths finds absolute paths of somebody's work place.
func noMachinePaths(house *tree) []finding {
	absolute := regexp.MustCompile(`(?m)(?:^|[^\w./~*-])(/(?:work|tmp|root)/)`)
	var findings []finding
	for _, file := range house.texts {
		findings = append(findings, file.findAll(absolute, "it exists on one machine only; tests get folders from t.TempDir")...)
	}
	return findings
}
