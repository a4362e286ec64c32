# `make help` lists what there is. Everything lives in .venv; a second run installs nothing.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

PYTHON ?= python3
# Test processes; each runs torch on one thread.
JOBS ?= 2
BIN := .venv/bin
# Two times quiet: pip's errors are shown, its notes and warnings are not. Without compiling ahead, only the
# modules that get imported are ever compiled.
PIP := $(BIN)/python -m pip install -q -q --no-compile --disable-pip-version-check -c constraints.txt
ACTMAX := $(BIN)/actmax

.PHONY: help demo test lint format bench docs clean constraints

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/.base ## Set up and show what one unit of a real language model wants (writes runs/demo)
	@$(ACTMAX) maximize hidden_states.4:90 --restarts 10 --out runs/demo

test: lint ## Set up, then lint, types, layers and every test
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist worksteal

lint: .venv/.dev ## Style, types and layers
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet . || { echo "some files are not formatted; run: make format" >&2; exit 1; }
	@$(BIN)/mypy
	@PYTHONWARNINGS=ignore $(BIN)/lint-imports --no-logo

format: .venv/.dev ## Mend style where a tool can
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

bench: .venv/.dev ## Run every file in benchmarks/
	@for file in benchmarks/*.py; do echo "== $$file"; $(BIN)/python "$$file"; done

docs: .venv/.docs ## Build the documentation strictly into docs/_build/html
	@$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html
	@echo "open docs/_build/html/index.html"

clean: ## Remove .venv and whatever tools left; keeps runs/
	rm -rf .venv build dist docs/_build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

# Each stamp says which set was installed last with these versions; a larger set holds the smaller one.
.venv/.python:
	@command -v "$(PYTHON)" >/dev/null || { \
	  echo "actmax needs Python 3.11 or newer, and there is no '$(PYTHON)'; set one: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "actmax needs Python 3.11 or newer, and '$(PYTHON)' is $$("$(PYTHON)" -V 2>&1); set another: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "'$(PYTHON)' cannot make environments; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@"$(PYTHON)" -m venv .venv
	@touch $@

.venv/.base: pyproject.toml constraints.txt | .venv/.python
	@echo "Installing actmax into .venv (the first time takes a minute or more)" >&2
	@$(PIP) -e .
	@touch $@

.venv/.dev: pyproject.toml constraints.txt | .venv/.python
	@echo "Installing actmax and its development tools into .venv (the first time takes minutes)" >&2
	@$(PIP) -e '.[dev]'
	@touch .venv/.base $@

.venv/.docs: pyproject.toml constraints.txt | .venv/.python
	@echo "Installing actmax and the documentation tools into .venv" >&2
	@$(PIP) -e '.[docs]'
	@touch .venv/.base $@

# Not in the list above: for whoever raises a version. Only torch is pinned beforehand.
constraints:
	rm -rf build/constraints
	"$(PYTHON)" -m venv build/constraints
	grep '^torch==' constraints.txt > build/constraints/torch.txt
	build/constraints/bin/python -m pip install -q -q --no-compile -c build/constraints/torch.txt \
	  -e '.[hub,dev,docs]'
	{ grep '^#' constraints.txt; build/constraints/bin/python -m pip freeze --exclude-editable --exclude actmax \
	  | sed 's/+cpu$$//' | LC_ALL=C sort -f; } > build/constraints/new.txt
	mv build/constraints/new.txt constraints.txt
	rm -rf build/constraints
