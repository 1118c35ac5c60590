# Each target below has a line of its own in `make help`.
.DEFAULT_GOAL := help
SHELL := /bin/bash

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
RUN := $(VENV)/bin/python
STAMP := $(VENV)/.installed
OURS := services libs sdk/thanosql tests benchmarks scripts
TYPED := services libs sdk/thanosql scripts benchmarks
# What the tutorial runs on: a workspace and the folder of its two tables in it.
WORKSPACE ?= examples
DATASET ?= tutorial_data/librispeech_data

.PHONY: help setup demo serve notebook test check format lint types imports protos protos-check lock bench tutorial-data base-model base-model-small clean

help: ## Print this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

setup: $(STAMP) ## Make .venv with everything pinned; cheap when nothing changed

$(STAMP): pyproject.toml constraints.txt
	test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[notebook,services,dev]'
	$(RUN) scripts/link_tree.py
	touch $@

demo: setup ## Start the whole system in one process and run the tutorial on it
	$(RUN) scripts/demo.py --workspace "$(WORKSPACE)" --dataset "$(DATASET)"

serve: setup ## Start the whole system on 127.0.0.1:50051; Ctrl-C stops it
	$(VENV)/bin/thanosql serve --workspace "$(WORKSPACE)"

notebook: setup ## Run examples/tutorial.ipynb with a real kernel
	$(RUN) -m pytest tests/e2e/test_notebook.py

test: setup ## Run every test
	$(RUN) -m pytest

check: setup protos-check lint types imports ## Format, lint, types, import rules, stubs current

format: setup ## Format the code and mend what can be mended
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

lint:
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .

types:
	$(VENV)/bin/mypy $(TYPED)

imports:
	$(VENV)/bin/lint-imports

protos: setup ## Generate the stubs of protos/
	$(RUN) scripts/gen_protos.py

protos-check:
	$(RUN) scripts/lint_protos.py
	$(RUN) scripts/gen_protos.py --check

lock: setup ## Write constraints.txt from what is installed
	( echo "# Every package of the environment, pinned: written by 'make lock', read by 'make setup'."; \
	  $(VENV)/bin/pip freeze --exclude-editable | sed 's/^\(torch==[0-9.]*\)+.*/\1/' ) > constraints.txt

bench: setup ## Run every benchmark; prints ratios against peers of the same run
	set -e; for name in query predictor keyword_search vector_search storage; do $(RUN) -m benchmarks.$$name; done

tutorial-data: setup ## Make the tutorial's recordings again (needs espeak-ng, flite and festival)
	$(RUN) scripts/make_tutorial_data.py

base-model: setup ## Make the bundled recogniser again: hours; what it needs is in docs/base-model.md
	$(RUN) -m scripts.train_base_model

base-model-small: setup ## Every step of base-model on little data, in build/: ten minutes
	$(RUN) -m scripts.train_base_model --small

clean: ## Remove what was made here: .venv, caches, build outputs
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache *.egg-info sdk/*.egg-info build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
