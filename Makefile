# Three commands do everything on a fresh machine with Python >= 3.11 and make:
#   make site    installs into .venv and makes pages of the lessons
#   make run     installs into .venv and trains MNIST three ways
#   make test    installs into .venv and runs the tests (make test-slow runs the long ones)
# On Linux without an NVIDIA GPU, make CPU=1 run installs a quarter as much.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
# Two processes of one thread each: the lessons are too small for more threads to help.
TESTS := -m pytest -n 2
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python $(TESTS)

# PyTorch's own index has builds without CUDA; PyPI's for Linux bring its libraries with or without a GPU.
CPU_INDEX := https://download.pytorch.org/whl/cpu
# An environment that was made with CPU=1 keeps to it.
CPU ?= $(if $(wildcard $(VENV)/installed-cpu),1)
ifneq ($(strip $(CPU)),)
STAMP := $(VENV)/installed-cpu
WHAT := PyTorch without CUDA and what else is needed, about 1.6 GB
else
STAMP := $(VENV)/installed
ifeq ($(shell uname -s),Linux)
WHAT := PyTorch with CUDA and what else is needed, about 6.5 GB. Without an NVIDIA GPU: make CPU=1 run, about 1.6 GB
else
WHAT := PyTorch and what else is needed, about 1.6 GB
endif
endif

.PHONY: run site test test-slow test-cpus coverage torture lint format lock locked clean
.DEFAULT_GOAL := run

# The stamp is remade when a dependency changes; a half-made environment leaves no stamp.
# The blanks take the place of further indexes that pip's configuration may name: they have no such builds.
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("Python >= 3.11 is needed, this is " + sys.version.split()[0] + "; try: make PYTHON=python3.12") if sys.version_info < (3, 11) else None'
	@echo 'Installing into $(VENV): $(WHAT)'
	$(PYTHON) -m venv $(VENV)
ifneq ($(strip $(CPU)),)
	@echo 'PyTorch comes from $(CPU_INDEX)'
	@PIP_EXTRA_INDEX_URL=' ' PIP_FIND_LINKS=' ' $(BIN)/python -m pip install --constraint constraints.txt \
		--no-deps --force-reinstall --index-url $(CPU_INDEX) torch torchvision >$(VENV)/pip.log 2>&1 \
		|| { echo 'No PyTorch from $(CPU_INDEX) ($(VENV)/pip.log says why). From PyPI, with CUDA: make CPU= run'; exit 1; }
endif
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

run: $(STAMP)
	$(BIN)/curriculum mnist

# The lessons as pages to read, in the folder site/.
site: $(STAMP)
	$(BIN)/curriculum site $(if $(REPOSITORY),--repository $(REPOSITORY))

test: $(STAMP)
	$(PYTEST)

test-slow: $(STAMP)
	$(PYTEST) -m slow

# Which lines and branches the tests of `make test` reach, those in processes that they start too.
coverage: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m coverage run $(TESTS)
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report

# The tests of the lessons, the slow ones too, as other CPUs compute: without vector instructions, with AVX2, with
# one thread and two. An hour and more.
# CPUS=--extremes runs two of the six settings, CPUS=--record makes tests/lessons/recorded.json anew, and
# MARKS="not slow" leaves out the slow ones.
MARKS ?= slow or not slow
test-cpus: $(STAMP)
	$(BIN)/python -m tests.support.cpus $(CPUS) -- -n 2 -m "$(MARKS)" tests/lessons

# Kills, faults and drawn inputs by the thousand; its figures stand in CONTRIBUTING.md. An hour or more.
torture: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.torture.kills
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.torture.data_faults
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.torture.fuzz_pairs
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.torture.fuzz_inputs
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.torture.fit_options

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP)
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
	$(if $(strip $(CPU)),$(error requirements.lock holds PyPI's builds only; without CPU=1: make CPU= locked))
	@echo 'Installing into $(VENV): $(WHAT)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $(VENV)/installed

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage* build dist ./*.egg-info
