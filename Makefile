# chargerig: everything starts here. Needs GNU make, git and Python 3.11 or newer; everything else is installed by pip into .venv.
#   make demo    run the upgrade and say where its report lies
#   make help    what else there is

# The first of these that is new enough; `make PYTHON=/path/to/python demo` takes another one.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$p"; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
RUNS := $(VENV)/installed-to-run
STAMP := $(VENV)/installed
SEED ?= 1
# The suite starts some hundred interpreters: with their code kept, each is there in half the time.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
PEERS := tests/peers/npm/node_modules/.package-lock.json
NPM := $(shell command -v npm 2>/dev/null)

.PHONY: help demo test peers verify slow picture clean

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):[^#]*## /  make \1\t/' | expand -t 17

$(RUNS): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" && "$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "chargerig needs Python 3.11 or newer; found: $$(python3 --version 2>&1). Try: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 1; }
	"$(PYTHON)" -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(STAMP): $(RUNS)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(RUNS) ## run the upgrade, print its verdicts, say where the report lies
	$(BIN)/chargerig run upgrade-day --seed $(SEED)

# Without npm, or if it fails, the tests that need these packages are left out by name in the summary.
$(PEERS): tests/peers/npm/package.json tests/peers/npm/package-lock.json
	@test -n "$(NPM)" || { echo "no npm here: install Node.js 20 or newer"; exit 1; }
	npm ci --prefix tests/peers/npm --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

peers: $(PEERS) ## packages of foreign back-ends and stations, for the tests (needs npm)

test: WORKERS ?= 3# for two cores: a third of its time is waiting for sockets and processes
test: $(STAMP) ## the test suite
	-$(if $(NPM),@$(MAKE) --no-print-directory peers)
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m 'not slow' -q

verify: $(STAMP) ## format, lint, types, the house, determinism
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_house.py tests/test_docs.py
	$(BIN)/python -P tests/verify_runs.py

slow: WORKERS ?= 2
slow: $(STAMP) ## what takes longer: many seeds, all planted bugs
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m slow -q $$(grep -rl --include='test_*.py' 'mark\.slow' tests | sort)

picture: $(RUNS) ## draw the picture of the README again
	rm -rf reports/out/picture
	$(BIN)/chargerig run upgrade-day --seed 1 --no-repeat --out reports/out/picture
	$(BIN)/chargerig report reports/out/picture --picture docs/upgrade-day.svg

clean: ## remove everything that make has made
	rm -rf $(VENV) tests/peers/npm/node_modules reports/out build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
