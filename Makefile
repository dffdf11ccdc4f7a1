# Copyright The image-catalog Authors.
# SPDX-License-Identifier: Apache-2.0

# The only entry point: people and CI call nothing else. Go, make and git are all
# that must be installed; whatever else is needed is built from pinned Go modules.

MAKEFLAGS += --no-builtin-rules --warn-undefined-variables
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.SUFFIXES:
.DEFAULT_GOAL := help

# What a caller may set. Empty means the default that the comment names.
KUBEBUILDER_ASSETS ?=
# What a release is called, e.g. v1.2.3; it names the image and the chart, and bin/manager --version prints it.
VERSION ?=
# The image's digest (sha256:...), which the packed chart names instead of a tag.
DIGEST ?=
IMG ?= ghcr.io/image-catalog/image-catalog-operator:$(or $(VERSION),dev)
CONTAINER_TOOL ?= $(firstword $(foreach tool,docker podman buildah,$(if $(shell command -v $(tool) 2>/dev/null),$(tool))))
# More arguments for the manager of "make run", e.g. ARGS="--zap-log-level=debug".
ARGS ?=
# More arguments for go test, e.g. TESTFLAGS="-run TestPlan -v".
TESTFLAGS ?=
# More arguments for golangci-lint, e.g. LINTFLAGS=--fix, which mends what it can.
LINTFLAGS ?=
# More arguments for the benchmark: hack/test/bench/main.go says which there are.
BENCHFLAGS ?=
# How long "make soak" goes on, and which random events it chooses.
DURATION ?= 20m
SEED ?= 1
# What the tests cover, e.g. PKG=./controllers/...
PKG ?= ./...
# How long make fuzz runs each fuzz target, and which ones, e.g. FUZZTIME=10m FUZZ=Answer.
FUZZTIME ?= 30s
FUZZ ?= .
# What make mutants changes: files that differ from this commit, e.g. SINCE=main, or all of them; and more arguments, e.g.
# MUTANTSFLAGS="-only selection/order -workers 4".
SINCE ?=
MUTANTSFLAGS ?=
# The database of vulnerabilities: a version of the Go module golang.org/x/vulndb. Without network, one that is in the module cache.
VULNDB ?= latest
# Which Kubernetes the control plane is, e.g. KUBERNETES=1.31, the oldest one that is supported. Empty means the newest.
KUBERNETES ?=

# A go.work that happens to lie above the checkout must not decide what is built.
export GOWORK := off

BIN := $(CURDIR)/bin
# Envtest, the demo and kubectl all take the control plane from one folder; a set
# of binaries that the caller already has is never built again.
ASSETS := $(if $(KUBEBUILDER_ASSETS),$(abspath $(KUBEBUILDER_ASSETS)),$(BIN)/controlplane$(KUBERNETES:%=-%))
KUBECTL := $(ASSETS)/kubectl
TEST_ENV := KUBEBUILDER_ASSETS="$(ASSETS)"

# The modules: what lint, tidy and the checks go over. A new go.mod is found by itself.
MODULES := $(patsubst %/go.mod,%,$(shell git ls-files --cached --others --exclude-standard -- go.mod '*/go.mod' | sed 's|^go.mod$$|./go.mod|'))

# Tool versions live in one place, the require lines of hack/tools/go.mod.
version = $(shell sed -n 's|.*$(1) \(v[^ ]*\).*|\1|p' hack/tools/go.mod)
CONTROLLER_GEN := bin/tools/controller-gen-$(call version,sigs.k8s.io/controller-tools)
# It writes the name it was called by into what it generates: call it without the version.
GENERATE := exec -a controller-gen $(CONTROLLER_GEN)
KUSTOMIZE := bin/tools/kustomize-$(call version,sigs.k8s.io/kustomize/kustomize/v5)
# The oldest Kubernetes that is supported; helm built from its module knows none.
OLDEST_KUBERNETES := v1.31.0
HELM := bin/tools/helm-$(call version,helm.sh/helm/v3)
CRD_REF_DOCS := bin/tools/crd-ref-docs-$(call version,github.com/elastic/crd-ref-docs)
PROMTOOL := bin/tools/promtool-$(call version,github.com/prometheus/prometheus)
GOVULNCHECK := bin/tools/govulncheck-$(call version,golang.org/x/vuln)
# golangci-lint with kube-api-linter inside: the one build that knows every linter in .golangci.yml.
GOLANGCI_LINT := bin/tools/golangci-lint-kube-api-linter-$(call version,sigs.k8s.io/kube-api-linter)

