# Needs Python 3.11 or newer, make and git; everything else is installed into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCE ?= digits
# pip says what it fetches and installs: a first time takes a minute or two, and silence would look like a fault.
INSTALL = @echo "Installing into $(VENV): a minute or two the first time" && \
	$(BIN)/python -m pip install --disable-pip-version-check --editable
# A test process for every core, and no more threads than that.
ONE_THREAD := OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 MKL_NUM_THREADS=1
# The tests start hundreds of processes: where bytecode is not kept, each would compile all of linprobe.
KEEP_BYTECODE := PYTHONDONTWRITEBYTECODE=

.PHONY: help demo test fuzz check format bench docs pictures clean

help: ## Say what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/installed ## Run the worksheet on scikit-learn's digits, and tune a small file of embeddings made of them
	$(BIN)/linprobe worksheet
	$(BIN)/python scripts/digits_embeddings.py runs/embeddings.npz
	$(BIN)/linprobe tune runs/embeddings.npz
	@echo "Next, with a file of your own: $(BIN)/linprobe tune FILE"

test: $(VENV)/installed-test ## Run the tests, but for what only CI runs: three to eight minutes on two cores
	@echo "The tests take three to eight minutes on two cores."
	$(ONE_THREAD) $(KEEP_BYTECODE) $(BIN)/python -m pytest -n auto --dist worksteal

fuzz: $(VENV)/installed-test ## Damage files of every format at random, 60 seconds each: FUZZ_SECONDS=600 make fuzz
	$(ONE_THREAD) $(BIN)/python tests/hostile/fuzz.py

check: $(VENV)/installed-check ## Check format, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/pyright --project pyright-strict.json

format: $(VENV)/installed-check ## Put the code into its format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/installed ## Time the grid, the certified path and their peers: make bench SOURCE=../shared/data/cifar10
	$(BIN)/python benchmarks/grid.py $(SOURCE)
	$(BIN)/python benchmarks/peers.py $(SOURCE)
	$(BIN)/python benchmarks/growth.py $(SOURCE)
	$(BIN)/python benchmarks/exact.py $(SOURCE)
	$(BIN)/python benchmarks/search.py

docs: $(VENV)/installed-docs ## Build the documentation into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

pictures: $(VENV)/installed-test ## Make the README's pictures anew: make pictures RUN=runs/worksheet-cifar10-softmax
	$(BIN)/python scripts/readme_pictures.py $(RUN)

clean: ## Remove the virtual environment and what tools left behind
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis site fuzzed

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "linprobe needs Python 3.11 or newer; name one: make PYTHON=python3.12"; exit 1; }
	@echo "Making a virtual environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/installed: pyproject.toml | $(VENV)/bin/python
	$(INSTALL) '.[all]'
	@touch $@

$(VENV)/installed-test: pyproject.toml | $(VENV)/bin/python
	$(INSTALL) '.[all,test]'
	@touch $@ $(VENV)/installed

$(VENV)/installed-check: pyproject.toml | $(VENV)/bin/python
	$(INSTALL) '.[all,test,check]'
	@touch $@ $(VENV)/installed $(VENV)/installed-test

$(VENV)/installed-docs: pyproject.toml | $(VENV)/bin/python
	$(INSTALL) '.[all,docs]'
	@touch $@ $(VENV)/installed
