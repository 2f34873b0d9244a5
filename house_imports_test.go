package understudy_test

import (
	"go/ast"
	"strings"
)

// layer says which of our packages a package may import. The first row that matches a
// package is its row; see matches for the patterns. "." is the root package.
type layer struct {
	packages string
	may      []string
	why      string
}

func layers() []layer {
	return []layer{
		{"test/...", []string{"..."}, "tests from outside may look anywhere"},
		{"cmd/...", []string{".", "config", "providers"}, "a command is a host like any other: it uses what embedders are promised"},
		{".", []string{"http", "http/admin", "http/capture", "http/metrics", "http/network", "http/tracing", "actors", "providers", "providers/*", "config", "internal/pin", "internal/session"}, "the root package wires the parts and decides nothing; it needs none of their insides"},
		{"http/admin", []string{"http/capture", "web", "actors", "providers", "config", "internal/admission", "internal/session"}, "the control plane reads what the engine publishes and moves no request"},
		{"http", []string{"http/fault", "http/listing", "http/payload", "http/tap", "http/translate", "actors", "providers", "config", "internal/admission", "internal/peek", "internal/pin", "internal/session", "internal/sse", "http/capture", "http/tracing", "http/socket"}, "the data plane moves bytes; which credential serves is the engine's decision"},
		{"http/socket", []string{"http/fault", "internal/jsonwalk", "internal/peek", "internal/sse", "actors", "providers"}, "frames become requests and answers; what runs when, and where, is decided elsewhere"},
		{"http/network", []string{"http/payload"}, "connections carry bytes to an address; whose and why is decided before"},
		{"http/translate", []string{"providers", "internal/llm", "internal/llm/*", "internal/sse"}, "what joins the codecs knows bytes, not where they go"},
		{"http/listing", []string{"actors", "http/fault", "providers"}, "a list of models is a matter of dialects, not of requests"},
		{"http/payload", nil, "bodies are bytes, whatever they say"},
		{"http/tracing", []string{"actors", "providers"}, "a span tells of leases and outcomes; nothing that serves knows who makes it"},
		{"http/metrics", []string{"actors", "providers"}, "what is counted comes from records and snapshots; nothing that serves knows who counts"},
		{"http/capture", []string{"config", "http/payload"}, "what is written down is bytes and headers; whose they are does not matter"},
		{"http/tap", []string{"providers", "internal/pin", "internal/sse"}, "what watches a stream knows formats, not where it goes"},
		{"http/fault", []string{"actors", "http/tap", "providers", "internal/peek", "internal/sse"}, "errors become bodies in one place, for every layer's errors"},
		{"actors", []string{"actors/ledger", "actors/memory", "actors/socket", "actors/stage", "providers", "config", "internal/affinity", "internal/catalog", "internal/cooldown", "internal/pin", "internal/roster", "internal/session"}, "actors decide and never touch a body or a wire format"},
		{"actors/ledger", []string{"actors/stage", "providers", "config", "internal/affinity", "internal/catalog", "internal/cooldown", "internal/recent", "internal/roster", "internal/session"}, "the books hear what was decided, in the words of those who decide, and decide nothing"},
		{"actors/memory", []string{"actors/stage", "providers", "internal/lineage", "internal/pin"}, "what is remembered for clients depends on no decision, and none of its actors on another"},
		{"actors/socket", []string{"actors/stage", "providers"}, "what runs over a socket when is decided without a connection or a wire format"},
		{"actors/stage", nil, "what actors stand on knows nothing of what they play"},
		{"providers/compat", []string{"providers", "providers/openai", "internal/peek"}, "a compatible upstream is OpenAI's adapter with other defaults, and only that one"},
		{"providers/grant", []string{"providers"}, "a token is got the same way for every vendor; where it is kept is the configuration's business"},
		{"providers/vertex", []string{"providers", "providers/gemini"}, "Vertex serves Gemini's models: the same actions and the same errors at another address"},
		{"providers/simulator/...", []string{"providers", "providers/simulator/*", "internal/peek", "internal/sse"}, "the simulator is an upstream: it knows wire formats and nothing of the gateway"},
		{"providers/*", []string{"providers", "internal/peek"}, "one vendor's quirks concern no other vendor and no other layer"},
		{"internal/llm/llmtest", []string{"internal/llm", "internal/sse"}, "the codecs' suite knows the canonical form, not the formats"},
		{"internal/llm/*", []string{"internal/llm", "internal/llm/wire", "internal/jsonwalk", "internal/sse"}, "codecs meet in the canonical form; importing each other makes pairs of them"},
		{"internal/strategy", []string{"providers"}, "policy is pure"},
		{"internal/catalog", []string{"providers"}, "policy is pure"},
		{"internal/roster", []string{"config", "providers", "internal/catalog", "internal/cooldown", "internal/strategy"}, "the read model joins the policies and knows no actor"},
		{"internal/affinity", []string{"internal/session", "providers"}, "policy is pure"},
		{"internal/cooldown", []string{"providers"}, "policy is pure"},
		{"internal/session", []string{"internal/jsonwalk"}, "what names a conversation is in headers and raw members; all it needs is to step through them"},
		{"internal/pin", []string{"internal/jsonwalk"}, "what names state at an upstream is in headers and raw members; all it needs is to step through them"},
		{"internal/*", nil, "the lowest layer: it can be read, tested and moved alone"},
		{"providers", nil, "everybody depends on these types; they depend on nobody"},
		{"config", nil, "everybody depends on these types; they depend on nobody"},
		{"web", nil, "the dashboard's files know nothing of who serves them"},
	}
}

