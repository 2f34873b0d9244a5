# Needs Go, make and a C compiler (for the race detector); everything else is fetched
# as Go modules. `make check` is the only gate.

FUZZTIME ?= 1s
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
COMMIT   ?= $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)

TOOL := go tool -modfile=tools/go.mod
STEP := @tools/step.sh

.PHONY: check tools format vet build lint fuzz-short test-sdk test fuzz bench soak proofs quality run fmt
.NOTPARALLEL:

# The tests come last, so that the output ends with their summary.
check: tools format vet build lint fuzz-short test-sdk test

# The first build of the linter takes a minute or two; later ones come from the cache.
tools:
	$(STEP) "tools: gofumpt" $(TOOL) gofumpt -version
	$(STEP) "tools: golangci-lint" $(TOOL) golangci-lint version

format:
	$(STEP) "format" tools/format.sh

vet:
	$(STEP) "vet" go vet ./...

build:
	$(STEP) "build" go build -ldflags "-X main.version=$(VERSION) -X main.commit=$(COMMIT)" -o bin/understudy ./cmd/understudy

lint:
	$(STEP) "lint" $(TOOL) golangci-lint run ./...

fuzz-short:
	$(STEP) "fuzz, $(FUZZTIME) each" tools/fuzz.sh $(FUZZTIME)

# The official SDKs are test dependencies only, hence in a module of their own.
test-sdk:
ifneq ($(wildcard test/sdk/go.mod),)
	$(STEP) "test with the official SDKs" go -C test/sdk test -race ./...
endif

test:
	@echo "==> test, with the race detector"
	@go test -race ./...

fuzz: FUZZTIME = 1m
fuzz: fuzz-short

# CPU per relayed request against a bare reverse proxy, and the engine's own costs.
bench:
	go run ./test/bench

# A thousand parallel streams of a minute each.
soak:
	go run ./test/bench streams

# One credential in trouble beside 199 others, a thousand changes in a minute under load, and
# a start with ten thousand credential files.
proofs:
	go run ./test/bench supervision changes files

# Routing by scenario and kind of session, in virtual time: docs/quality.md. FORMAT=json
# prints rows for programs.
FORMAT ?= text
quality:
	go -C test/quality test -count=1 -full -format $(FORMAT)

run:
	go run ./cmd/understudy serve

fmt:
	$(TOOL) golangci-lint fmt ./...
