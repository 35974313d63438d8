# Two commands do everything: `make run` and `make test`. Each sets up what it needs first.
# Needed: Python 3.11 or newer, make, and a package index.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
FILE ?= examples/countries.py
ASK ?= Which has more people, France or Germany, and by how many percent?

.DEFAULT_GOAL := help
.PHONY: help run test check engine serve bench constraints clean

help: ## Show these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The user's environment: the core and the embedded engine, pinned with hashes.
$(VENV)/run.done: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "crewgraph needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1). Try: make run PYTHON=python3.12"; exit 2; }
	@echo "[1/3] making the environment in $(VENV)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "[2/3] fetching the installer (uv)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check "uv>=0.8"
	@echo "[3/3] installing crewgraph with the embedded engine"
	@$(BIN)/uv pip install --python $(BIN)/python --compile-bytecode --constraints constraints.txt --editable ".[engine]"
	@touch $@

# What tests and checks need on top.
$(VENV)/dev.done: $(VENV)/run.done
	@echo "installing what the tests and checks need"
	@$(BIN)/uv pip install --python $(BIN)/python --compile-bytecode --constraints constraints.txt --group dev --editable ".[engine,cluster,encryption,cache,symbolic]"
	@touch $@

run: $(VENV)/run.done ## Run the first example; make run ASK="your own question" FILE=examples/manual.py
	@$(BIN)/crewgraph run $(FILE) $(call quoted,$(ASK))

test: $(VENV)/dev.done ## Pass the tests (the embedded engine's too)
	@$(BIN)/crewgraph engine pull
	@$(BIN)/python -m pytest $(or $(TESTS),-n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder)

check: $(VENV)/dev.done ## Lint, types, import layers, docs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/python -m pytest --quiet tests/docs tests/guards

engine: $(VENV)/run.done ## Set up vLLM in an environment of its own and start it
	@$(BIN)/crewgraph engine install vllm
	@$(BIN)/crewgraph engine start vllm

serve: $(VENV)/run.done ## Serve the first example as an OpenAI-compatible chat API
	@$(BIN)/crewgraph serve $(FILE)

bench: $(VENV)/dev.done ## Run every benchmark once, quickly
	@for script in benchmarks/[!_]*.py; do echo "== $$script"; $(BIN)/python $$script --quick || exit 1; done

constraints: ## Write constraints.txt anew from pyproject.toml (versions and hashes, no addresses)
	@$(BIN)/uv pip compile pyproject.toml --extra engine --extra cluster --extra encryption --extra cache --extra symbolic --group dev --universal --python-version 3.11 \
		--generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links --upgrade --quiet --output-file constraints.txt

clean: ## Remove the environment and what tools left behind
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache src/*.egg-info

# One shell word, whatever is in it.
quoted = '$(subst ','\'',$(1))'
