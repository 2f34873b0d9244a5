package understudy_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// breach is a small tree and what one rule has to say about it; nothing, if the tree is
// what the rule allows.
type breach struct {
	files map[string]string
	want  []string // "path:line: what"
}

func (b breach) check(t *testing.T, rule func(*tree) []finding) {
	t.Helper()
	var got []string
	for _, f := range rule(parseTree(t, b.files)) {
		require.NotEmpty(t, f.why, "a finding says why")
		got = append(got, f.at+": "+f.what)
	}
	require.Equal(t, b.want, got)
}

func checkAll(t *testing.T, rule func(*tree) []finding, breaches map[string]breach) {
	t.Helper()
	for name, b := range breaches {
		t.Run(name, func(t *testing.T) { b.check(t, rule) })
	}
}

// importing is a file of one package that imports paths, from its third line on.
func importing(name string, paths ...string) string {
	return "package " + name + "\nimport (\n_ \"" + strings.Join(paths, "\"\n_ \"") + "\"\n)\n"
}

func TestHouse_FindsForbiddenImportsOfOurs(t *testing.T) {
	t.Parallel()
	checkAll(t, ownImports, map[string]breach{
		"a type package depends on an owner": {
			files: map[string]string{"providers/a.go": importing("providers", modulePath+"/config")},
			want:  []string{"providers/a.go:3: providers may not import config"},
		},
		"vendors know of each other": {
			files: map[string]string{"providers/gemini/a.go": importing("gemini", modulePath+"/providers", modulePath+"/providers/openai")},
			want:  []string{"providers/gemini/a.go:4: providers/gemini may not import providers/openai"},
		},
		"compat builds on openai": {
			files: map[string]string{"providers/compat/a.go": importing("compat", modulePath+"/providers/openai")},
		},
		"the simulator knows of the gateway": {
			files: map[string]string{
				"providers/simulator/a.go":      importing("simulator", modulePath+"/providers/simulator/part", modulePath+"/actors"),
				"providers/simulator/part/a.go": importing("part", modulePath+"/providers", modulePath+"/http"),
			},
			want: []string{
				"providers/simulator/a.go:4: providers/simulator may not import actors",
				"providers/simulator/part/a.go:4: providers/simulator/part may not import http",
			},
		},
		"codecs know of each other": {
			files: map[string]string{"internal/llm/chat/a.go": importing("chat", modulePath+"/internal/llm", modulePath+"/internal/llm/gemini")},
			want:  []string{"internal/llm/chat/a.go:4: internal/llm/chat may not import internal/llm/gemini"},
		},
		"the engine reaches for a body": {
			files: map[string]string{"actors/a.go": importing("actors", modulePath+"/internal/peek")},
			want:  []string{"actors/a.go:3: actors may not import internal/peek"},
		},
		"an adapter uses the root package": {
			files: map[string]string{"http/a.go": importing("httpapi", modulePath)},
			want:  []string{"http/a.go:3: http may not import the root package"},
		},
		"commands and outer tests use the root package": {
			files: map[string]string{
				"cmd/understudy/main.go": importing("main", modulePath, modulePath+"/config"),
				"test/e2e/a.go":          importing("e2e", modulePath, modulePath+"/internal/llm/chat"),
				"example_test.go":        importing("understudy_test", modulePath),
			},
		},
		"the fake upstream is for tests": {
			files: map[string]string{
				"http/a.go":      importing("httpapi", modulePath+"/internal/fake"),
				"http/a_test.go": importing("httpapi", modulePath+"/internal/fake"),
			},
			want: []string{"http/a.go:3: http may not import internal/fake"},
		},
		"a package nobody placed": {
			files: map[string]string{"scheduler/a.go": "package scheduler"},
			want:  []string{"scheduler/a.go:1: package scheduler has no row in the table of layers"},
		},
	})
}

