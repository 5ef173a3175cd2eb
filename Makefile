# Everything runs from a virtual environment in .venv, made on first use.
PYTHON ?= python3
RUN := .venv/bin

.PHONY: demo test check clean

demo: .venv/installed
	$(RUN)/elman train text --minutes 1 --run runs/demo --force
	$(RUN)/elman generate runs/demo --length 400 --temperature 0.7
	@echo && echo "Curves and verdict: runs/demo/report.md. Your own text: $(RUN)/elman train text FILE"

test: .venv/installed
	$(RUN)/python -m pytest -n 2

# Lint, types, import contract and tests: what CI runs.
check: .venv/installed
	$(RUN)/ruff check . && $(RUN)/ruff format --check .
	$(RUN)/mypy
	$(RUN)/lint-imports
	$(RUN)/python -m pytest -n 2

.venv/installed: pyproject.toml constraints.txt CMakeLists.txt $(wildcard csrc/*)
	$(PYTHON) -m venv .venv
	$(RUN)/pip install --quiet --constraint constraints.txt torch
	$(RUN)/pip install --quiet --constraint constraints.txt --editable ".[dev]"
	@touch $@

clean:
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
