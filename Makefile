# make app: set up and open the app.  make test: set up and run the tests.  Both work again when run twice.
# make test-fast: the tests of a daily round, without those that are marked browser, simulation or slow.
# make app PORT=8600 ADDRESS=0.0.0.0: at this port, for the whole network.  By default for this computer only, at the
# first free port from 8501 on.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Processes that share the tests; each runs its networks on one thread. Those in a browser, which watch what a visitor
# sees frame by frame, follow alone.
WORKERS ?= 2
# Every process would compile its sources anew.
unexport PYTHONDONTWRITEBYTECODE

FAMILIES := ddpm edm uvit
PINS := --universal --python-version 3.11 --generate-hashes -q

.PHONY: app test test-fast lint lock bundle cifar10 screenshots bench clean

app: $(VENV)/.ready
	$(BIN)/cfs-explore app $(if $(PORT),--port $(PORT)) $(if $(ADDRESS),--address $(ADDRESS))

test: $(VENV)/.ready-dev
	$(BIN)/ruff check .
	$(BIN)/pytest -n $(WORKERS) --dist worksteal -m "not browser" --durations 20 --durations-min 5
	$(BIN)/pytest -m browser --durations 10 --durations-min 5

test-fast: $(VENV)/.ready-dev
	$(BIN)/ruff check .
	$(BIN)/pytest -n $(WORKERS) --dist worksteal -m "not browser and not simulation and not slow"

$(VENV)/.ready: requirements.txt pyproject.toml
	$(PYTHON) scripts/setup_env.py requirements.txt
	@touch $@

$(VENV)/.ready-dev: requirements-dev.txt pyproject.toml
	$(PYTHON) scripts/setup_env.py requirements-dev.txt
	@touch $@ $(VENV)/.ready

lock:  ## pin every dependency for Linux, macOS and Windows, with the hashes of its files
	uv pip compile pyproject.toml $(PINS) -o requirements.txt
	uv pip compile pyproject.toml --extra dev $(PINS) -c requirements.txt -o requirements-dev.txt
	echo uv | uv pip compile - $(PINS) --no-annotate --custom-compile-command "make lock" -o requirements-setup.txt

bundle: $(VENV)/.ready  ## rebuild precomputed/digits from nothing (training takes minutes on 2 cores)
	$(BIN)/cfs-explore train precomputed/digits/train.yaml --out precomputed/digits/backbone --fresh
	$(BIN)/cfs-explore run precomputed/digits/spec.yaml --out precomputed/digits --device cpu --fresh
	$(BIN)/cfs-explore train precomputed/digits-narrow/train.yaml --out precomputed/digits-narrow/backbone --fresh
	$(BIN)/cfs-explore run precomputed/digits-narrow/spec.yaml --out precomputed/digits-narrow --device cpu --fresh

cifar10: $(VENV)/.ready  ## rebuild precomputed/cifar10-* from nothing (hours on 2 cores; EDM starts from the DDPM)
	for family in $(FAMILIES); do \
	  home=precomputed/cifar10-$$family; \
	  $(BIN)/cfs-explore train $$home/train.yaml --out $$home/backbone --fresh && \
	  $(BIN)/cfs-explore run $$home/spec.yaml --out $$home --fresh && \
	  $(BIN)/cfs-explore slim $$home || exit 1; \
	done

screenshots: $(VENV)/.ready-dev
	$(BIN)/python scripts/screenshots.py

bench: $(VENV)/.ready-dev
	for script in benchmarks/*.py; do $(BIN)/python $$script || exit 1; done

clean:
	rm -rf $(VENV)
