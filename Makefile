# `make demo` and `make test` work from a fresh clone: they make .venv and install all they need.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
RUNS ?= runs

BROWSERS := chromium chromium-browser google-chrome google-chrome-stable chrome

EMULATOR := qemu-aarch64-static
SELFCHECK := build/selfcheck

.PHONY: setup browser demo bench test test-slow sanitize emulate check format docs-published docs-convert docs-export clean

setup: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml hatch_build.py $(wildcard native/*)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev]"
	touch $@

browser: setup
	@for name in $(BROWSERS); do command -v $$name >/dev/null && exit 0; done; \
	$(BIN)/playwright install chromium || echo "no browser: the report's test will fail and say what to install"

demo: setup  ## train a static and three dynamic networks on augmented digits; ends with a table and a report
	$(BIN)/dynaconv demo --out $(RUNS)/demo

bench: setup  ## times and memory against static networks and published code; BENCH=--quick for a look
	$(BIN)/dynaconv bench $(BENCH) --out $(RUNS)/bench

docs-published: setup  ## docs/published.md from the published networks
	$(BIN)/python -m dynaconv.models.published.page docs/published.md

docs-convert: setup  ## the table of docs/convert.md
	cd tests && ../$(BIN)/python -m support.conversion_table ../docs/convert.md

docs-export: setup  ## the table of docs/export.md
	cd tests && ../$(BIN)/python -m support.export_table ../docs/export.md

test: setup browser  ## the test suite (under 10 minutes on 2 cores)
	$(BIN)/python -m pytest -n auto --dist loadfile

test-slow: setup browser  ## the long tests as well
	$(BIN)/python -m pytest -n auto --dist loadfile -m "slow or not slow"

sanitize:  ## the compiled kernels' self-check under sanitizers: addresses, undefined behaviour, data races
	$(PYTHON) native/build.py --selfcheck --output $(SELFCHECK)/address --flag=-g --flag=-O1 \
		--flag=-fsanitize=address,undefined --flag=-fno-sanitize-recover=all
	$(SELFCHECK)/address
	$(PYTHON) native/build.py --selfcheck --output $(SELFCHECK)/thread --flag=-g --flag=-O1 --flag=-fsanitize=thread
	$(SELFCHECK)/thread

emulate:  ## the self-check on an emulated arm64 processor (Debian: g++-aarch64-linux-gnu, qemu-user-static)
	CXX=aarch64-linux-gnu-g++ $(PYTHON) native/build.py --machine aarch64 --selfcheck --flag=-static \
		--output $(SELFCHECK)/aarch64
	$(EMULATOR) $(SELFCHECK)/aarch64

check: setup  ## format, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache
