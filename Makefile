# One way in, the same on a laptop, in the README and on CI. Needs Python 3.11 or newer and make; `make` alone lists the targets.
PYTHON ?= python3
BENCH ?= throughput latency storm recovery advice answers injection redaction
PY := .venv/bin/python

.PHONY: help run test lint format bench clean
.DEFAULT_GOAL := help

help:
	@echo 'make run            everything on this machine with a built-in story; Ctrl-C ends it (FOR=60: ends by itself after 60 s)'
	@echo 'make test           the tests; those on a real Kafka need Java 17 and Maven (ARGS="-k silence" to choose)'
	@echo 'make lint           ruff and mypy'
	@echo 'make format         rewrite the code as ruff formats it'
	@echo 'make bench          the benchmarks, each printing one JSON line last (BENCH=latency for one)'
	@echo 'make clean          remove the environment, the caches and the state of `make run` (.flux)'

run: .venv/.ready-run
	@exec $(PY) -P -m pipeline.cli.main run $(if $(FOR),--for $(FOR)) $(ARGS)

# The scenarios run on virtual time, mostly waiting for brokers, so four at once do not disturb each other; all else measures real time and runs alone.
test: .venv/.ready-dev
ifeq ($(strip $(ARGS)),)
	@$(PY) -m pytest --ignore=tests/scenarios
	@$(PY) -m pytest -n 4 tests/scenarios
else
	@$(PY) -m pytest $(ARGS)
endif

lint: .venv/.ready-dev
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy

format: .venv/.ready-dev
	@$(PY) -m ruff check --fix-only --quiet .
	@$(PY) -m ruff format .

bench: .venv/.ready-dev
	@set -e; for name in $(BENCH); do echo "benchmarks.$$name"; $(PY) -m benchmarks.$$name; done

clean:
	rm -rf .venv .flux build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.ready-%: requirements/%.txt requirements/uv.txt requirements/install.sh
	@PYTHON='$(PYTHON)' sh requirements/install.sh $*
	@touch $@
