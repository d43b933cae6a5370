PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet install -c constraints.txt
# What is installed is decided by these two files only, so a change of code installs nothing.
PINS := pyproject.toml constraints.txt

.PHONY: audit test lint format docs clean

audit: .venv/.audit-installed
	@$(BIN)/therapy-audit run data/samples/audit.toml

test: lint
	@$(BIN)/python -m pytest -n 2

lint: .venv/.test-installed
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/yamllint --strict rules tests .yamllint
	@$(BIN)/sqlfluff lint sql --processes 2 --disable-progress-bar --nocolor

format: .venv/.test-installed
	@$(BIN)/ruff check --fix --quiet || true
	@$(BIN)/ruff format --quiet

docs: .venv/.audit-installed
	@$(BIN)/therapy-audit rules docs

clean:
	@rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist reports

.venv/.audit-installed: $(PINS)
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing into .venv (once; a minute or two)"
	@$(PIP) -e .
	@touch $@

.venv/.test-installed: $(PINS)
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing into .venv (once; a minute or two)"
	@$(PIP) -e '.[dev,notebooks]'
	@touch $@ .venv/.audit-installed
