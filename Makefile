# Two commands matter: `make demo` and `make test`. Each makes its own .venv and needs only Python (3.10 to 3.13) and make.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
EVERYTHING := $(VENV)/.installed-edge+fleet+warehouse+train+export+test
comma := ,

.PHONY: help demo test test-slow test-device check format bench assets clean

help:
	@echo "make demo [SOURCE=…] [STAY=1]  a device and a fleet service on a bundled clip, or on a"
	@echo "                               folder, video, camera index or RTSP URL; STAY keeps the page up"
	@echo "make test [PYTEST=…]           install what the tests need and run them"
	@echo "make test-slow                 the long ones too"
	@echo "make test-device               the device's tests with the device's packages alone"
	@echo "make check                     ruff, mypy --strict, import-linter"
	@echo "make assets                    fetch the pages' fonts and scripts anew, pinned and checked (needs npm)"
	@echo "make bench                     every benchmark, as JSON"

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Canopy needs Python 3.10 or newer, this is " + sys.version.split()[0] + "; name another: make PYTHON=python3.12 …")'
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "Python cannot make a virtual environment; on Debian and Ubuntu: apt install python3-venv"; exit 1; }

# One stamp for each set of packages: it is renewed when pyproject.toml changes.
$(VENV)/.installed-%: pyproject.toml | $(BIN)/python
	@echo "installing [$(subst +,$(comma),$*)] into $(VENV)"
	@$(PIP) install --editable ".[$(subst +,$(comma),$*)]"
	@touch $@

demo: $(VENV)/.installed-edge+fleet
	@$(BIN)/python -m demo $(if $(SOURCE),--source "$(SOURCE)") $(if $(STAY),--stay)

test: $(EVERYTHING)
	@$(BIN)/python -m pytest --numprocesses 2 $(PYTEST)

test-slow: $(EVERYTHING)
	@$(BIN)/python -m pytest --numprocesses 2 -m "slow or not slow" $(PYTEST)

test-device:
	@$(MAKE) --no-print-directory VENV=.venv-device .venv-device/.installed-edge+test
	@.venv-device/bin/python -m pytest --device --numprocesses 2 $(PYTEST)

check: $(EVERYTHING) $(VENV)/.installed-check
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(VENV)/.installed-check
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(EVERYTHING)
	@$(BIN)/python benchmarks/loop.py
	@$(BIN)/python benchmarks/outbox.py

assets: $(EVERYTHING)
	@$(BIN)/python -m fleet.assets

clean:
	@rm -rf $(VENV) .venv-device build *.egg-info var
