# make demo   every task in a quick profile, ending with tables and figures beside the published ones
# make test   lint and tests
# VENV=path   use that virtual environment (made if it is missing); default .venv
# uv is used where it is installed.

VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.nalu-suite-installed

.PHONY: demo test
.DELETE_ON_ERROR:

demo: $(INSTALLED)
	$(BIN)/nalu reproduce --profile quick
	@echo "curves: $(BIN)/tensorboard --logdir runs"

test: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist worksteal

$(INSTALLED): pyproject.toml
	@if command -v uv >/dev/null; then \
		{ [ -x $(BIN)/python ] || uv venv --python $(PYTHON) $(VENV); } && \
		uv pip install --python $(BIN)/python --quiet --editable '.[test]'; \
	else \
		{ [ -x $(BIN)/python ] || $(PYTHON) -m venv $(VENV); } && \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'; \
	fi
	@touch $@
