# Two commands do everything on a fresh machine: `make demo` and `make test`.
# The first Python that Oso has a wheel for is taken; name another with PYTHON=/path/to/python3.12.

PYTHON ?= $(shell for p in python3.12 python3.11 python3; do \
	"$$p" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' >/dev/null 2>&1 && { command -v "$$p"; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test lint types format bench test-long lock clean

demo: $(READY)
	@$(BIN)/mediagate demo

test: $(READY)
	@$(BIN)/python -m compileall -q src # once, not in each process that the tests start where PYTHONDONTWRITEBYTECODE is set
	@$(BIN)/pytest

lint: $(READY)
	@$(BIN)/ruff check src tests
	@$(BIN)/ruff format --check src tests
	@$(BIN)/lint-imports

types: $(READY)
	@$(BIN)/mypy

format: $(READY)
	@$(BIN)/ruff check --fix src tests
	@$(BIN)/ruff format src tests

bench: $(READY)
	@$(BIN)/python tests/bench/run.py

test-long: $(READY)
	@$(BIN)/pytest --long

$(READY): requirements.lock pyproject.toml
	@"$(or $(PYTHON),false)" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' 2>/dev/null || { \
	  echo "mediagate needs Python 3.11 or 3.12, since Oso has no wheel for others: install one and run 'make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)'."; exit 3; }
	@case "$$(uname -s)-$$(uname -m)" in Linux-aarch64|Linux-arm*) \
	  echo "Oso has no wheel for Linux on ARM: run mediagate on x86-64 Linux or on macOS, or in a container with '--platform linux/amd64' (docker/Dockerfile)."; exit 3;; esac
	@echo "preparing $(VENV) from requirements.lock (a minute on a fresh machine)"
	@test -x $(BIN)/python || "$(PYTHON)" -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

lock:
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --all-extras --group dev --group bench \
	  --no-annotate --no-header pyproject.toml -o requirements.lock

clean:
	rm -rf $(VENV) build .demo
