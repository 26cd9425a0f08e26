# make setup   install into .venv          make demo    render 24 participants and run the study on them
# make test    the tests                   make bench   speed and memory of each stage
# make lint    ruff, mypy, codespell       make proofs  simulations of the group tests, into docs/group_analysis.md
# make test-interop   exports opened by PSPP, R and DuckDB (installs Debian packages)

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SETUP := $(VENV)/.setup
DEV := $(VENV)/.dev
export PREFECT_SERVER_ANALYTICS_ENABLED := false
export DO_NOT_TRACK := 1
export NO_ALBUMENTATIONS_UPDATE := 1

.PHONY: setup demo test test-interop lint bench proofs demo-weights clean atypicality-proof atypicality-full attribute-table

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
	@# A thread each: the threads of two torch processes would only wait for each other.
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --no-loadscope-reorder

# Needs root (or sudo) on Debian or Ubuntu.
test-interop: $(DEV)
	@missing=""; command -v pspp >/dev/null || missing="$$missing pspp"; \
	  Rscript -e 'library(haven)' >/dev/null 2>&1 || missing="$$missing r-base-core r-cran-haven"; \
	  [ -z "$$missing" ] || { as=$$([ $$(id -u) = 0 ] || echo sudo); \
	    $$as apt-get update -qq && $$as apt-get install -y -q --no-install-recommends $$missing; }
	$(BIN)/python -m pytest tests/tasks/exporters/test_interoperability.py

lint: $(DEV)
	$(BIN)/ruff check . && $(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/codespell

bench: $(SETUP)
	$(BIN)/python -m benchmarks.extraction
	$(BIN)/python -m benchmarks.classification
	$(BIN)/python -m benchmarks.attributes
	$(BIN)/python -m benchmarks.importing
	$(BIN)/python -m benchmarks.reporting
	$(BIN)/python -m benchmarks.group_tests
	$(BIN)/python -m benchmarks.sequences --hrm
	$(BIN)/python -m benchmarks.attribute_data --fraction 0.2

# Ten minutes: how often each test is wrong by chance.
proofs: $(SETUP)
	$(BIN)/python -m benchmarks.proofs

# Half an hour: what the published and the sound protocol of the atypicality step report, beside the truth, on ratings that hang
# on action units; then five minutes on ratings that do not.
atypicality-proof: $(SETUP)
	$(BIN)/python -m benchmarks.atypicality_protocols
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.atypicality_no_relation

# Hours (it says how many before it starts): the cross-validation at the size of Hugging Rain Man. Stop it, start it: it goes on.
atypicality-full: $(SETUP)
	$(BIN)/python -m benchmarks.atypicality_full build/atypicality-full

# Hours (three to five on two cores, reckoned from a smaller run): figure 2 of Li et al. on 20,000 rendered faces at half width.
# Stop it, start it: it goes on.
attribute-table: $(SETUP)
	[ -d build/attribute-table ] || $(BIN)/facetrace render-faces build/attribute-table --images 20000 --people 500 --workers 2
	$(BIN)/facetrace tabulate-attributes build/attribute-table

# Two hours and more on two cores; copy the results into models/demo and their SHA-256 into models/weights.toml.
demo-weights: $(SETUP)
	$(BIN)/python -m tasks.demo_weights build/demo-weights

clean:
	rm -rf demo build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
