# Everything a developer does. `make test` and `make demo` set up what they need in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DATA ?= ./demo-data
PORT ?= 8080

.PHONY: help check lint types imports test soak demo serve fix bench clean
.DEFAULT_GOAL := help

help:
	@echo "make demo    the whole registry at work, on real policies (ends by itself)"
	@echo "make test    every test"
	@echo "make check   format, lint, types, import contracts, tests"
	@echo "make serve   a registry on http://127.0.0.1:$(PORT) with its data in $(DATA)"
	@echo "make fix     format and mend what the linter can"
	@echo "make soak    the long trials, in full"
	@echo "make bench   measure, as ratios in one run"

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; set PYTHON=/path/to/python3.11"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing what the project needs into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[server,dev]'
	@touch $@

lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(STAMP)
	$(BIN)/mypy

imports: $(STAMP)
	$(BIN)/lint-imports

test: $(STAMP)
	@$(BIN)/python -m tests.pages.browser
	$(BIN)/pytest -n 2 --dist loadfile -m 'not soak' $(ARGS)

check: lint types imports test

soak: $(STAMP)
	$(BIN)/pytest -m soak --timeout 7200 -s $(ARGS)

demo: $(STAMP)
	@$(BIN)/python -m demo $(ARGS)

serve: $(STAMP)
	$(BIN)/node-data serve --data $(DATA) --port $(PORT)

bench: $(STAMP)
	$(BIN)/python -m bench $(ARGS)

fix: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) demo-data ci-output dist build
