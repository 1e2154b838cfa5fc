# Each target sets up what it needs; `make` alone prints this list.
.DEFAULT_GOAL := help
.PHONY: help setup demo test simulate check bench docs reference lock clean

PY := .venv/bin/python

help: ## print this list
	@sed -n 's/^\([a-z]*\):.*## /\1|/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "make %-9s %s\n", $$1, $$2}'

setup: ## make .venv from the lock files (the other targets do this by themselves)
	@scripts/setup dev

demo: ## call an agent from your browser, on this machine, no account needed
	@scripts/setup run
	@.venv/bin/hookflash demo $(DEMO)

test: ## run every test, in parallel, with full branch coverage of the core and the codecs
	@scripts/system-packages venv postgres cc chromium redis haproxy firefox
	@scripts/setup dev
	@scripts/test

simulate: setup ## play calls from seeds on a virtual clock: make simulate SEEDS=1000 FIRST=0
	@$(PY) -m tests.simulation --seeds $(or $(SEEDS),100) --first $(or $(FIRST),0)

check: ## lint, format, types, layers, prose, the documentation's links, nothing private in the tree
	@scripts/setup dev docs
	@scripts/check

bench: ## measure the ledger against what the caller heard, the relay against bare ones: an hour
	@scripts/setup run
	@.venv/bin/hookflash ledger
	@.venv/bin/hookflash bench $(BENCH)

docs: ## build the documentation's pages into build/site, without a network
	@scripts/setup docs
	@$(PY) scripts/site

reference: setup ## write the generated parts of docs/reference and docs/how-to, and draw the hand-offs
	@$(PY) scripts/reference
	@$(PY) scripts/drawings

lock: ## pin every package anew, with hashes
	@scripts/lock

clean: ## remove what the other targets made
	@rm -rf .venv build .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache .hypothesis
