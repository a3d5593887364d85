# `make` lists what there is.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
READY_FOR_DEMO := $(VENV)/.ready-for-demo

.PHONY: help demo test check format torture bench profile clean servers

help: ## this list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

demo: $(READY_FOR_DEMO) ## show the main job: sample mail in, answers out, clocks running
	@$(BIN)/triage demo

test: $(READY) servers ## run the tests, on real servers
	@$(BIN)/python -m pytest -m "not slow"

check: $(READY) ## format, lint and type checks
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy

format: $(READY) ## format and mend what can be mended
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

torture: $(READY) servers ## the long tests: kills by the hundred, fuzzing by the hundred thousand
	@$(BIN)/python -m pytest -m slow

bench: $(READY) servers ## measure the whole: mails per second, latency, memory
	@$(BIN)/python -m bench.whole

profile: $(READY) servers ## where the time goes
	@$(BIN)/python -m bench.whole --profile 1000

servers: ## what the tests need: Dovecot and PostgreSQL
	@sh tests/servers/install.sh

clean: ## remove what was set up
	rm -rf $(VENV) build *.egg-info

$(READY): EXTRA := test
$(READY_FOR_DEMO): EXTRA := demo
$(READY) $(READY_FOR_DEMO): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; name one, as in: make PYTHON=python3.12"; exit 1; }
	@sh tests/servers/venv.sh "$(PYTHON)" "$(VENV)"
	@echo "Setting up $(VENV) ..."
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -c requirements.lock -e '.[$(EXTRA)]'
	@touch $@
