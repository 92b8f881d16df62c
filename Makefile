# Griot on one machine. Needs Python 3.11 or newer and make; everything else is installed into .venv.
# PYTHON chooses the interpreter for the virtualenv; ARGS goes to pytest or to the benchmark.
PYTHON ?= python3
ARGS ?=
STACK := .venv/bin/python -m config.stack
.DEFAULT_GOAL := help
.PHONY: help run test check bench faults messages venv

help:
	@echo "make run       start everything; Ctrl-C stops it (PORT=8000, SANDBOX_PORT=8900)"
	@echo "make test      all tests on servers of their own (ARGS='tests/stack -k port')"
	@echo "make check     lint, types, migrations, production settings, translations"
	@echo "make bench     the benchmarks, as a table"
	@echo "make faults    what survives kill -9, crashes and cuts, as a table (ARGS='--seed 7 --faults kill,network')"
	@echo "make messages  collect the translatable texts (needs gettext) and compile the catalogues"

venv:
	@$(PYTHON) config/stack/install.py

# exec: the signals go straight to the supervisor, not through a shell.
run: venv
	@exec $(STACK) run

test: venv
	@exec $(STACK) exec --test -- python -m pytest -p tests.parallel -n auto $(ARGS)

check: venv
	@exec $(STACK) exec --test -- python -m config.stack.check

bench: venv
	@exec $(STACK) exec --data-dir var/bench -- python -m bench $(ARGS)

faults: venv
	@exec .venv/bin/python -m bench.faults $(ARGS)

messages: venv
	@exec $(STACK) exec --test -- python manage.py makemessages --all --no-obsolete --ignore .venv --ignore var --ignore tests
	@.venv/bin/python -m config.stack.catalogues
