# Every target makes `.venv` first, where it is missing or older than pyproject.toml or constraints.txt.
#
#   PYTHON=python3.12        the interpreter that `.venv` is made with
#   TORCH_INDEX=https://...  the package index of a CPU or CUDA build of torch; default: what pip is set up for
#   BENCH=scripts/bench/x.py one benchmark in place of all

PYTHON ?= python3
TORCH_INDEX ?=
BENCH ?= $(wildcard scripts/bench/[a-z]*.py)

BIN := .venv/bin
READY := .venv/.ready
EXTRAS := dev,train,track,fast,population,plot,evals
REBUILT := tests/topologies tests/evaluation tests/packaging/test_readme.py \
	$(patsubst %,tests/engine/test_%.py,cases dylan question fork stops review) \
	$(patsubst %,tests/cli/test_%.py,run fork eval)
TORCH := $(shell grep '^torch==' constraints.txt)
DEEPSPEED := $(shell grep '^deepspeed==' constraints.txt)

.DEFAULT_GOAL := help
.PHONY: help install tour test test-slow check format bench doctor

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

install: $(READY) ## make .venv with everything that the others need

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, 11) or sys.exit("error: Python >= 3.11 is needed, $(PYTHON) is %d.%d; fix: make install PYTHON=python3.12" % v[:2])'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install $(TORCH) $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX),-c constraints.txt)
	@$(BIN)/python -c 'import torch; print("torch", torch.__version__, "is a", f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPU", "build")'
	$(BIN)/python -m pip install -c constraints.txt -e '.[$(EXTRAS)]'
	@# DeepSpeed is built against the torch that is there, for its kind of machine, and compiles operators when it runs.
	@if command -v g++ >/dev/null; then \
		$(BIN)/python -c 'import sys, torch; sys.exit(bool(torch.version.cuda))' && export DS_ACCELERATOR=cpu; \
		$(BIN)/python -m pip install -c constraints.txt setuptools wheel && \
		$(BIN)/python -m pip install -c constraints.txt --no-build-isolation $(DEEPSPEED); \
	else echo 'no g++, which DeepSpeed compiles with: it is left out, and its tests skip'; fi
	@touch $@

tour: $(READY) ## the whole circle on a real language model
	$(BIN)/orchestra tour

test: $(READY) ## the fast tests
	$(BIN)/python -m pytest

test-slow: $(READY) ## the tests with the real model and with installs, and runs rebuilt from their journals
	$(BIN)/python -m pytest -m slow
	$(BIN)/python -m pytest --always-replay $(REBUILT)

check: $(READY) ## format, lint, types, import directions
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: $(READY) ## rewrite what `make check` would complain of, where that is safe
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(READY) ## measure beside the peers
	@set -e; for file in $(BENCH); do echo "== $$file"; PYTHONPATH=. $(BIN)/python $$file; done

doctor: $(READY) ## look at the installation
	$(BIN)/orchestra doctor
