PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help demo test fix test-large bench clean

help:  ## show the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

KERNEL := $(wildcard edgeplan/solvers/*/kernel/*.[ch])

$(STAMP): pyproject.toml $(KERNEL)
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) not found; name one with make PYTHON=..."; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[all,test]'
	@touch $(STAMP)

demo: $(STAMP)  ## profile, solve, check, run and report; ends with a page and a summary
	$(BIN)/python examples/demo.py

test: $(STAMP)  ## what CI does: format, lint, types, tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest -n 2 --dist loadfile

fix: $(STAMP)  ## format and repair what ruff can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

test-large: $(STAMP)  ## the large tier, by hand: thousands of random instances and documents
	EDGEPLAN_TIER=large $(BIN)/pytest -n 2 --dist loadfile tests/models tests/solvers tests/runtime/snake/test_snake_recovery.py tests/runtime/*/test_*_losses.py tests/runtime/sparse/test_sparse_run.py

bench: $(STAMP)  ## benchmarks, by hand, some hours; benchmarks/README.md
	$(BIN)/python -m benchmarks.planners
	$(BIN)/python -m benchmarks.scaling
	$(BIN)/python -m benchmarks.layer_assignment
	$(BIN)/python -m benchmarks.segment_speed
	$(BIN)/python -m benchmarks.segment_baselines
	$(BIN)/python -m benchmarks.segment_tradeoff
	$(BIN)/python -m benchmarks.sparse_solving
	$(BIN)/python -m benchmarks.sparse_rivals
	$(BIN)/python -m benchmarks.sparse_executed
	$(BIN)/python -m benchmarks.failures
	$(BIN)/python -m benchmarks.simulated
	$(BIN)/python -m benchmarks.learning

clean:  ## remove the environment and caches
	rm -rf $(VENV) demo .mypy_cache .pytest_cache .ruff_cache
