# Two commands on a fresh machine: `make demo`, then `make test`. Each sets itself up.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# macOS has no CUDA build of ONNX Runtime; the [gpu] extra takes the plain one there by itself.
RUNTIME ?= gpu
# Tests run in this many processes; a file's tests stay together, since they share federations that take a while.
TESTERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help setup demo test check format clean

help: ## Show this help
	@awk 'BEGIN {FS = ":.*## "} /^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/installed ## Install the project and its tools into .venv

$(VENV)/installed: pyproject.toml
	@echo "Installing into $(VENV): torch and its companions, a few minutes the first time ..."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[demo,$(RUNTIME),dev]'
	@touch $@

demo: setup ## Run a whole federation on this machine: broker, coordinator, 6 agents, ONNX models, report
	$(BIN)/fedloge demo

test: setup ## Run the tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(TESTERS) --dist loadfile

check: setup ## Check format, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: setup ## Format the code and mend what the linter can mend
	$(BIN)/ruff check --fix --quiet .
	$(BIN)/ruff format .

clean: ## Remove the virtual environment, results and caches
	rm -rf $(VENV) runs build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
