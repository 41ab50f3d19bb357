#!/usr/bin/env bash
# Takes away what `make` made here: our images by their record, the engine that setup started, .venv, the caches.
# Stays: runs/ (your results), packages installed with apt-get, and images that others made.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ -s .cache/images.json ] && [ -x .venv/bin/grader ] && scripts/engine.sh answers; then
    .venv/bin/grader images remove
fi
scripts/engine.sh stop
rm -rf .venv .cache build dist ./*.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
