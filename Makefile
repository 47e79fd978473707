# Every target makes .venv by itself when it is missing. PYTHON chooses the interpreter (3.11 or newer).
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test test-agents npm check bench venv format clean

demo: venv
	$(BIN)/autoresearch-tui demo

test: venv
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

# Real agents against scripted models on 127.0.0.1; installs them into build/ alone. All but Codex are left out where
# they do not install. `make test-agents AGENTS=codex` is for one.
AGENTS := codex claude opencode gemini pi qwen
NPM := npm install --loglevel=error --no-fund --no-audit --prefix build/agents

test-agents: venv npm $(AGENTS:%=install-%)
	$(BIN)/pytest -m agents $(AGENTS:%=tests/agents/test_%.py)

npm:
	@command -v npm >/dev/null || { echo "real agents come from npm, which is not here: install Node.js 20 or newer"; exit 1; }

install-codex: npm
	$(NPM) @openai/codex@0.169.0

install-claude: npm
	$(NPM) @anthropic-ai/claude-code@2.1.197 || echo "claude does not install here; its tests are skipped"

install-opencode: npm
	$(NPM) opencode-ai@1.18.33 || echo "opencode does not install here; its tests are skipped"

install-gemini: npm
	$(NPM) @google/gemini-cli@0.61.0 || echo "gemini does not install here; its tests are skipped"

install-pi: npm
	$(NPM) @mariozechner/pi-coding-agent@0.73.1 || echo "pi does not install here; its tests are skipped"

install-qwen: npm
	$(NPM) @qwen-code/qwen-code@0.15.10 || echo "qwen does not install here; its tests are skipped"

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
