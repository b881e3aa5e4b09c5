.DELETE_ON_ERROR:
.PHONY: setup demo up test thorough check bench chaos simulate lock
PYTHON ?= python3
ROSTERBOOK := .venv/bin/rosterbook
ARGS ?=
SEEDING = $(if $(SEEDS),--seeds $(SEEDS)) $(if $(FIRST),--first $(FIRST)) $(if $(CHANGES),--changes $(CHANGES))

setup: .venv/ready  ## make .venv, fetch and verify the Kafka jars

# Bytecode at once: where Python may not write it later, each command would compile all libraries again, for two seconds.
.venv/ready: requirements-uv.lock requirements.lock pyproject.toml stream/kafka/kafka.lock.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Rosterbook needs Python 3.11 or newer; set PYTHON=…")'
	.venv/bin/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.lock
	.venv/bin/uv pip sync --quiet --compile-bytecode --python .venv/bin/python --require-hashes requirements.lock
	.venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation -e .
	$(ROSTERBOOK) kafka --prepare
	touch $@

demo: setup  ## a company in motion, with sandboxes; ARGS="--employees 200 --exit-when-synced --json"
	@$(ROSTERBOOK) demo $(ARGS)

up: setup  ## everything on this machine, for real connections
	@$(ROSTERBOOK) up $(ARGS)

check: setup  ## format, lint, types, import contracts
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports --no-logo

test: check  ## what CI runs
	.venv/bin/pytest -n 4 --dist loadfile --no-loadscope-reorder $(ARGS)

thorough: setup  ## what `make test` leaves out: more forms of its slowest tests
	.venv/bin/pytest -n 4 --dist loadfile --no-loadscope-reorder -m thorough $(ARGS)

bench: setup  ## the figures, each against a floor in the same run; results go to tests/bench/results.csv
	.venv/bin/python -m tests.bench $(ARGS)

chaos: setup  ## every promise under fire, real processes; SEEDS=20 FIRST=1 CHANGES=500 ARGS="--jobs 2"
	@.venv/bin/python -m tests.chaos $(SEEDING) $(ARGS)

simulate: setup  ## every promise in virtual time, a seed after the other; SEEDS=1000 FIRST=1 CHANGES=300 ARGS="--jobs 2"
	@.venv/bin/python -m tests.simulation $(SEEDING) $(ARGS)

COMPILE = .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header

lock:  ## pin every dependency with its hashes, and uv, which installs them
	$(COMPILE) --group dev pyproject.toml -o requirements.lock
	echo uv | $(COMPILE) --no-annotate - -o requirements-uv.lock