func TestHouse_FindsForbiddenImportsOfOthers(t *testing.T) {
	t.Parallel()
	const actorLibrary = "github.com/asynkron/protoactor-go/actor"
	checkAll(t, foreignImports, map[string]breach{
		"actors in the data plane": {
			files: map[string]string{"http/a.go": importing("httpapi", actorLibrary)},
			want:  []string{"http/a.go:3: " + actorLibrary + " may be imported only in actors/*.go, actors/ledger/*.go, actors/memory/*.go, actors/socket/*.go, actors/stage/*.go, options.go, *_test.go, test/..."},
		},
		"a host's own actor system": {
			files: map[string]string{"options.go": importing("understudy", actorLibrary), "example_test.go": importing("understudy_test", actorLibrary)},
		},
		"the root package beyond its options": {
			files: map[string]string{"understudy.go": importing("understudy", actorLibrary)},
			want:  []string{"understudy.go:3: " + actorLibrary + " may be imported only in actors/*.go, actors/ledger/*.go, actors/memory/*.go, actors/socket/*.go, actors/stage/*.go, options.go, *_test.go, test/..."},
		},
		"echo outside the edge": {
			files: map[string]string{
				"http/admin/a.go":    importing("admin", "github.com/labstack/echo/v4"),
				"providers/x/a.go":   importing("x", "github.com/labstack/echo/v4/middleware"),
				"internal/sse/ok.go": importing("sse", "github.com/labstack/echoes"),
			},
			want: []string{"providers/x/a.go:3: github.com/labstack/echo/v4/middleware may be imported only in http/..., test/..."},
		},
		"assertions in production": {
			files: map[string]string{
				"config/a.go":                  importing("config", "github.com/stretchr/testify/require"),
				"config/a_test.go":             importing("config", "github.com/stretchr/testify/require"),
				"providers/providertest/a.go":  importing("providertest", "github.com/stretchr/testify/require"),
				"internal/llm/llmtest/suit.go": importing("llmtest", "pgregory.net/rapid"),
			},
			want: []string{"config/a.go:3: github.com/stretchr/testify/require may be imported only in ..._test.go, providers/providertest/..., internal/llm/llmtest/..., test/..."},
		},
	})
}

func TestHouse_FindsVagueNamesAndInit(t *testing.T) {
	t.Parallel()
	checkAll(t, packageNames, map[string]breach{
		"a folder": {
			files: map[string]string{"internal/util/text/a.go": "package text", "internal/utility/a.go": "package utility"},
			want:  []string{"internal/util/text/a.go:1: folder util"},
		},
		"a clause": {
			files: map[string]string{"internal/x/a.go": "package helpers"},
			want:  []string{"internal/x/a.go:1: package helpers"},
		},
	})
	checkAll(t, noInit, map[string]breach{
		"init, but not a method of that name": {
			files: map[string]string{"web/a.go": "package web\nfunc init() {}\ntype x int\nfunc (x) init() {}"},
			want:  []string{"web/a.go:2: an init function"},
		},
	})
}

func TestHouse_FindsPackageState(t *testing.T) {
	t.Parallel()
	checkAll(t, noPackageState, map[string]breach{
		"what stays as written": {files: map[string]string{"web/a.go": `package web
var ErrGone = errors.New("gone")
var (
	errWrapped error = &wrapped{}
	word             = regexp.MustCompile("w")
	names            = map[string]int{"a": 1}
	mark             = []byte("data: ")
	buffers          = sync.Pool{New: func() any { return new(int) }}
	spare            sync.Pool
	_ io.Reader      = (*file)(nil)
)
//go:embed static
var FS embed.FS
func f() { names := 1; names++; local := names; local = 2; table.x = 3; _ = names }`}},
		"what can change": {
			files: map[string]string{"web/a.go": `package web
var count int
var started = time.Now()
var cache = make(map[string]int)
var last atomic.Pointer[int]
var lock = sync.Mutex{}
var once = &sync.Once{}
var name = "x"
var version = "linker"`},
			want: []string{
				"web/a.go:2: package variable count can change",
				"web/a.go:3: package variable started can change",
				"web/a.go:4: package variable cache can change",
				"web/a.go:5: package variable last can change",
				"web/a.go:6: package variable lock can change",
				"web/a.go:7: package variable once can change",
				"web/a.go:8: package variable name can change",
				"web/a.go:9: package variable version can change",
			},
		},
		"what another file changes": {
			files: map[string]string{
				"web/a.go": "package web\nvar names = map[string]int{}\nvar list = []point{{}}",
				"web/b.go": `package web
func f() {
	names["a"] = 1
	list[0].x++
	delete(names, "a")
	(list) = append(list, point{})
}`,
			},
			want: []string{
				"web/b.go:3: package variable names is changed",
				"web/b.go:4: package variable list is changed",
				"web/b.go:5: package variable names is changed",
				"web/b.go:6: package variable list is changed",
			},
		},
		"the program's version": {files: map[string]string{"cmd/understudy/main.go": "package main\nvar version, commit = \"dev\", \"\""}},
	})
}

