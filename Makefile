# Two commands do everything on a fresh machine: 'make run' and 'make test'. The rest is for those who work on Hulian.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
CONSOLE_SOURCES := $(shell find console -type f -not -path '*/node_modules/*' -not -path '*/dist/*' 2>/dev/null)
C_SOURCES := $(shell find src -name '*.c' -o -name '*.h')
# Without bytecode on disk every process of a node would compile all its libraries again at each start.
unexport PYTHONDONTWRITEBYTECODE
# How long each decoder is fuzzed by 'make soak'.
FUZZ_SECONDS ?= 600
export HULIAN_SAMPLES ?= $(abspath ../shared/samples)

.PHONY: run test check bench soak wheel docs lock clean help peers
.DEFAULT_GOAL := help

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

run: $(VENV)/.ready-run ## make the environment, build the console, start the platform with the demo plant
	@$(BIN)/hulian up --demo

test: $(VENV)/.ready-test peers ## install what the tests need and run all of them
	@$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(PYTEST_ARGUMENTS)

check: $(VENV)/.ready-test ## ruff, mypy --strict, import-linter, console lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python console/npm.py run lint

bench: $(VENV)/.ready-test peers ## measure; writes benchmarks/results/latest.json
	$(BIN)/python -m benchmarks $(BENCH)

soak: $(VENV)/.ready-test peers ## the long repetitions and fuzzing
	HULIAN_FUZZ_SECONDS=$(FUZZ_SECONDS) $(BIN)/python -m pytest -m "soak or fuzz" --timeout 7200 $(PYTEST_ARGUMENTS)

docs: $(VENV)/.ready-test ## write the generated references anew
	$(BIN)/hulian reference docs/reference

wheel: $(VENV)/.ready-test ## the wheel, with the console inside
	$(BIN)/python -m build --wheel --no-isolation

peers: $(VENV)/.ready-test ## a browser, brokers and foreign servers for the tests
	@bash tests/peers/install.sh

lock: $(VENV)/.ready-test ## resolve the dependencies anew
	$(PIP) install -q uv
	echo uv | $(BIN)/python -m uv pip compile - -q --universal --generate-hashes --no-header --no-annotate --python-version 3.11 -o requirements-install.lock
	$(BIN)/python -m uv pip compile pyproject.toml -q --universal --generate-hashes --no-header --no-annotate --python-version 3.11 -o requirements.lock
	$(BIN)/python -m uv pip compile pyproject.toml -q --universal --generate-hashes --no-header --no-annotate --python-version 3.11 --extra clickhouse --extra pandas --extra polars --extra postgresql --group dev -o requirements-dev.lock

clean: ## remove the environment and what was built; the data of a plant stay
	rm -rf $(VENV) dist build console/node_modules src/hulian/platform/api/static src/hulian/network/identifiers/compiled/identifiers.so

$(VENV)/.made:
	@echo "· making the environment"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Hulian needs Python 3.11 or newer; set PYTHON=…"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "python3 cannot make an environment: install its venv package (Debian: python3-venv)"; exit 1; }
	@touch $@

# uv fetches and unpacks side by side, in a third of pip's time. Where it cannot be had, or finds less than pip does, pip does it.
define install_locked
	@index=$${PIP_INDEX_URL:-$$($(PIP) config get global.index-url 2>/dev/null || true)}; \
	{ $(PIP) install -q --require-hashes -r requirements-install.lock \
	  && $(BIN)/python -m uv pip install -q --python $(BIN)/python --compile-bytecode --require-hashes \
	     $${index:+--default-index "$$index"} -r $(1); } \
	|| $(PIP) install -q --progress-bar on --require-hashes -r $(1)
endef

$(VENV)/.locked-run: requirements.lock requirements-install.lock | $(VENV)/.made
	@echo "· installing the libraries (about 400 MB the first time)"
	$(call install_locked,requirements.lock)
	@touch $@

$(VENV)/.locked-test: requirements-dev.lock requirements-install.lock | $(VENV)/.made
	@echo "· installing the libraries and the tools of the tests"
	$(call install_locked,requirements-dev.lock)
	@touch $@ $(VENV)/.locked-run

$(VENV)/.ready-run: $(VENV)/.locked-run pyproject.toml hatch_build.py $(CONSOLE_SOURCES) $(C_SOURCES)
	@echo "· building the console and the compiled library, installing Hulian"
	@$(PIP) install -q --no-deps -e . || { echo "the build failed; the lines above say why"; exit 1; }
	@touch $@

$(VENV)/.ready-test: $(VENV)/.locked-test $(VENV)/.ready-run
	@touch $@
