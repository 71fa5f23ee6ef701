# Every job of this repository. `make` lists them; each sets up what it needs.
.DEFAULT_GOAL := help
SHELL := /bin/sh
BIN := .venv/bin
MODEL_REPOSITORY ?= build/model_repository
CHECKPOINT ?=
FUZZ ?=
LOAD ?=
AUDIT ?=
LOCK ?=
JOBS ?= 2
FILES ?= ../shared/data

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.venv/installed: pyproject.toml client/pyproject.toml hatch_build.py uv.lock scripts/setup scripts/locked.py
	scripts/setup
	@touch $@

.PHONY: setup
setup: .venv/installed ## Make .venv with everything (about 6 GB; some minutes)

.PHONY: demo
demo: setup ## A real echo study through a real server: export, serve, predict, stop (CHECKPOINT=path for real weights)
	@CHECKPOINT="$(CHECKPOINT)" scripts/demo

.PHONY: export
export: setup ## Make $(MODEL_REPOSITORY) servable (CHECKPOINT=path; stand-in weights without)
	$(BIN)/panecho export --model-repository $(MODEL_REPOSITORY) $(if $(CHECKPOINT),--checkpoint "$(CHECKPOINT)",--stand-in 0)

.PHONY: serve
serve: setup ## Serve $(MODEL_REPOSITORY) until Ctrl-C
	@test -f $(MODEL_REPOSITORY)/backbone/1/model.pt || $(MAKE) --no-print-directory export
	$(BIN)/panecho serve --model-repository $(MODEL_REPOSITORY)

.PHONY: test
test: setup ## Run all tests, JOBS=2 at a time, each job with its own server; print the 25 slowest, and the time of all
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal --durations=25

.PHONY: test-long
test-long: setup ## Run the tests that put a server through faults and load for tens of seconds each
	$(BIN)/python -m pytest -m long

.PHONY: test-fast
test-fast: setup ## Run the tests that take less than about ten seconds each
	$(BIN)/python -m pytest -m "not slow and not long"

.PHONY: fuzz
fuzz: setup ## Feed broken files to the preprocessing for a minute (FUZZ="--count 10000 --seconds 900" for more)
	PYTHONPATH=tests $(BIN)/python -m fuzz.fuzz_preprocessing $(FUZZ)

.PHONY: load-test
load-test: setup ## Load an embedded server until it is too much; the knee and a report in build/load-test
	$(BIN)/python -m load_tests.run $(LOAD)

.PHONY: validate-deploy
validate-deploy: setup ## Check everything in deploy/ and docker-compose.yml against its schema
	scripts/validate/dockerfiles
	scripts/validate/compose
	scripts/validate/kubernetes
	scripts/validate/prometheus

.PHONY: chart
chart: setup ## Build the Helm chart into build/helm/panecho
	$(BIN)/python scripts/helm_chart.py

.PHONY: audit
audit: setup ## Look for known vulnerabilities in every locked package (AUDIT="--ignore-vuln ID" to accept one)
	@mkdir -p build
	$(BIN)/uv export --quiet --frozen --no-emit-workspace --output-file build/audit.txt
	$(BIN)/pip-audit --strict --disable-pip --requirement build/audit.txt $(AUDIT)

.PHONY: sbom
sbom: setup ## Write a CycloneDX bill of materials into build/sbom.json
	$(BIN)/python scripts/sbom.py

.PHONY: benchmark
benchmark: setup ## Compare the preprocessing with pydicom, dcmtk and FFmpeg on the same files
	$(BIN)/python -m benchmarks.preprocessing

.PHONY: pictures
pictures: setup ## Draw the pictures of docs/guide/framing.md (FILES=folder with the three cines)
	$(BIN)/python scripts/masking_pictures.py $(FILES)

.PHONY: docs
docs: setup ## Build docs/ as a site in build/site; a broken link fails
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet --strict

.PHONY: lint
lint: types ## Check style, spelling, types, which package imports which, and that rendered files are current
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/typos
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m panecho_export.config_rendering --check model_repository

.PHONY: types
types: setup ## Check types alone
	$(BIN)/mypy admin benchmarks client export hatch_build.py load_tests model postprocessing preprocessing server training scripts deploy/docker/*.py tests
	PYTHONPATH=tests $(BIN)/python -m support.doc_examples build/examples
	$(BIN)/mypy build/examples
	for model in model_repository/*/1/model.py; do $(BIN)/mypy "$$model" || exit 1; done

.PHONY: format
format: setup ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: render
render: setup ## Write tasks.json, the task-shaped parts of every config.pbtxt, and the rules for Kubernetes, from their sources
	$(BIN)/python -m panecho_export.config_rendering model_repository
	deploy/kubernetes/monitoring/render > deploy/kubernetes/monitoring/prometheusrule.yaml

.PHONY: lock
lock: ## Write uv.lock from both pyproject.toml (LOCK=--upgrade, or LOCK="--upgrade-package NAME", for newer versions)
	$(BIN)/uv lock $(LOCK)

.PHONY: clean
clean: ## Remove exported models, logs and caches (not .venv)
	rm -rf build dist .mypy_cache .pytest_cache .ruff_cache