##@ Begin here

.PHONY: help
help: ## Lists every target.
	@while IFS= read -r line; do \
		case $$line in \
		'##@ '*) printf '\n%s\n' "$${line#'##@ '}" ;; \
		[a-z]*': '*'## '*) printf '  %-15s %s\n' "$${line%%:*}" "$${line##*'## '}" ;; \
		esac; \
	done < Makefile

.PHONY: demo
demo: build controlplane ## Runs everything here, cloud included, and shows the catalogue; ONCE=1 ends by itself.
	@$(TEST_ENV) MANAGER="$(BIN)/manager" CVMSIM="$(BIN)/cvmsim" go run ./hack/demo

##@ Develop

.PHONY: build
build: ## Builds bin/manager, its link bin/kubectl-imgq, which is the kubectl plugin, and bin/cvmsim, the simulated cloud.
	@CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X github.com/image-catalog/image-catalog-operator/controllers/command.version=$(VERSION)" -o bin/manager .
	@ln -sf manager bin/kubectl-imgq
	@CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o bin/cvmsim ./hack/cvmsim

.PHONY: test
test: controlplane ## Runs the tests of the root module against a real API server.
	@$(TEST_ENV) go test -timeout=30m $(TESTFLAGS) $(PKG)

.PHONY: test-race
test-race: controlplane ## Runs the same tests with the race detector, which needs a C compiler.
	@command -v "$$(go env CC)" >/dev/null || { \
		echo "The race detector needs a C compiler: install gcc or clang, or run make test." >&2; exit 1; }
	@CGO_ENABLED=1 $(TEST_ENV) go test -race -timeout=60m $(TESTFLAGS) $(PKG)

.PHONY: e2e
e2e: build controlplane $(PROMTOOL) ## Runs bin/manager from outside: shipped roles, garbage collection, simulated cloud, every request counted.
	@cd hack/test && $(TEST_ENV) MANAGER="$(BIN)/manager" CVMSIM="$(BIN)/cvmsim" PROMTOOL="$(CURDIR)/$(PROMTOOL)" \
		go test -count=1 $(TESTFLAGS) ./cluster ./consumer ./e2e ./install ./model ./observe ./publish
	@cd hack/test && $(TEST_ENV) MANAGER="$(BIN)/manager" CVMSIM="$(BIN)/cvmsim" go test -count=1 -short -run='TestFault(16|24|31|39|40|42|47|60|65|67)|TestTheTable|TestAReplay|TestKeptLives|TestSearchLives' ./faults

.PHONY: test-upgrade
test-upgrade: build controlplane ## Upgrades the previous release, which it builds from the history, to this checkout, and goes back.
	@cd hack/test && $(TEST_ENV) MANAGER="$(BIN)/manager" CVMSIM="$(BIN)/cvmsim" go test -count=1 $(TESTFLAGS) ./upgrade

# npm must find what package-lock.json pins; nothing of it runs when it is installed.
.PHONY: browser
browser: build controlplane ## Looks at the page in a real browser, which needs chromium and npm; screenshots go to bin/screenshots.
	@command -v npm >/dev/null || { echo "npm is missing: it brings axe-core and jsonata, which judge the page and its feed." >&2; exit 1; }
	@cd hack/test/browser && npm ci --ignore-scripts --no-audit --no-fund --silent
	@mkdir -p "$(BIN)/screenshots"
	@cd hack/test && $(TEST_ENV) MANAGER="$(BIN)/manager" CVMSIM="$(BIN)/cvmsim" SCREENSHOTS="$(BIN)/screenshots" \
		go test -count=1 $(TESTFLAGS) ./browser

