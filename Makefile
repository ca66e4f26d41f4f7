# Everything sets itself up: `make demo` and `make test` are fine first commands in a fresh clone.
# Another interpreter: make PYTHON=python3.13 demo

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
# With it every process would compile all of our modules anew.
unexport PYTHONDONTWRITEBYTECODE
.PHONY: help demo test lint bench-governor bench-queue bench-door bench-mining bench-preflight bench-engine bench-voice bench-manifest bench-line soak lock clean

help: ## show the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST)

demo: $(READY) ## enroll real voices on this machine and recognise them again
	$(BIN)/voxroll demo

test: $(READY) ## run all tests
	$(BIN)/voxroll model fetch
	$(BIN)/pytest -n 3 --dist worksteal

lint: $(READY) ## check format, rules, types, import contracts and the deployment files
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/yamllint --strict deploy/compose.yaml
	! test -x $(BIN)/hadolint || $(BIN)/hadolint deploy/Dockerfile

bench-governor: $(READY) ## measure the rate governor over a simulated day (3 min; QUICK=1: an hour of it in 5 s)
	$(BIN)/python -m tests.bench.governor.run

bench-queue: $(READY) ## measure the queue beside stock arq and its peers (8 min; QUICK=1: 10 s)
	$(BIN)/python -m tests.bench.queue.run

bench-door: $(READY) ## measure the front door beside bare aiohttp and its peers (8 min; QUICK=1: 40 s)
	$(BIN)/python -m tests.bench.door.run

# As `engine` sets it; here numpy is imported first.
bench-mining: export OPENBLAS_NUM_THREADS := 1
bench-mining: $(READY) ## measure whether the right stretch of the right voice is found, and every defect (12 min; QUICK=1: 1 min)
	$(BIN)/voxroll model fetch
	$(BIN)/python -m tests.bench.mining.run

bench-preflight: $(READY) ## measure the preflight beside librosa, silero-vad and sliding embeddings (7 min; QUICK=1: 20 s)
	$(BIN)/voxroll model fetch
	$(BIN)/python -m tests.bench.preflight.run

bench-engine: $(READY) ## measure enrollments per second with one and two processes, and what the queue costs (8 min; QUICK=1: 1 min)
	$(BIN)/voxroll model fetch
	$(BIN)/python -m tests.bench.engine.run

bench-voice: $(READY) ## measure how surely voices are known again, beside Resemblyzer and others (15 min; QUICK=1: 1 min)
	$(BIN)/voxroll model fetch
	$(BIN)/python -m tests.bench.voice.run

bench-manifest: $(READY) ## measure how fast a manifest of a million rows is read, in how much memory (4 min; QUICK=1: 5 s)
	$(BIN)/python -m tests.bench.manifest.run

bench-line: $(READY) ## measure what a speaker costs without the voice, from its plan to its last event (12 min; QUICK=1: 20 s)
	$(BIN)/voxroll model fetch
	$(BIN)/python -m tests.bench.line.run

soak: $(READY) ## kill at random for ten minutes under a bad provider: nothing lost, nothing twice (SOAK_S, SOAK_SPEAKERS)
	$(BIN)/voxroll model fetch
	$(BIN)/python -m tests.soak.run

lock: ## resolve pyproject.toml anew into requirements.lock
	@place=$$(mktemp -d) && trap 'rm -rf "$$place"' EXIT && $(PYTHON) -m venv "$$place" && \
	"$$place/bin/python" -m pip install --quiet --disable-pip-version-check uv && \
	"$$place/bin/uv" pip compile --quiet --universal --generate-hashes --no-header --no-annotate \
	  --python-version 3.11 --group dev --output-file requirements.lock pyproject.toml

clean: ## remove what these targets made; the cache with models and voices stays
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis demo-report.json
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "$(PYTHON) is missing or older than 3.11; name a newer one: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "$(PYTHON) can't make virtual environments; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@echo "installing the locked packages into $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(READY)
