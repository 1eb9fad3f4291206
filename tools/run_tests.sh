#!/usr/bin/env bash
# Install with the development tools, then lint, check types and run the tests:
#   bash tools/run_tests.sh [options of pytest]     e.g. -m slow
set -euo pipefail
cd "$(dirname "$0")/.."
bash tools/install.sh dev
export PATH="$PWD/${VENV:-.venv}/bin:$PATH"
# Small models run faster with one thread per process.
export OMP_NUM_THREADS=1 MKL_NUM_THREADS=1

ruff check .
ruff format --check .
mypy
lint-imports
python tools/dev/check_prose.py
codespell
python -m pytest -n auto -m "not slow and not gpu" "$@"
