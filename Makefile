# The commands of this project. `make demo` and `make test` set up all they need; a second run needs no network.
#
#   make demo ARGS="--stations 5 --speed 60 --for 300"
#   make check && make test && make test-long

PYTHON ?= python3
RUN = .venv/bin/python
ARGS ?=
TESTS ?= tests
LOCK = $(RUN) -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --upgrade \
    --no-emit-index-url --no-emit-find-links --no-annotate --no-header

# the tests start hundreds of programs: where a container forbids Python to keep what it compiled, each of them
# compiles this project anew
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo hunt fuzz benchmark benchmark-dispatcher screenshots test test-long check format docs dashboards lock setup-run setup-dev \
    setup-fuzz setup-benchmark clean

demo: setup-run
	@exec $(RUN) -m simulator demo $(ARGS)

# seeds of the network in virtual time, all faults, until Ctrl-C; ARGS="--seeds 20 --hours 6 --stations 8"
hunt: setup-run
	@exec $(RUN) -m simulator hunt $(ARGS)

# inputs that bring a codec to harm, guided by what they reach; ARGS="--seconds 600 osdp kerong"
fuzz: setup-fuzz
	@.venv-fuzz/bin/python -m fuzz $(ARGS)

# what a station costs, beside what was promised; ARGS="--rest-s 10 --taps 20"
benchmark: setup-benchmark
	@$(RUN) -m benchmarks.station_cost $(ARGS)

# the dispatcher's speed: availability, bookings, facts, the reconciler; ARGS="--large" fills 1.5 million bookings
benchmark-dispatcher: setup-dev
	@status=0; \
	$(RUN) -m benchmarks.availability $(ARGS) || status=1; \
	for what in booking_writes ingest reconciliation open_data; do $(RUN) -m benchmarks.$$what || status=1; done; \
	exit $$status

# the operators' pages of a running demo, as pictures into docs/pictures/: look at them before they are committed
screenshots: setup-dev
	$(RUN) -m benchmarks.screenshots $(ARGS)

# four at a time on two cores: much of it waits for clocks, brokers and other programs
test: setup-dev
	$(RUN) -m pytest -n 4 --dist loadgroup -m "not long" $(TESTS)

# what waits for real clocks: more kills, more nights, more ways in which a reader's pairing can fail
test-long: setup-dev
	$(RUN) -m pytest -n 3 --dist loadgroup -m long $(TESTS)

check: setup-dev
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	$(RUN) -m mypy docs/examples/*/*.py
	$(RUN) -c 'from importlinter.cli import lint_imports_command as lint; lint()'
	PYTHONPATH=. $(RUN) docs/generate.py --check
	$(RUN) deploy/grafana/generate.py --check
	shellcheck -x deploy/setup.sh deploy/install-station.sh

format: setup-dev
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .

# what the documents take from the code: schemas, configuration, diagrams
docs: setup-run
	PYTHONPATH=. $(RUN) docs/generate.py

# Grafana's dashboards, from the one readable file
dashboards: setup-dev
	$(RUN) deploy/grafana/generate.py

# pins everything anew, with hashes and without the address of any registry
lock: setup-dev
	$(RUN) -m pip install --quiet uv
	$(LOCK) --extra simulator pyproject.toml -o requirements/run.txt
	$(LOCK) --extra simulator --extra dev pyproject.toml -o requirements/dev.txt
	$(LOCK) --extra build --constraint requirements/dev.txt pyproject.toml -o requirements/station.txt
	for peer in libosdp osdp api; do \
	    $(LOCK) requirements/peer-$$peer.in -o requirements/peer-$$peer.txt; done
	$(LOCK) --constraint requirements/run.txt requirements/fuzz.in -o requirements/fuzz.txt

setup-run:
	@PYTHON="$(PYTHON)" deploy/setup.sh run

setup-dev:
	@PYTHON="$(PYTHON)" deploy/setup.sh dev

setup-benchmark:
	@PYTHON="$(PYTHON)" deploy/setup.sh benchmark

setup-fuzz:
	@PYTHON="$(PYTHON)" deploy/setup.sh fuzz

clean:
	rm -rf .venv .venv-* .wheels .run .fuzz .pytest_cache .mypy_cache .ruff_cache .hypothesis
