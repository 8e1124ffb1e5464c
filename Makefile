# make run    sets up and starts Tidewire with its demonstration data on http://127.0.0.1:8080
# make test   sets up and passes every test
# make bench  prints the benchmarks, beside peers in the same run (BENCH="-full -runs 3" and other flags)
# make soak   the long campaigns: fuzzing, kill -9, with a count of faults struck
# make generate, lint, build

SHELL := /bin/bash
ADDR  ?= 127.0.0.1:8080
DATA  ?= data
# No version control stamp: a build must not differ by where it stands.
GOFLAGS := -buildvcs=false
export GOFLAGS

.PHONY: run test bench soak generate lint build web unit canary e2e clean

run: build
	@echo "==> starting Tidewire on http://$(ADDR), data in $(DATA)/ (Ctrl-C ends it)"
	@./bin/tidewire serve --demo --listen $(ADDR) --data $(DATA)

build: web
	@echo "==> building bin/tidewire (the first time takes about two minutes)"
	@go build -o bin/tidewire ./cmd/tidewire

# The web app is built when a source of it is newer than the result.
web: web/dist/index.html
web/dist/index.html: web/node_modules/.installed $(shell find web/src web/index.html web/docs.html web/public web/vite.config.ts -type f 2>/dev/null)
	@echo "==> building the web app"
	@cd web && npm run --silent build
web/node_modules/.installed: web/package-lock.json
	@echo "==> installing what the web app needs (npm ci)"
	@cd web && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

test: lint web
	@echo "==> web: types, lint, unit tests"
	@cd web && npm run --silent typecheck && npm run --silent lint && npm run --silent test
	@$(MAKE) --no-print-directory unit canary e2e

# The proofs of the engine and of the hub strike many faults, which the race detector makes ten times as slow: it
# sees every nth of them (tsdb/internal/twin.Thin), and they are all struck without it. SQLite's translated C is
# left out of it, for it shares no memory of ours and took half the time; the collector may be lazy (GOGC).
unit:
	@echo "==> Go: unit tests with the race detector"
	@GOGC=400 go test -race -gcflags=modernc.org/sqlite/lib=-race=false -timeout 15m $$(go list ./... | grep -v '/e2e$$')
	@echo "==> Go: the proofs of the engine and of the hub in full"
	@GOGC=400 go test -timeout 10m ./tsdb ./subscriptions

canary:
	@echo "==> planted bugs, which the proofs must find"
	@./scripts/canary

e2e: build
	@./scripts/install-chromium
	@echo "==> the real binary, black box, with a real browser"
	@go test -timeout 10m -count=1 ./e2e

lint:
	@echo "==> lint"
	@cd tools && go build -o ../bin/golangci-lint github.com/golangci/golangci-lint/v2/cmd/golangci-lint
	@./bin/golangci-lint run --allow-parallel-runners ./...

bench: build
	@go run ./bench $(BENCH)

soak: build
	@./scripts/soak

generate:
	go generate ./...
	cd web && npm run generate

clean:
	rm -rf bin web/dist/assets web/dist/index.html web/node_modules
