.DEFAULT_GOAL := help
.PHONY: help setup setup-dev demo lab lint test test-all bench corpus clean
BIN := .venv/bin

help:  ## show these targets
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' $(MAKEFILE_LIST) | expand -t 12

setup:  ## make .venv, find or start a container engine; quick when all is there
	@scripts/setup.sh

setup-dev:  ## the same, with what notebooks, tests and measurements need
	@scripts/setup.sh dev

demo: setup  ## grade the reference solution of lab 05 and one with a fault
	@scripts/demo.sh

lab:  ## open JupyterLab on your own work folder of a lab: make lab LAB=01
	@scripts/lab.sh $(LAB)

lint: setup-dev  ## style, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint  ## lint, then every test that is not slow
	$(BIN)/pytest -m "not slow" -n 2 --dist loadgroup

test-all: lint bench corpus  ## lint, the benches, the corpus five times, then every test
	$(BIN)/pytest -n 2 --dist loadgroup

BENCHES := latency singleton overhead repeat claims notebooks throughput others kills restarts disk_full \
	fuzz_archives fuzz_artifacts fuzz_dockerfiles fuzz_http fuzz_reports
bench: setup-dev  ## the measurements behind the promises, as tables under tests/bench/results/; resumable
	@for bench in $(BENCHES); do echo "$$bench"; $(BIN)/python -m tests.bench.$$bench || exit 1; done

corpus: setup-dev  ## every hostile and every odd submission five times, and each defence left out once; resumable
	$(BIN)/python -m tests.corpus --seeds 5
	$(BIN)/python -m tests.corpus.undone

clean:  ## take away what make made: images by record, our engine, .venv, caches
	@scripts/clean.sh
