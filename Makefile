# `make help` lists the targets. Everything happens in .venv, which is made on first use.

# The first of these that is a Python that all pinned packages have wheels for; or: make repro PYTHON=/path/to/python
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && { echo $$p; break; }; done)

# Stages call plain `python`: it must be the environment's.
export PATH := $(CURDIR)/.venv/bin:$(PATH)
unexport PYTHONPATH

DIR ?= data/raw/demo
# What a repro writes that is in git.
RESULTS := metrics plots dvc.lock
RUNTIME := .venv/.installed
DEVELOPMENT := .venv/.installed-for-development

# The commands of an environment name its folder: in a copied or renamed project they run the old folder's code.
ifneq ($(wildcard .venv/bin/dvc),)
ifeq ($(filter help clean,$(MAKECMDGOALS))$(shell head -n 3 .venv/bin/dvc | grep -F "$$(cd .venv && pwd -P)/bin/"),)
$(error .venv was made in another folder: rm -rf .venv, then the same again)
endif
endif

# uv installs in a quarter of pip's time. It reads none of pip's settings: where those name an index, pip installs.
UV := uv==0.13.9
PIP := python -m pip install --quiet --disable-pip-version-check
define install
@case "$$(python -m pip config list 2>/dev/null)" in *.index-url=*|*.no-index=*) false;; *) \
{ command -v uv || $(PIP) $(UV); } >/dev/null 2>&1 && uv pip install --quiet --python .venv/bin/python $(1);; esac \
|| $(PIP) $(1)
endef

.PHONY: help repro test soak lint format audit spotify-login app web ui experiments leak tune register bench clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 16

repro: $(RUNTIME) ## rebuild whatever is out of date: songs, spectrograms, models, leaderboard
	@genres doctor --quiet || true
	dvc repro
	@# The code and the parameters are the committed ones, the results are not: the last digits of another processor.
	@if git diff --quiet HEAD -- src params.yaml dvc.yaml 2>/dev/null && ! git diff --quiet HEAD -- $(RESULTS); then \
	echo "Trained numbers differ between processors: $(RESULTS) are this machine's now; put the committed ones back" \
	"with: git checkout HEAD -- $(RESULTS)"; fi

test: $(DEVELOPMENT) ## run the tests of the package and of the pipeline; make test ARGS="--cov" measures coverage, too
	pytest $(ARGS)

soak: $(DEVELOPMENT) ## run the tests of services (web, MLflow, clusters, the page in a browser), and the long ones
	pytest tests/services
	pytest tests -m soak

lint: $(DEVELOPMENT) ## check style and types
	ruff check
	ruff format --check
	mypy

format: $(DEVELOPMENT) ## format the code
	ruff check --fix
	ruff format

audit: $(DEVELOPMENT) ## ask for known vulnerabilities of the installed packages (needs pypi.org)
	pip-audit

spotify-login: $(RUNTIME) ## log in to Spotify, for data sets from playlists (docs/spotify.md)
	genres spotify login

app: $(RUNTIME) ## a page to play with: make app, or make app ARGS="--port 8000 --open"
	genres app $(ARGS)

web: $(RUNTIME) ## write the folder web/, a page that predicts in the browser alone: make web ARGS="--model baseline"
	genres web $(ARGS)

ui: $(RUNTIME) ## browse the MLflow runs
	@genres doctor --quiet || true
	@case "$$MLFLOW_TRACKING_URI" in http://*|https://*) echo "The runs are on the server: $$MLFLOW_TRACKING_URI";; *) \
	echo "In some seconds: http://127.0.0.1:5000/#/experiments?workflowType=machine_learning"; \
	MLFLOW_DISABLE_TELEMETRY=true mlflow ui --workers 1 --backend-store-uri "$${MLFLOW_TRACKING_URI:-sqlite:///$$PWD/mlflow.db}";; esac

experiments: $(RUNTIME) ## a table of the DVC experiments and what came of them
	genres experiments

leak: $(RUNTIME) ## what a split inflates: make leak ARGS="--seeds 1,2,3 -S dataset=folder -S datasets.folder.dir=/music"
	genres leak --run $(ARGS)

tune: $(RUNTIME) ## search hyperparameters on validation: make tune ARGS="baseline --trials 10"
	dvc repro clips mels
	genres tune $(ARGS)

register: $(RUNTIME) ## put the best model into MLflow's registry, to be served: make register ARGS=baseline takes another
	genres register $(ARGS)

bench: $(DEVELOPMENT) ## measure speed, write docs/benchmarks.md (some 40 minutes): make bench DIR=/path/to/music; ARGS=--quick only compares
	python -m benchmarks $(or $(ARGS),--write) "$(DIR)"

clean: ## remove the environment and the caches; data, models, results and downloaded previews stay
	rm -rf .venv $(filter-out .cache/spotify,$(wildcard .cache/*)) .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(RUNTIME): requirements.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "error: needs Python 3.11, 3.12 or 3.13: make repro PYTHON=/path/to/python3.12"; exit 2; }
	@echo "Installing into .venv (1.2 GB to download, a minute or more)"
	$(PYTHON) -m venv .venv
	$(call install,-r requirements.txt)
	$(call install,--no-deps --editable .) # the command `genres`
	@touch $@

$(DEVELOPMENT): $(RUNTIME) requirements-dev.txt
	$(call install,-r requirements-dev.txt)
	@touch $@
