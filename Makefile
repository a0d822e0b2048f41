# Needs Python 3.11 or newer with pip, git and make; everything else comes from the lock files into .venv.

PYTHON ?= python3
VENV ?= .venv
# Further arguments for pytest, e.g. `make test ARGS="tests/unit -x"`.
ARGS ?= -n auto --dist loadfile --no-loadscope-reorder
BIN := $(VENV)/bin
PIP := $(PYTHON) -m pip --disable-pip-version-check --python $(BIN)/python
COMPILE := $(BIN)/uv pip compile pyproject.toml -q --universal --python-version 3.11 --generate-hashes \
	--no-annotate --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"

.PHONY: demo test slow check lint bench corpus docs lock clean

demo: $(VENV)/.runtime ## Run a whole night on a throwaway project, with no account
	@$(BIN)/ralph demo

test: $(VENV)/.dev ## Run the tests
	$(BIN)/python -m pytest $(ARGS)

slow: $(VENV)/.dev ## Run the slow matrices: all of them, or a sample with `make slow SHARE=1/12`
	$(BIN)/python -m pytest $(ARGS) -m slow --slow=$(or $(SHARE),1)

check: lint test ## Lint, types, layers and tests: what CI runs

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.dev ## Measure; figures go to stdout
	$(BIN)/python bench/overhead.py

corpus: $(VENV)/.dev ## Judge honest and dishonest changes; the confusion tables go to stdout
	$(BIN)/python -m tests.corpus

docs: $(VENV)/.dev ## Write again what in docs/ is generated from the program
	$(BIN)/python docs/generate.py

lock: $(VENV)/.dev ## Resolve the dependencies again
	$(PIP) install -q uv
	$(COMPILE) --group build --extra demo -o requirements.lock
	$(COMPILE) --group dev --extra demo --extra notify -o requirements-dev.lock

clean: ## Remove what make made
	rm -rf $(VENV) ralph-demo dist

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed: make PYTHON=python3.11 ..." >&2; exit 1; }
	$(PYTHON) -m venv --without-pip $(VENV)

# The development tools hold what the program needs, so one of the two is installed, never both.
$(VENV)/.runtime: requirements.lock pyproject.toml | $(VENV)/bin/python
	@test -e $(VENV)/.dev || $(PIP) install -q --require-hashes -r requirements.lock
	@$(PIP) install -q --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements-dev.lock pyproject.toml | $(VENV)/bin/python
	@$(PIP) install -q --require-hashes -r requirements-dev.lock
	@$(PIP) install -q --no-deps --no-build-isolation -e .
	@touch $@
