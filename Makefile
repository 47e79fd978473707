# Every target makes .venv by itself when it is missing. PYTHON chooses the interpreter (3.11 or newer).
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test test-agents check bench venv format clean

demo: venv
	$(BIN)/autoresearch-tui demo

test: venv
	$(BIN)/pytest

# The real Codex against a scripted model on 127.0.0.1. Needs npm; installs into build/ alone.
test-agents: venv
	npm install --silent --no-fund --no-audit --prefix build/agents @openai/codex@0.169.0
	$(BIN)/pytest -m agents

check: venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: venv
	$(BIN)/python -m tests.bench

venv: .venv/made

# torch first and by its version: an open range takes a newer build with 3 GB of CUDA packages.
.venv/made: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet torch==2.13.0
	$(BIN)/pip install --quiet --editable '.[dev]'
	touch $@

format: venv
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv build dist
