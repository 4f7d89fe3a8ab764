# Two commands matter: `make demo` and `make test`. Each makes its own .venv and needs only Python (3.10 to 3.13) and make.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: help demo test test-slow test-device check format bench clean

help:
	@echo "make demo [SOURCE=…]  run a device and a fleet service on a bundled clip, or on a folder, video, camera index, RTSP URL"
	@echo "make test             install what the tests need and run them"
	@echo "make test-slow        the long ones too"
	@echo "make test-device      the device's tests with the device's packages alone, in .venv-device"
	@echo "make check            ruff, mypy --strict, import-linter"
	@echo "make bench            every benchmark, as JSON"

# One stamp for each set of packages: it is renewed when pyproject.toml changes.
$(VENV)/.installed-%: pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing [$(subst +,$(comma),$*)] into $(VENV)"
	@$(PIP) install --editable ".[$(subst +,$(comma),$*)]"
	@touch $@
comma := ,

demo: $(VENV)/.installed-edge+fleet
	@$(BIN)/python -m demo $(if $(SOURCE),--source "$(SOURCE)")

test: $(VENV)/.installed-edge+fleet+train+export+test
	@$(BIN)/python -m pytest --numprocesses 2 $(PYTEST)

test-slow: $(VENV)/.installed-edge+fleet+train+export+test
	@$(BIN)/python -m pytest --numprocesses 2 -m "slow or not slow" $(PYTEST)

test-device:
	@$(MAKE) --no-print-directory VENV=.venv-device .venv-device/.installed-edge+test
	@.venv-device/bin/python -m pytest -m "not slow" tests/device $(PYTEST)

check: $(VENV)/.installed-edge+fleet+train+export+test $(VENV)/.installed-check
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(VENV)/.installed-check
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(VENV)/.installed-edge+fleet+train+export+test
	@$(BIN)/python benchmarks/loop.py
	@$(BIN)/python benchmarks/outbox.py

clean:
	@rm -rf $(VENV) .venv-device build *.egg-info var
