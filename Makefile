# make demo: set everything up and run the whole road once.  make test: set up and run the suite.
PYTHON ?= python3
VENV ?= .venv
# the CPU build: a version range alone would bring gigabytes of CUDA with it
TORCH ?= torch==2.13.0
BIN := $(VENV)/bin

.PHONY: demo test check setup ngspice bench-subset clean

demo: setup ngspice
	$(BIN)/xbar demo --output build/demo --force

test: setup ngspice check
	$(BIN)/python -m pytest

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench-subset: setup
	$(BIN)/python benchmarks/subset.py

setup: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet "$(TORCH)"
	$(BIN)/python -m pip install --quiet --editable ".[torch,onnx,examples,plot,dev]"
	touch $@

# ngspice checks our currents. Without it the demo says so and the tests that need it are skipped.
ngspice:
	@command -v ngspice >/dev/null && exit 0; \
	if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
	  apt-get update -qq && apt-get install -y -qq ngspice || true; fi; \
	command -v ngspice >/dev/null || \
	  echo "ngspice is not installed, so nothing is verified by SPICE: sudo apt-get install ngspice"

clean:
	rm -rf build $(VENV)