.PHONY: faults
faults: build controlplane ## Breaks the operator's world from outside, row by row of docs/reliability.md, and says how many hold.
	@cd hack/test && $(TEST_ENV) MANAGER="$(BIN)/manager" CVMSIM="$(BIN)/cvmsim" go test -count=1 -timeout=90m $(or $(TESTFLAGS),-v) ./faults

.PHONY: soak
soak: build controlplane ## Lets everything go wrong at random for DURATION, as SEED chooses, and looks what is left.
	@cd hack/test && $(TEST_ENV) MANAGER="$(BIN)/manager" CVMSIM="$(BIN)/cvmsim" go test -count=1 -timeout=0 -v -run=TestSoak $(TESTFLAGS) ./faults -soak=$(DURATION) -seed=$(SEED)

.PHONY: bench
bench: build controlplane ## Measures speed, requests and memory beside floors and rivals; BENCHFLAGS="-only sync -sizes 408" is a part.
	@cd hack/test && $(TEST_ENV) MANAGER="$(BIN)/manager" CVMSIM="$(BIN)/cvmsim" go run ./bench -baseline bench/baseline.json $(BENCHFLAGS)

.PHONY: bench-check
bench-check: build controlplane ## Compares small sizes with hack/test/bench/baseline.json, in some minutes, and says what got worse.
	@cd hack/test && $(TEST_ENV) MANAGER="$(BIN)/manager" CVMSIM="$(BIN)/cvmsim" go run ./bench -baseline bench/baseline.json -check $(BENCHFLAGS)

# An interesting input is made smaller in 20 runs at most: the default, a minute for
# each, leaves no time to find the next one.
.PHONY: fuzz
fuzz: ## Runs every fuzz target of the root module for FUZZTIME (30s); FUZZ chooses among them by name.
	@git grep --untracked -oE '^func Fuzz\w+' -- '*_test.go' | sed 's|^\(.*\)/[^/]*:func |\1 |' | grep -E -- '$(FUZZ)' | \
		while read -r folder target; do \
			echo "fuzz: $$target in $$folder"; \
			go test "./$$folder" -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 20x </dev/null; \
		done

.PHONY: mutants
mutants: ## Changes one thing at a time in the code that decides, and fails if the fast tests don't notice; SINCE=main takes what differs.
	@go run ./hack/mutants $(if $(SINCE),-since=$(SINCE)) $(MUTANTSFLAGS)

# The module has the reports only; its indexdb makes the database that govulncheck reads.
.PHONY: vulnerabilities
vulnerabilities: $(GOVULNCHECK) ## Looks for known vulnerabilities, by the Go module golang.org/x/vulndb (VULNDB, latest): no other network is needed.
	@module=$$(go mod download -json golang.org/x/vulndb@$(VULNDB)); \
		dir=$$(sed -n 's|^\t"Dir": "\(.*\)",*$$|\1|p' <<<"$$module") version=$$(sed -n 's|^\t"Version": "\(.*\)",*$$|\1|p' <<<"$$module"); \
		echo "vulnerabilities: as known to golang.org/x/vulndb@$$version"; \
		rm -rf bin/vulndb && go run golang.org/x/vulndb/cmd/indexdb@$$version -vulns "$$dir/data/osv" -out bin/vulndb
	@$(GOVULNCHECK) -db "file://$(BIN)/vulndb" ./...