func TestHouse_FindsSleepingAndPolling(t *testing.T) {
	t.Parallel()
	const sleeper = "import \"time\"\nfunc f() { time.Sleep(1) }"
	checkAll(t, noSleeping, map[string]breach{
		"in a test": {
			files: map[string]string{"actors/a_test.go": "package actors\n" + sleeper},
			want:  []string{"actors/a_test.go:3: time.Sleep outside a bubble"},
		},
		"in production, bubble or not": {
			files: map[string]string{"actors/a.go": "package actors\nimport _ \"testing/synctest\"\n" + sleeper},
			want:  []string{"actors/a.go:4: time.Sleep"},
		},
		"in a bubble": {files: map[string]string{
			"actors/a_test.go": "package actors\nimport _ \"testing/synctest\"\n" + sleeper,
			"actors/b_test.go": "package actors\n" + sleeper + "\nfunc g() { inBubble(f) }",
		}},
		"in a load generator": {files: map[string]string{"test/bench/main.go": "package main\n" + sleeper}},
		"polling": {
			files: map[string]string{"http/a_test.go": "package httpapi\nimport _ \"testing/synctest\"\nfunc f() { require.Eventually(t, f, 1, 2) }"},
			want:  []string{"http/a_test.go:3: require.Eventually"},
		},
	})
}

func TestHouse_FindsHarmfulActorCalls(t *testing.T) {
	t.Parallel()
	const library = "github.com/asynkron/protoactor-go"
	checkAll(t, noHarmfulActorCalls, map[string]breach{
		"calls": {
			files: map[string]string{"actors/a.go": "package actors\nimport _ \"" + library + `/actor"
func f() {
	c.SetReceiveTimeout(1)
	actor.Bounded(10)
	root.RequestFuture(pid, m, 1).Result()
}`},
			want: []string{
				"actors/a.go:4: SetReceiveTimeout", "actors/a.go:5: Bounded",
				"actors/a.go:6: Result", "actors/a.go:6: RequestFuture",
			},
		},
		"packages": {
			files: map[string]string{"actors/a.go": importing("actors", library+"/actor", library+"/router")},
			want:  []string{"actors/a.go:4: import of " + library + "/router"},
		},
		"the same names elsewhere": {files: map[string]string{"http/a_test.go": "package httpapi\nfunc f() { recorder.Result() }"}},
	})
}

func TestHouse_FindsWhatIsUndocumented(t *testing.T) {
	t.Parallel()
	checkAll(t, documented, map[string]breach{
		"names": {
			files: map[string]string{"web/a.go": `// Package web serves files.
package web

type Server struct{}
func (s *Server) Serve() {}
func (s *Server) Error() string { return "" }
func (s server) Serve() {}
func New() {}
const Limit = 1

// A comment on the group speaks for no type.
type (
	One int
	Two int // is said here
)

// Sizes.
const (
	Small = 1
	Large = 2
)`},
			want: []string{
				"web/a.go:4: Server has no comment", "web/a.go:5: Serve has no comment",
				"web/a.go:8: New has no comment", "web/a.go:9: Limit has no comment",
				"web/a.go:13: One has no comment",
			},
		},
		"a package": {
			files: map[string]string{"web/a.go": "package web", "web/b_test.go": "// Package web is tested.\npackage web"},
			want:  []string{"web/a.go:1: package web has no comment"},
		},
		"a program's names are nobody's": {files: map[string]string{"cmd/x/main.go": "// Command x runs.\npackage main\nfunc Run() {}"}},
	})
}

