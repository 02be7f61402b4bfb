# make demo      every task in a quick profile, ending with tables and figures beside the published ones
# make test      lint, types, import contracts and tests
# make check     the same without the tests
# make coverage  the tests, and which lines they do not reach; takes half as long again
# VENV=path      use that virtual environment (made if it is missing); default .venv
# uv is used where it is installed.

VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist worksteal
INSTALLED := $(VENV)/.nalu-suite-installed

.PHONY: demo test check coverage
.DELETE_ON_ERROR:

demo: $(INSTALLED)
	$(BIN)/nalu reproduce --profile quick
	@echo "curves: $(BIN)/tensorboard --logdir runs"

test: check
	$(PYTEST)

check: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

coverage: $(INSTALLED)
	$(PYTEST) --cov --cov-report=term:skip-covered

$(INSTALLED): pyproject.toml
	@if command -v uv >/dev/null; then \
		{ [ -x $(BIN)/python ] || uv venv --python $(PYTHON) $(VENV); } && \
		uv pip install --python $(BIN)/python --quiet --editable '.[test]'; \
	else \
		{ [ -x $(BIN)/python ] || $(PYTHON) -m venv $(VENV); } && \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'; \
	fi
	@touch $@