.PHONY: generate
generate: $(CONTROLLER_GEN) $(CRD_REF_DOCS) ## Writes deepcopy functions, apply configurations, docs/reference.md, docs/metrics.md, docs/flags.md and the chart's README.
	@$(GENERATE) paths=./api/... \
		object:headerFile=hack/boilerplate.go.txt \
		applyconfiguration:headerFile=hack/boilerplate.go.txt
	@$(CRD_REF_DOCS) --source-path=api/v1alpha1 --config=hack/docs/reference.yaml --renderer=markdown --output-path=docs/reference.md --log-level=ERROR
	@go run ./hack/docs

.PHONY: manifests
manifests: $(CONTROLLER_GEN) ## Writes the CRDs and the RBAC role from the markers in the code.
	@$(GENERATE) crd paths=./api/... output:crd:dir=config/crd/bases
	@$(GENERATE) rbac:roleName=image-catalog-operator paths=./controllers/... output:rbac:dir=config/rbac

.PHONY: lint
lint: $(GOLANGCI_LINT) ## Runs the linters of .golangci.yml over every module that has code.
	@for module in $(MODULES); do \
		[[ -n $$(git ls-files --cached --others --exclude-standard -- "$$module/*.go") ]] || continue; \
		(cd "$$module" && "$(CURDIR)/$(GOLANGCI_LINT)" run --config "$(CURDIR)/.golangci.yml" $(LINTFLAGS) ./...); \
	done

.PHONY: verify
verify: ## Runs every check of the repository: lint, generated files, tidy modules, hack/verify.
	@hack/verify/run.sh $(MODULES)

.PHONY: controlplane
controlplane: ## Puts etcd, kube-apiserver, kube-controller-manager and kubectl into bin/controlplane, or those of KUBERNETES beside it.
ifeq ($(KUBEBUILDER_ASSETS),)
	@KUBERNETES="$(KUBERNETES)" hack/controlplane/build.sh "$(ASSETS)"
else
	@for name in etcd kube-apiserver kubectl; do \
		[[ -x "$(ASSETS)/$$name" ]] || { \
			echo "KUBEBUILDER_ASSETS names $(ASSETS), which has no $$name: put one there, or unset the variable to build all of them." >&2; exit 1; }; \
	done
endif

.PHONY: clean
clean: ## Removes bin and dist; the control plane and the tools stay cached outside the checkout.
	@rm -rf bin dist

##@ A cluster (the current kubeconfig)

.PHONY: install
install: $(KUBECTL) $(KUSTOMIZE) ## Applies the CRDs.
	@$(KUSTOMIZE) build config/crd | $(KUBECTL) apply --server-side -f -

.PHONY: uninstall
uninstall: $(KUBECTL) $(KUSTOMIZE) ## Deletes the CRDs, and with them every ImageQuery and CloudImage.
	@$(KUSTOMIZE) build config/crd | $(KUBECTL) delete --ignore-not-found -f -

.PHONY: deploy
deploy: installer $(KUBECTL) ## Applies config/default (CRDs, RBAC, policy, Deployment) with the image IMG.
	@$(KUBECTL) apply --server-side -f dist/install.yaml

# Deleting a CRD deletes every object of its kind; taking the operator away must
# not take the catalogue away, so the CRDs are cut out of what is deleted.
.PHONY: undeploy
undeploy: $(KUBECTL) $(KUSTOMIZE) ## Deletes what deploy applied, but leaves the CRDs and so the catalogue.
	@rm -rf bin/undeploy && mkdir -p bin/undeploy
	@printf '%s\n' 'resources: [../../config/default]' 'patches:' '- target: {kind: CustomResourceDefinition}' \
		'  patch: |' '    $$patch: delete' '    apiVersion: apiextensions.k8s.io/v1' '    kind: CustomResourceDefinition' \
		'    metadata: {name: every}' > bin/undeploy/kustomization.yaml
	@$(KUSTOMIZE) build bin/undeploy | $(KUBECTL) delete --ignore-not-found -f -

.PHONY: run
run: build ## Runs bin/manager against the current kubeconfig.
	@bin/manager --credentials-namespace=image-catalog-system $(ARGS)

