# make rehearse   a real release, a second one let in step by step, a bad third one thrown out: all on this machine
# make test       everything that is checked, in under ten minutes
.PHONY: help setup rehearse test test-scale lint snapshots bench-edge bench-publish bench-compression simulate-verdict deploy clean

VENV   := .venv
BIN    := $(VENV)/bin
CDK    := node_modules/.bin/cdk
# A stamp that is older than what it was made from is made again; a second `make` sets nothing up.
PYTHON_READY := $(VENV)/.ready
NODE_READY   := node_modules/.ready

help:
	@sed -n 's/^# //p' Makefile

setup: $(PYTHON_READY) $(NODE_READY)

$(PYTHON_READY): requirements.txt pyproject.toml
	@python=$$(sh tools/find-python.sh) || exit 1; \
	echo "setting up $(VENV) with $$python"; \
	"$$python" -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

$(NODE_READY): package.json package-lock.json
	@sh tools/check-node.sh
	@echo "setting up node_modules"
	@npm ci --no-audit --no-fund --loglevel=error
	@touch $@

rehearse: setup
	@$(BIN)/bluegreen rehearse $(ARGS)

test: lint
	@CDK_VALIDATION=false $(BIN)/python -m pytest -n 2 --dist loadgroup --no-loadscope-reorder $(ARGS)

test-scale: setup
	@$(BIN)/python -m pytest -m "scale or hypothesis" --hypothesis-profile=searching $(ARGS)

lint: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@PYTHONPATH=infra $(BIN)/lint-imports --no-cache

snapshots: setup
	@CDK_VALIDATION=false $(BIN)/python -m pytest tests/constructs --snapshot-update

bench-edge: setup
	@$(BIN)/python benchmarks/bench_edge.py

# The tools that publishing is measured against have a place of their own: their pins are not ours.
build/peers/.ready: benchmarks/peers.txt
	@$(BIN)/python -m venv build/peers
	@build/peers/bin/python -m pip install --quiet --disable-pip-version-check -r benchmarks/peers.txt
	@touch $@

bench-publish: setup build/peers/.ready
	@$(BIN)/python benchmarks/bench_publish.py $(ARGS)

simulate-verdict: setup
	@$(BIN)/python benchmarks/simulate_verdict.py $(ARGS)

bench-compression: setup
	@$(BIN)/python benchmarks/bench_compression.py $(ARGS)

deploy: setup
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(CDK) deploy --all $(ARGS) || \
		{ echo "why a release was refused or taken back: $(BIN)/bluegreen history --site <site>" >&2; exit 1; }

clean:
	rm -rf build cdk.out .bluegreen examples/*/node_modules .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -not -path './node_modules/*' -prune -exec rm -rf {} +