func TestHouse_FindsUnfinishedWorkAndMachinePaths(t *testing.T) {
	t.Parallel()
	const mark = "TO" + "DO"
	checkAll(t, nothingLeftToDo, map[string]breach{
		"marks": {
			files: map[string]string{
				"web/a.go":            "package web\n// " + mark + ": more\nvar s = \"" + mark + "\"",
				"web/static/app.js":   "go()\n// " + mark,
				"web/testdata/a.json": mark,
				"docs/a.md":           mark,
			},
			want: []string{"web/a.go:2: " + mark, "web/static/app.js:2: " + mark},
		},
	})
	temporary := "/" + "tmp/"
	checkAll(t, noMachinePaths, map[string]breach{
		"paths": {
			files: map[string]string{
				"Makefile":  "all:\n\tcp x " + temporary + "y",
				"docs/a.md": "see docs" + temporary + " and https://example.com" + temporary,
			},
			want: []string{"Makefile:2: " + temporary},
		},
	})
}

func TestHouse_FindsWhatIsTooLarge(t *testing.T) {
	t.Parallel()
	lines := func(n int) string { return strings.Repeat("\n", n) }
	checkAll(t, withinBudgets, map[string]breach{
		"a file": {
			files: map[string]string{"web/a.go": "package web" + lines(501), "web/b.go": "package web" + lines(500)},
			want:  []string{"web/a.go: 501 lines in a file, at most 500"},
		},
		"a function, unless of a test": {
			files: map[string]string{
				"web/a.go":      "package web\nfunc f() {" + lines(80) + "}\nfunc g() {" + lines(79) + "}",
				"web/a_test.go": "package web\nfunc h() {" + lines(80) + "}",
			},
			want: []string{"web/a.go:2: 81 lines in f, at most 80"},
		},
		"a package, its tests aside": {
			files: map[string]string{
				"web/a.go": "package web" + lines(500), "web/b.go": "package web" + lines(500), "web/c.go": "package web" + lines(500),
				"web/d.go": "package web" + lines(500), "web/e.go": "package web" + lines(500), "web/f.go": "package web" + lines(500),
				"web/g.go": "package web" + lines(500), "web/h.go": "package web" + lines(500),
				"web/i.go": "package web" + lines(500), "web/j.go": "package web" + lines(500),
				"web/k.go":      "package web" + lines(1),
				"web/a_test.go": "package web" + lines(500),
			},
			want: []string{"web: 5001 lines in a package, at most 5000"},
		},
		"fan-out": {
			files: map[string]string{"http/a.go": importing("httpapi",
				modulePath+"/1", modulePath+"/2", modulePath+"/3", modulePath+"/4", modulePath+"/5",
				modulePath+"/6", modulePath+"/7", modulePath+"/8", modulePath+"/9", modulePath+"/10", modulePath+"/11", modulePath+"/12", modulePath+"/13", modulePath+"/14", modulePath+"/15", modulePath+"/16", modulePath+"/17")},
			want: []string{"http: imports 17 of our packages, at most 16"},
		},
	})
}

func TestHouse_MeasuresSizes(t *testing.T) {
	t.Parallel()
	house := parseTree(t, map[string]string{
		"web/a.go":      "package web\nfunc f() {\n}\n",
		"http/a.go":     importing("httpapi", modulePath+"/config"),
		"web/a_test.go": strings.Repeat("//\n", 15) + "package web\n",
	})
	require.Equal(t, "lines (median/p90/max): file 4/4/16, function 2/2/2, package 3/3/4; test/production 2.3; fan-out at most 1",
		measure(house).String())
}
