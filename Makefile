# Every target makes .venv and installs what it needs by itself.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
COMPILED := .venv/.compiled

# Code is compiled when it is first used, and kept: pip would compile all that torch has, for more
# than a minute, and where this variable is set each process would compile again what it uses.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test check bench gpu format install

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --no-compile --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $(STAMP)

# One process compiles what the tests import: four at once would each do it.
$(COMPILED): $(STAMP)
	$(BIN)/python -m pytest --collect-only -q > /dev/null
	touch $(COMPILED)

demo: $(STAMP)
	$(BIN)/p2pfl run quickstart

test: $(COMPILED)
	$(BIN)/python -m pytest -q -n 3 --max-worker-restart 0 --dist loadgroup --no-loadscope-reorder -m "not real_clock and not whole"

check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(STAMP)
	$(BIN)/python tests/benchmarks/run.py

# All that needs a GPU; without one it says so.
gpu: $(STAMP)
	$(BIN)/python -m pytest -q -rs tests/scenarios/test_gpu.py
	$(BIN)/python tests/benchmarks/gpu.py

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
