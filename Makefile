# Two commands do everything on a fresh machine with Python >= 3.11 and make:
#   make run     installs into .venv and trains MNIST three ways
#   make test    installs into .venv and runs the tests (make test-slow runs the long ones)
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Two processes of one thread each: the lessons are too small for more threads to help.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadgroup

.PHONY: run test test-slow test-cpus torture lint format lock locked clean
.DEFAULT_GOAL := run

# The stamp is remade when a dependency changes; a half-made environment leaves no stamp.
$(VENV)/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("Python >= 3.11 is needed, this is " + sys.version.split()[0] + "; try: make PYTHON=python3.12") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

run: $(VENV)/installed
	$(BIN)/curriculum mnist

test: $(VENV)/installed
	$(PYTEST)

test-slow: $(VENV)/installed
	$(PYTEST) -m slow

# The tests of the lessons as other CPUs compute: without vector instructions, with AVX2, with one thread and two.
# CPUS=--extremes runs two of the six settings, CPUS=--record makes tests/lessons/recorded.json anew.
test-cpus: $(VENV)/installed
	$(BIN)/python -m tests.support.cpus $(CPUS) -- -n 2 --dist loadgroup tests/lessons

# Kills, faults and drawn inputs by the thousand; its figures stand in CONTRIBUTING.md. An hour or more.
torture: $(VENV)/installed
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.torture.kills
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.torture.data_faults
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.torture.fuzz_pairs
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.torture.fuzz_inputs

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Makes requirements.lock, every package with its version and the SHA-256 of its files, and tries it.
lock:
	$(PYTHON) -m venv .lock
	.lock/bin/python -m pip install --quiet uv
	.lock/bin/uv pip compile pyproject.toml --extra dev --constraint constraints.txt --universal \
		--python-version 3.11 --generate-hashes --no-annotate --custom-compile-command 'make lock' \
		--quiet --output-file requirements.lock
	.lock/bin/python -m pip install --quiet --dry-run --ignore-installed --require-hashes -r requirements.lock
	rm -rf .lock

# The environment of `make run` from requirements.lock: no file is installed that is not the one we tested.
locked:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $(VENV)/installed

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis build ./*.egg-info
