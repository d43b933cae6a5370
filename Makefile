PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet install -c constraints.txt
# What is installed is decided by these two files only, so a change of code installs nothing.
PINS := pyproject.toml constraints.txt

.PHONY: audit test lint format docs lock promises mutants clean

audit: .venv/.audit-installed
	@$(BIN)/therapy-audit run data/samples/audit.toml

test: lint
	@$(BIN)/python -m pytest -n 2 --dist loadfile

lint: .venv/.test-installed .venv/.sql-linted
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/yamllint --strict rules tests .yamllint

# The slowest linter by far, so it looks again only when there is something new to see.
.venv/.sql-linted: .venv/.test-installed .sqlfluff $(wildcard sql/*.sql sql/*/*.sql)
	@$(BIN)/sqlfluff lint sql --processes 2 --disable-progress-bar --nocolor > $@.log 2>&1 || { cat $@.log; exit 1; }
	@touch $@

format: .venv/.test-installed
	@$(BIN)/ruff check --fix --quiet || true
	@$(BIN)/ruff format --quiet

docs: .venv/.audit-installed
	@$(BIN)/python -m therapy_audit.docs

# constraints.txt decides the versions; the lock adds what they need on every platform, and the hashes.
LOCK := requirements.lock
lock:
	@sed -n '/^#/p' $(LOCK) > $(LOCK).new
	@uv pip compile pyproject.toml --extra encryption --universal --python-version 3.11 --generate-hashes --quiet \
		--no-header --no-annotate --no-emit-index-url --constraints constraints.txt >> $(LOCK).new
	@mv $(LOCK).new $(LOCK)

# The figures of docs/security.md.
promises: .venv/.test-installed
	@$(BIN)/python -m pytest -q tests/test_hostile.py tests/test_privacy.py tests/test_sealing.py tests/test_supply.py \
		tests/test_crash.py tests/test_stopping.py --write-promises docs/security.md

# docs/mutants.md: an hour or so. What was stopped goes on; when a file has changed, it begins anew.
mutants: .venv/.test-installed
	@PYTHONPATH=tests nice -n 19 $(BIN)/python tests/mutants.py --keep .mutants.jsonl --page docs/mutants.md

clean:
	@rm -rf .mutants.jsonl .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist reports

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
