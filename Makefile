# The only interface to remember: `make help`.
PYTHON ?= python3.13
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

export PATH := $(CURDIR)/$(BIN):$(PATH)
export PYTHONPATH := $(CURDIR)/layers/core:$(CURDIR)/cli:$(CURDIR)/report:$(CURDIR)
export SAM_CLI_TELEMETRY := 0
# Compiled files are kept in one place: without them each test worker compiles for five seconds.
export PYTHONDONTWRITEBYTECODE :=
export PYTHONPYCACHEPREFIX := $(CURDIR)/build/pycache

.DEFAULT_GOAL := help
.PHONY: session site screenshots prove-sites audit faults mutants fuzz-compatibility help setup demo local local-env local-push test test-slow benchmark plan validate docs lint format lock clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY) ## Install everything into .venv (the other targets do it when needed)

$(READY): requirements/dev.txt
	@command -v $(PYTHON) >/dev/null && $(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' 2>/dev/null \
		|| { echo "Lightgate needs Python 3.13, the Lambda runtime, as '$(PYTHON)'. Install it, or set its path: make PYTHON=/path/to/python3.13" >&2; exit 2; }
	@echo "Installing the tools into $(VENV) (a minute or two, once) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

demo: $(READY) ## Release a Django app five times on this machine; two of the releases fail
	@python -m local.demo

session: demo ## Record the terminal session in README.md, after the demo
	@python -m local.demo.session

local: $(READY) ## Start a cloud on this machine for people, until Ctrl-C: [PORT=n]
	@python -m local.by_hand

local-env: ## Print the lines for a shell that uses that cloud: eval "$$(make -s local-env)"
	@python -m local.by_hand.environment

local-push: $(READY) ## Push a release of the example app to that cloud: RELEASE=v1
	@python -m local.by_hand.push $(RELEASE)

test: $(READY) ## Run all tests but the slow ones: [ONLY=folder or part of a path]
	@places=$$(python -m tests.only $(ONLY)) && \
		python -m pytest -p tests.scheduling --numprocesses 3 --dist loadfile -m "not slow" $$places

test-slow: $(READY) ## Run the slow tests, with every interpreter, setting and example: [ONLY=as above]
	@places=$$(python -m tests.only $(ONLY)) && \
		python -m pytest -p tests.scheduling --numprocesses 3 --dist loadfile \
			--hypothesis-profile many -m "slow or hypothesis" $$places

faults: $(READY) ## Inject one fault into each AWS call and state of a release: [OPTIONS="--slice"]
	@python -m tests.faults $(OPTIONS)

mutants: $(READY) ## Break each promise of the design once; a test must fail each time
	@python -m tests.faults.mutants

fuzz-compatibility: $(READY) ## Compare the classes of random migrations with what old code can do: [SEED=n] [CASES=n] [OPTIONS="--engine mariadb --django 4.2"]
	@python -m tests.compatibility_fuzz $(if $(SEED),--seed $(SEED)) $(if $(CASES),--cases $(CASES)) $(OPTIONS)

prove-sites: $(READY) ## Compare the classes of 50 migrations of each real site with what old code can do: [SEED=n] [OPTIONS="--site wagtail"]
	@python -m tests.sites.proof $(if $(SEED),--seed $(SEED)) $(OPTIONS)

benchmark: $(READY) ## Measure what a release and the gate cost: states, calls, seconds, memory
	@python -m benchmarks.releases $(OPTIONS)
	@python -m benchmarks.functions $(OPTIONS)
	@python -m benchmarks.request $(OPTIONS)
	@python -m benchmarks.gate

plan: $(READY) ## Show the deployment that Lightgate would create from a spec: SPEC=file [IMAGE=uri] [IMAGE_CONFIG=file]
	@python -m lightgate_cli plan $(SPEC) $(if $(IMAGE),--image $(IMAGE)) $(if $(IMAGE_CONFIG),--image-config $(IMAGE_CONFIG))

validate: $(READY) ## List every problem of a spec: SPEC=file
	@python -m lightgate_cli validate $(SPEC)

docs: $(READY) ## Generate docs/spec.md, docs/compatibility.md and the two JSON Schemas in docs
	@python -m local.tools.spec_reference
	@python -m local.tools.command_schema
	@python -m tests.compatibility_fuzz.page

site: $(READY) ## Build the docs site into build/site; a broken link fails
	NO_MKDOCS_2_WARNING=1 mkdocs build --strict

screenshots: $(READY) ## Make the pictures of docs/page.md anew (needs Chromium)
	@python -m tests.report.screenshots

lint: $(READY) ## Check format, types, template, state machine and import rules
	ruff format --check .
	ruff check .
	mypy layers/core cli report functions local benchmarks
	cfn-lint template.yaml
	sam validate --lint
	lint-imports
	python -m local.tools.spec_reference --check
	python -m local.tools.command_schema --check
	python -m tests.compatibility_fuzz.page --check
	NO_MKDOCS_2_WARNING=1 mkdocs build --strict

format: $(READY) ## Format the code and fix what can be fixed automatically
	ruff check --fix-only --quiet .
	ruff format .

lock: $(READY) ## Choose new versions of all dependencies (needs uv)
	uv pip compile --quiet --upgrade --python-version 3.13 --generate-hashes --no-emit-index-url --no-header requirements/dev.in -o requirements/dev.txt
	uv pip compile --quiet --python-version 3.13 --generate-hashes --no-emit-index-url --no-header -c requirements/dev.txt layers/core/requirements.in -o layers/core/requirements.txt
	uv pip compile --quiet --python-version 3.13 --generate-hashes --no-emit-index-url --no-header -c requirements/dev.txt layers/core/build_gate/requirements.in -o layers/core/build_gate/requirements.txt
	uv pip compile --quiet --python-version 3.13 --generate-hashes --no-emit-index-url --no-header -c requirements/dev.txt report/requirements.in -o report/requirements.txt
	for file in examples/*/requirements.in requirements/stand-ins/*.in; do uv pip compile --quiet --python-version 3.13 --generate-hashes --no-emit-index-url --no-header -c requirements/dev.txt $$file -o $${file%.in}.txt; done
	uv pip compile --quiet --upgrade --python-version 3.13 --generate-hashes --no-emit-index-url --no-header requirements/audit.in -o requirements/audit.txt
	for site in requirements/sites/*.in; do uv pip compile --quiet --upgrade --python-version 3.12 --generate-hashes --no-emit-index-url --no-header $$site -o $${site%.in}.txt; done

AUDIT := build/audit
$(AUDIT)/.ready: requirements/audit.txt $(READY)
	@echo "Installing the scanners into $(AUDIT) (a minute, once) ..."
	@$(BIN)/python -m venv $(AUDIT)
	@$(AUDIT)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/audit.txt
	@touch $@

audit: $(AUDIT)/.ready ## Scan the template for weaknesses, and the dependencies for known ones
	@$(AUDIT)/bin/checkov --config-file audit.yaml
	@for file in layers/core/requirements.txt report/requirements.txt requirements/dev.txt; do \
		$(AUDIT)/bin/pip-audit --no-deps --disable-pip --progress-spinner off -r $$file || exit 1; done

clean: ## Remove all files that the targets have created
	rm -rf $(VENV) build .aws-sam .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
