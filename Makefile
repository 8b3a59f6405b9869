# Needs Python 3.11 or newer and make; nothing else is installed by hand.
# Everything goes into .venv (and .venv-bench for the other side of benchmarks).

PYTHON ?= $(shell for p in python3.11 python3.12 python3 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 \
	&& { echo $$p; break; }; done)
ARGS ?=
SHARE ?= 1/1
BENCHMARKS ?= $(filter-out __init__ adde_asked command figures kept_lines slides torch_vae torch_population study_kills,$(basename $(notdir \
	$(sort $(wildcard benchmarks/*.py)))))

run := .venv/bin/python
declared := setup.cfg pyproject.toml requirements.lock

.PHONY: help quickstart test test-slow test-all lint docs bench picture lock clean
.DELETE_ON_ERROR:

help: ## what there is to make
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-11s %s\n", $$1, $$2}' Makefile

quickstart: .venv/.installed ## set up, then the main job on rendered dSprites
	$(run) -m disentangle pipeline \
		--config=experiments/pipeline.py:dsprites,quick --workdir=runs/quickstart

# XLA compiles four times as fast like this, and JAX traces faster where it need
# not say which line an operation is from; `test-all` compiles as users do. XLA ends
# the process at a flag that its version does not have, so each is tried first. Python
# keeps its bytecode, also where a shell forbids it: tests start many processes.
fast := --xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1
tried = $(shell JAX_PLATFORMS=cpu XLA_FLAGS=$(1) $(run) -c \
	"import jax; jax.devices()" >/dev/null 2>&1 && echo $(1))
plainly = PYTHONDONTWRITEBYTECODE= JAX_TRACEBACK_IN_LOCATIONS_LIMIT=0 \
	JAX_DISABLE_MOST_OPTIMIZATIONS=1 \
	XLA_FLAGS="$(strip $(foreach flag,$(fast),$(call tried,$(flag))))"

test: .venv/.installed-test ## set up, then the tests (ARGS=tests/data for some)
	$(plainly) $(run) -m pytest -n 2 --dist loadfile -m "not slow" $(ARGS)

test-slow: .venv/.installed-test ## set up, then slow tests, all or SHARE=3/20 of them
	$(plainly) $(run) -m pytest -n 2 -m slow --share=$(SHARE) $(ARGS)

test-all: .venv/.installed-test ## set up, then every test, the slow ones too
	$(run) -m pytest -n 2 --dist loadfile $(ARGS)

lint: .venv/.installed-test ## set up, then style and types
	$(run) -m ruff check .
	$(run) -m ruff format --check .
	$(run) -m mypy

docs: .venv/.installed-docs ## the documentation, into site/: open site/index.html
	NO_MKDOCS_2_WARNING=1 $(run) -m mkdocs build

bench: .venv/.installed-test .venv-bench/.installed ## ours beside the alternatives
	@for name in $(BENCHMARKS); do \
		echo "== benchmarks/$$name.py"; $(run) -m benchmarks.$$name || exit 1; done

picture: .venv/.installed ## the README's images, from runs/quickstart and runs/picture
	@test -e runs/quickstart/report.html || $(MAKE) quickstart
	$(run) -m disentangle train --config=experiments/vae.py:shapes3d,s2_beta_vae \
		--config.steps=9000 --config.batch_size=16 --config.checkpoint_every=500 \
		--config.eval_every=2000 --config.optimizer.learning_rate=5e-4 \
		--workdir=runs/picture
	$(run) docs/picture.py runs/quickstart runs/picture

lock: ## the newest versions that go together, into requirements.lock
	rm -rf .venv-lock
	$(call environment,.venv-lock)
	.venv-lock/bin/python -m pip install -q -e '.[test]'
	sed '/^[^#]/,$$d' requirements.lock > .venv-lock/lock
	.venv-lock/bin/python -m pip freeze --exclude-editable >> .venv-lock/lock
	mv .venv-lock/lock requirements.lock

clean: ## remove environments and caches; runs/ stays
	rm -rf .venv .venv-bench .venv-lock build dist site *.egg-info
	rm -rf .pytest_cache .ruff_cache .mypy_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A second `make` installs nothing: the stamps are newer than what is declared.
.venv/.installed: $(declared)
	$(call environment,.venv)
	$(run) -m pip install -q -c requirements.lock -e .
	@touch $@

.venv/.installed-test: $(declared)
	$(call environment,.venv)
	$(run) -m pip install -q -c requirements.lock -e '.[test]'
	@touch .venv/.installed $@

.venv/.installed-docs: $(declared)
	$(call environment,.venv)
	$(run) -m pip install -q -c requirements.lock -e '.[docs]'
	@touch .venv/.installed $@

.venv-bench/.installed: setup.cfg
	$(call environment,.venv-bench)
	.venv-bench/bin/python -m pip install -q torch==2.13.0 'numpy>=2.0' \
		'torchjd[full]==0.18.0' clarabel faiss-cpu==1.15.1
	@touch $@

# A virtual environment with a pip that works, made anew if it is broken.
define environment
@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed" >&2; exit 1; }
@$(1)/bin/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(1)
endef