// forTests may be imported by any test, whatever its package's layer.
var forTests = []string{"internal/fake", "internal/llm/llmtest", "providers/providertest", "providers/simulator"}

func ownImports(house *tree) []finding {
	var findings []finding
	for _, s := range house.sources {
		row, known := layerOf(s.folder)
		if !known {
			findings = append(findings, s.find(s.syntax.Name, "a package that no row describes can grow any dependency",
				"package %s has no row in the table of layers", s.folder))
			continue
		}
		s.imports(func(spec *ast.ImportSpec, imported string) {
			if !within(modulePath, imported) {
				return
			}
			folder := ourFolder(imported)
			itself := folder == s.folder // an external test
			if itself || matches(row.may, folder) || s.isTest() && matches(forTests, folder) {
				return
			}
			findings = append(findings, s.find(spec, row.why, "%s may not import %s", nameOf(s.folder), nameOf(folder)))
		})
	}
	return findings
}

func layerOf(folder string) (layer, bool) {
	for _, row := range layers() {
		if matches([]string{row.packages}, folder) {
			return row, true
		}
	}
	return layer{}, false
}

// ourFolder turns an import path of this module into a folder.
func ourFolder(imported string) string {
	folder := strings.TrimPrefix(strings.TrimPrefix(imported, modulePath), "/")
	if folder == "" {
		return "."
	}
	return folder
}

func nameOf(folder string) string {
	if folder == "." {
		return "the root package"
	}
	return folder
}

// confinement keeps another module to a few folders or files.
type confinement struct {
	modules []string
	to      []string
	why     string
}

func confinements() []confinement {
	return []confinement{
		{
			modules: []string{"github.com/asynkron/protoactor-go"},
			// A host may lend its actor system: one option, and the tests of it, name the type.
			to:  []string{"actors/*.go", "actors/ledger/*.go", "actors/memory/*.go", "actors/socket/*.go", "actors/stage/*.go", "options.go", "*_test.go", "test/..."},
			why: "the actor library is pinned and has defects to steer around; one package knows them",
		},
		{
			modules: []string{"github.com/labstack/echo"},
			to:      []string{"http/...", "test/..."},
			why:     "web libraries end at the edge, so that replacing one stays a small change",
		},
		{
			modules: []string{"github.com/gorilla/websocket"},
			to:      []string{"http/...", "internal/fake/*.go", "test/..."},
			why:     "web libraries end at the edge, where clients and, in tests, upstreams are",
		},
		{
			modules: []string{"github.com/spf13/cobra", "github.com/spf13/pflag"},
			to:      []string{"cmd/...", "test/..."},
			why:     "flags belong to the program, not to the library",
		},
		{
			modules: []string{"github.com/stretchr/testify", "github.com/getkin/kin-openapi", "go.uber.org/goleak", "pgregory.net/rapid", "github.com/tmaxmax/go-sse"},
			to:      []string{"..._test.go", "providers/providertest/...", "internal/llm/llmtest/...", "test/..."},
			why:     "what only tests need must not reach a program that embeds the gateway",
		},
		{
			modules: []string{"github.com/prometheus"},
			// A host may lend its registerer: one option, and what it is kept for, name the type.
			to:  []string{"http/metrics/*.go", "options.go", "..._test.go", "test/..."},
			why: "what counts is a choice of its own; whatever is counted must not depend on it",
		},
		{
			modules: []string{"go.opentelemetry.io/otel"},
			// Where spans go is the program's choice, or the host's: one option names the type.
			to:  []string{"http/tracing/*.go", "options.go", "cmd/...", "..._test.go", "test/..."},
			why: "who makes spans is a choice of its own; whatever they tell of must not depend on it",
		},
		{
			modules: []string{"golang.org/x/oauth2"},
			to:      []string{"providers/grant/*.go", "test/..."},
			why:     "the library quotes whole answers in its errors; one package keeps secrets out of them",
		},
	}
}

func foreignImports(house *tree) []finding {
	var findings []finding
	for _, s := range house.sources {
		s.imports(func(spec *ast.ImportSpec, imported string) {
			for _, c := range confinements() {
				if withinAny(c.modules, imported) && !matches(c.to, s.path) {
					findings = append(findings, s.find(spec, c.why, "%s may be imported only in %s", imported, strings.Join(c.to, ", ")))
				}
			}
		})
	}
	return findings
}
