# schoolgate. `make` alone lists what there is. Linux, GNU make; Python >= 3.13 is found or named (PYTHON=/path/to/python3.13).

PYTHON ?=
VENV   := .venv
READY  := $(VENV)/.installed
BIN    := $(VENV)/bin

.ONESHELL:
.SHELLFLAGS := -euc
.DEFAULT_GOAL := help
.PHONY: help setup run test lint bench man lock
MAKEFLAGS += --no-print-directory

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: $(READY) ## make .venv and install schoolgate into it, every package checked against its hash
	@:

run: $(READY) ## start the proxy, its record and its figures on this machine (Ctrl-C ends it)
	@exec $(BIN)/schoolgate run

test: $(READY) ## run the tests; ARGS="…" goes to pytest; SCHOOLGATE_TEST_ALL=1 skips nothing (see .ci/run)
	@exec $(BIN)/python -m pytest -n 3 --dist loadfile $(ARGS)

lint: $(READY) ## ruff, its formatter and mypy --strict
	@$(BIN)/ruff check --quiet --output-format concise .
	$(BIN)/ruff format --check --quiet . || { echo "not formatted: $(BIN)/ruff format . puts it right" >&2; exit 1; }
	$(BIN)/mypy --no-error-summary
	echo "lint: clean"

bench: $(READY) ## measure the enforcing addon beside bare mitmproxy
	@exec $(BIN)/python tests/bench/run.py $(ARGS)

# Re-run whenever what is to be installed changed. `pip` is quiet; when it fails, its log is shown.
$(READY): requirements.lock pyproject.toml
	@python=
	for candidate in $(if $(PYTHON),"$(PYTHON)",python3.13 python3.14 python3); do
	  if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 13))' 2>/dev/null; then python=$$candidate; break; fi
	done
	if [ -z "$$python" ]; then
	  echo "schoolgate needs Python 3.13 or newer, and $(if $(PYTHON),$(PYTHON) is not one,found none)." >&2
	  echo "Install one (Debian 13 or newer: apt install python3 python3-venv; elsewhere: pyenv install 3.13)" >&2
	  echo "and run make again, or name it: make setup PYTHON=/path/to/python3.13" >&2
	  exit 1
	fi
	if ! "$$python" -c 'import ensurepip, venv' 2>/dev/null; then
	  version=$$("$$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
	  echo "$$python has no venv module. Debian and Ubuntu: apt install python$$version-venv" >&2
	  exit 1
	fi
	echo "setup: installing into $(VENV) with $$("$$python" --version) (about a minute) ..."
	"$$python" -m venv --clear $(VENV)
	log=$(VENV)/setup.log
	pip() { $(BIN)/python -m pip --quiet --no-input --disable-pip-version-check "$$@" >>$$log 2>&1; }
	if ! { pip install --require-hashes -r requirements.lock && pip install --no-deps --no-build-isolation -e .; }; then
	  tail -n 20 $$log >&2
	  echo "setup: pip could not install; the whole log is $$log" >&2
	  exit 1
	fi
	touch $(READY)
	echo "setup: done; the command is $(BIN)/schoolgate"

man: $(READY) ## write the manual page anew from the commands and their help
	@exec $(BIN)/python -m man.build

lock: $(READY) ## compile requirements.lock anew from pyproject.toml (UPGRADE=1 takes newer versions)
	@tools=$$(mktemp -d)
	trap 'rm -rf "$$tools"' EXIT
	$(BIN)/python -m venv "$$tools"
	"$$tools/bin/python" -m pip --quiet --disable-pip-version-check install pip-tools 2>"$$tools/log" || { tail -n 5 "$$tools/log" >&2; exit 1; }
	$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["dependency-groups"]["dev"], sep="\n")' \
	  >"$$tools/dev.in"
	CUSTOM_COMPILE_COMMAND="make lock" "$$tools/bin/pip-compile" --quiet --generate-hashes --strip-extras \
	  --no-annotate --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-emit-options \
	  $(if $(UPGRADE),--upgrade) --extra postgresql --output-file requirements.lock pyproject.toml "$$tools/dev.in"
	echo "lock: requirements.lock is written; commit it, then make setup"
