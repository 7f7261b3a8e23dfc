# `make demo` shows the building; `make help` lists the rest. Nothing is needed but Python 3.11 or newer and make.

VENV := .venv
JOBS ?= 2
RUN := $(VENV)/bin
PIP := $(RUN)/python -m pip --quiet --disable-pip-version-check --no-input install
# Every package is named with its hash, so nothing is left to resolve, to build, or to trust.
LOCKED := $(PIP) --require-hashes --no-deps --only-binary :all: --no-compile
FITS := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))
NO_NETWORK := { echo "The packages could not be installed; the lines above say why. Is there a network?" >&2; exit 3; }

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test test-long check fmt crash bench coverage mutants lock clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' Makefile

demo: $(VENV)/.runtime ## a whole building on this machine, in the browser; stop with Ctrl-C
	@$(RUN)/wijkenergie demo $(ARGS)

test: $(VENV)/.dev ## the tests CI runs, 12 minutes at most, JOBS=2 at once; ends with what was skipped and why
	@$(RUN)/python -m pytest --numprocesses=$(JOBS) --dist=loadfile --no-loadscope-reorder $(ARGS)

test-long: $(VENV)/.dev ## everything else: crash loops, long fuzzing, the whole access matrix, the golden year
	@$(RUN)/python -m pytest -m long $(ARGS)

check: $(VENV)/.dev ## format, lint, spelling, types, import contracts
	@$(RUN)/ruff format --check .
	@$(RUN)/ruff check .
	@$(RUN)/codespell
	@$(RUN)/mypy
	@$(RUN)/lint-imports

fmt: $(VENV)/.dev ## format the code, and repair what the linter can
	@$(RUN)/ruff format .
	@$(RUN)/ruff check --fix .

crash: $(VENV)/.dev ## kill collector, database and broker two hundred times; CRASH_SEED=7 repeats a run
	@$(RUN)/python -m pytest -m crash -s tests/crash $(ARGS)

bench: $(VENV)/.dev ## measure, one line `name value unit` each, and compare with tests/benchmark/floors.toml
	@$(RUN)/python -m tests.benchmark.run $(ARGS)

coverage: $(VENV)/.dev ## which branches of the settlement's rules no test takes; none may be left; twelve minutes
	@$(RUN)/python -m coverage run --branch --include="$$($(RUN)/python -m tests.pure)" -m pytest --quiet \
	    tests/unit tests/property tests/contract tests/realyear $(ARGS)
	@$(RUN)/python -m coverage report --show-missing --skip-covered --fail-under=100

mutants: $(VENV)/.dev ## change the settlement's rules one slip at a time, and list what no test notices; two hours
	@$(RUN)/python -m tests.mutation $(ARGS)

lock: $(VENV)/.dev ## pin the newest fitting packages anew; needs uv: .venv/bin/pip install uv
	@PATH="$$PWD/$(RUN):$$PATH" deploy/lock

clean: ## remove .venv and the caches; never the data of a demo
	rm -rf $(VENV) .mutation .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.made:
	@for python in $(PYTHON) python3.11 python3 python3.12 python3.13 python3.14 none; do \
	    if $$python -c '$(FITS)' 2>/dev/null; then break; fi; done; \
	if [ $$python = none ]; then \
	    echo "Python 3.11 or newer with its venv module is needed (on Debian: apt-get install python3-venv)." >&2; \
	    exit 3; fi; \
	echo "Making $(VENV) with $$($$python --version)." && $$python -m venv $(VENV) && touch $@

$(VENV)/.runtime: $(VENV)/.made requirements.lock pyproject.toml
	@echo "Installing the locked packages; the first time this takes a minute or more."
	@$(LOCKED) --requirement requirements.lock || $(NO_NETWORK)
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements-dev.lock
	@echo "Installing the tools for tests and checks."
	@$(LOCKED) --requirement requirements-dev.lock || $(NO_NETWORK)
	@touch $@
