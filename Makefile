# claimdrift. Everything runs in .venv, which the targets build and keep up to date by themselves.

.DEFAULT_GOAL := help
.PHONY: help demo run test test-all rollback-test lint docs-check debian psql perf clean

# The first Python that is new enough; `make PYTHON=...` names another.
PYTHON ?= $(shell for python in python3 python3.11 python3.12 python3.13 python3.14; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo $$python && break; done)
VENV_PYTHON := .venv/bin/python
# Written when an installation is complete, so that an interrupted one is repeated. The demo and
# psql need less than the tests do.
INSTALLED := .venv/.installed
TOOLS := .venv/.tools-installed
# What the tests need from Debian or Ubuntu: command=package.
COMMANDS := chromium=chromium chromedriver=chromium-driver curl=curl haproxy=haproxy \
	pgbouncer=pgbouncer
# The linter of OpenAPI documents is an npm package; Node comes from PyPI with the tools.
REDOCLY := tests/openapi/node_modules/@redocly/cli/bin/cli.js
PYTEST := $(VENV_PYTHON) -m pytest -n 2 --dist loadfile

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-13s %s\n", $$1, $$2}' Makefile

demo: $(INSTALLED) ## From nothing to alerts, on the embedded server, checked and then repeated
	@env -u DATABASE_URL $(VENV_PYTHON) manage.py demo

run: $(INSTALLED) ## API and worker on 127.0.0.1:8000 with the demo's data; Ctrl-C stops all
	@env -u DATABASE_URL $(VENV_PYTHON) manage.py run $(if $(BIND),--bind $(BIND))

test: debian lint docs-check ## All that a change must pass: lint, types, tests
	$(PYTEST)

test-all: debian lint docs-check ## The same with the long tests
	$(PYTEST) -m "long or not long"

rollback-test: debian $(TOOLS) ## Deploy releases that are bad in every way, and see them rolled back
	$(VENV_PYTHON) -m pytest -m "long or not long" tests/deploy

lint: $(TOOLS) ## Style and types of Python and SQL
	$(VENV_PYTHON) -m ruff check .
	$(VENV_PYTHON) -m ruff format --check .
	$(VENV_PYTHON) -m mypy .
	$(VENV_PYTHON) -m sqlfluff lint sql

docs-check: $(REDOCLY) ## How much of the API is documented: 100 %, and valid
	$(VENV_PYTHON) manage.py docs_check
	$(VENV_PYTHON) manage.py spectacular --validate --fail-on-warn --file .venv/openapi.yaml
	diff -u api/openapi.yaml .venv/openapi.yaml
	REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true .venv/bin/node $(REDOCLY) lint --config tests/openapi/redocly.yaml api/openapi.yaml

debian: ## What the tests need from Debian or Ubuntu: installs it when root, or says so
	@missing=; for command in $(COMMANDS); do \
		PATH="$$PATH:/usr/sbin" command -v $${command%=*} >/dev/null || missing="$$missing $${command#*=}"; done; \
	if [ -n "$$missing" ] && [ "$$(id -u)" = 0 ]; then \
		echo "Installing$$missing ..."; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
			--no-install-recommends $$missing >/dev/null; \
	elif [ -n "$$missing" ]; then \
		echo "The tests need packages that are missing here: apt-get install$$missing" >&2; exit 1; fi

psql: $(INSTALLED) ## psql on the database: the embedded one, or that of DATABASE_URL
	@if [ -n "$$DATABASE_URL" ]; then exec $(VENV_PYTHON) manage.py dbshell; \
	else exec $(VENV_PYTHON) manage.py embedded psql; fi

perf: $(TOOLS) ## All benchmarks; fails when one misses its bar
	@status=0; for benchmark in perf/*_bench.py; do echo "== $$benchmark"; \
		$(VENV_PYTHON) -m "perf.$$(basename "$$benchmark" .py)" || status=1; done; exit $$status

clean: ## Remove .venv and caches; the embedded server's data stay
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(INSTALLED): requirements.txt
	@missing=; \
	command -v git >/dev/null || missing=git; \
	if [ -z "$(PYTHON)" ]; then missing="$$missing python3 python3-venv"; \
	elif ! $(PYTHON) -c 'import venv, ensurepip' 2>/dev/null; then \
		missing="$$missing python3-venv"; fi; \
	if [ -n "$$missing" ]; then \
		echo "claimdrift needs git and Python 3.11 or newer with venv. Missing here:" \
			"$$missing. On Debian or Ubuntu: apt-get install" $$missing >&2; exit 1; fi
	@echo "Installing the packages into .venv ..."
	@[ -x $(VENV_PYTHON) ] || $(PYTHON) -m venv .venv
	@$(VENV_PYTHON) -m pip install -qq --no-input --disable-pip-version-check \
		-r requirements.txt
	@touch $@

$(TOOLS): requirements-dev.txt $(INSTALLED)
	@echo "Installing the tools for tests and benchmarks ..."
	@$(VENV_PYTHON) -m pip install -qq --no-input --disable-pip-version-check \
		-r requirements-dev.txt
	@touch $@

$(REDOCLY): tests/openapi/package-lock.json $(TOOLS)
	@echo "Installing the linter of OpenAPI documents ..."
	@PATH="$(CURDIR)/.venv/bin:$$PATH" npm ci --prefix tests/openapi --silent --no-audit --no-fund
	@touch $@
