# make setup   install into .venv          make demo    render 24 participants and run the study on them
# make test    the tests                   make bench   speed and memory of each stage
# make lint    ruff, mypy, codespell

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SETUP := $(VENV)/.setup
DEV := $(VENV)/.dev
export PREFECT_SERVER_ANALYTICS_ENABLED := false
export DO_NOT_TRACK := 1
export NO_ALBUMENTATIONS_UPDATE := 1

.PHONY: setup demo test lint bench demo-weights clean

setup: $(SETUP)

$(SETUP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Expected Python 3.11 or newer as $(PYTHON); set PYTHON=/path/to/python3.11"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	@# retinaface-pytorch pins torch 1.9 but runs on today's: its dependencies stay out.
	$(BIN)/python -m pip install --quiet --no-deps retinaface-pytorch==0.0.8
	@touch $@

$(DEV): $(SETUP)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@# The reference that retinaface-pytorch's own post-processing needs; its OpenCV would overwrite ours.
	$(BIN)/python -m pip install --quiet --no-deps albumentations==2.0.8 albucore==0.0.24
	@touch $@

demo: $(SETUP)
	$(BIN)/facetrace demo demo

test: $(DEV)
	$(BIN)/python -m pytest

lint: $(DEV)
	$(BIN)/ruff check . && $(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/codespell

bench: $(SETUP)
	$(BIN)/python -m benchmarks.extraction
	$(BIN)/python -m benchmarks.classification

# Two hours and more on two cores; copy the results into models/demo and their SHA-256 into models/weights.toml.
demo-weights: $(SETUP)
	$(BIN)/python -m tasks.demo_weights build/demo-weights

clean:
	rm -rf demo build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