##@ Release

.PHONY: installer
installer: $(KUSTOMIZE) ## Writes config/default with the image IMG into dist/install.yaml, for kubectl apply -f.
	@rm -rf bin/installer && mkdir -p bin/installer dist
	@cd bin/installer && "$(CURDIR)/$(KUSTOMIZE)" create --resources ../../config/default && \
		"$(CURDIR)/$(KUSTOMIZE)" edit set image "image-catalog-operator=$(IMG)"
	@$(KUSTOMIZE) build bin/installer > dist/install.yaml

.PHONY: chart
chart: $(HELM) ## Checks the Helm chart with every set of values in config/chart/ci, and packs it into dist as VERSION, with the image by DIGEST.
	@rm -rf bin/chart && cp -RL config/chart bin/chart
	@sed 's|^  digest: ""$$|  digest: "$(DIGEST)"|' config/chart/values.yaml > bin/chart/values.yaml
	@grep -q '^  digest: "$(DIGEST)"$$' bin/chart/values.yaml || { echo "config/chart/values.yaml has no line for the digest." >&2; exit 1; }
	@for values in bin/chart/ci/*.yaml; do \
		$(HELM) lint --strict --quiet --kube-version $(OLDEST_KUBERNETES) --values "$$values" bin/chart 2>bin/chart.log || { \
			cat bin/chart.log >&2; echo "The chart has these faults with the values of $$values." >&2; exit 1; }; \
	done
	@$(HELM) package $(if $(VERSION),--version $(VERSION:v%=%) --app-version $(VERSION)) --destination dist bin/chart 2>bin/chart.log || { \
		cat bin/chart.log >&2; exit 1; }

.PHONY: plugin
plugin: ## Builds the kubectl plugin as VERSION for every platform, and writes archives and the krew manifest into dist.
	@go run ./hack/plugin -version "$(VERSION)"

.PHONY: image
image: ## Builds the container image IMG with CONTAINER_TOOL (docker, podman or buildah).
	@[[ -n "$(CONTAINER_TOOL)" ]] || { \
		echo "No container tool was found: install docker, podman or buildah, or name another one with CONTAINER_TOOL=..." >&2; exit 1; }
	@$(CONTAINER_TOOL) build --build-arg "VERSION=$(VERSION)" \
		--build-arg "COMMIT=$$(git describe --always --abbrev=40 --exclude='*' --dirty 2>/dev/null)" -t $(IMG) .

# Not listed: what the targets above stand on.

# install and deploy need kubectl only, which builds much faster than all four.
$(BIN)/controlplane$(KUBERNETES:%=-%)/kubectl:
	@KUBERNETES="$(KUBERNETES)" hack/controlplane/build.sh $(@D) kubectl

$(CONTROLLER_GEN): hack/tools/go.sum
	@hack/tools/install.sh sigs.k8s.io/controller-tools/cmd/controller-gen $@
$(KUSTOMIZE): hack/tools/go.sum
	@hack/tools/install.sh sigs.k8s.io/kustomize/kustomize/v5 $@
$(GOLANGCI_LINT): hack/tools/go.sum
	@hack/tools/install.sh sigs.k8s.io/kube-api-linter/cmd/golangci-lint-kube-api-linter $@
$(HELM): hack/tools/go.sum
	@hack/tools/install.sh helm.sh/helm/v3/cmd/helm $@
$(CRD_REF_DOCS): hack/tools/go.sum
	@hack/tools/install.sh github.com/elastic/crd-ref-docs $@
$(GOVULNCHECK): hack/tools/go.sum
	@hack/tools/install.sh golang.org/x/vuln/cmd/govulncheck $@
# Service discovery is most of Prometheus, and no part of what rules and metrics are checked with.
$(PROMTOOL): hack/tools/go.sum
	@hack/tools/install.sh github.com/prometheus/prometheus/cmd/promtool $@ -tags remove_all_sd
