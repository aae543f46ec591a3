# One line to type on a fresh machine: a virtual environment, the program, and the job.
PYTHON ?= python3
VENV ?= .venv
RUN ?= runs/digits

SECONDS_EACH ?= 10
SITE ?= site

.PHONY: quickstart test slow fuzz docs lint

quickstart: $(VENV)/installed
	$(VENV)/bin/ecavg run --config=configs/digits.py --workdir=$(RUN)

test: $(VENV)/installed-dev
	$(VENV)/bin/pytest -n 2 --dist loadfile --no-loadscope-reorder

slow: $(VENV)/installed-dev
	$(VENV)/bin/pytest -m slow -n 2 --dist loadfile --no-loadscope-reorder

fuzz: $(VENV)/installed-dev
	$(VENV)/bin/pip install --quiet -e '.[fuzz]'
	$(VENV)/bin/python tests/fuzz/fuzz.py --seconds=$(SECONDS_EACH)

docs: $(VENV)/installed-dev
	$(VENV)/bin/pip install --quiet -e '.[docs]'
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --quiet --strict --site-dir=$(SITE)

lint: $(VENV)/installed-dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/mypy benchmarks
	$(VENV)/bin/mypy tests/fuzz
	$(VENV)/bin/lint-imports

$(VENV)/installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet -e .
	touch $@

$(VENV)/installed-dev: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet -e '.[dev]'
	touch $@ $(VENV)/installed
