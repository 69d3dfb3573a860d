# What a stranger needs: `make demo` and `make test`. Both say what they install, and install it only as root.

CARGO ?= cargo
SHELL := /bin/bash

.PHONY: help demo verify protections test campaign truth recordings lint fmt docs packages

help:
	@echo "make demo   the whole way on real hosts that it makes itself (needs root)"
	@echo "make verify what nmap, curl, docker and testinfra say about the machines of the demo"
	@echo "make protections  each protection of the demo's machines is taken away in turn: does rempart miss it?"
	@echo "make test   every test; those on real hosts need root, and say so where they are skipped"
	@echo "make campaign  every step of a playbook x five faults (needs root, about an hour); writes docs/campaign.md"
	@echo "make truth  500 drawn rulesets on real hosts against the lock-out simulation; the result is docs/truth.md"
	@echo "make recordings  what real hosts say to every kind's questions, kept in tests/tamper (KIND=name for one)"
	@echo "make lint   formatting and clippy, warnings denied"
	@echo "make fmt    format"
	@echo "make docs   write docs/kinds.md, docs/cli.md and docs/playbook.schema.json anew"

demo: packages
	scripts/demo.sh

verify:
	@scripts/verify.sh

# On the machines of the demo: each protection is taken away, one at a time, and rempart must miss it.
protections:
	@REMPART_PROTECTIONS=1 scripts/verify.sh

test: packages
	@if $(CARGO) nextest --version >/dev/null 2>&1 || { \
	    echo "cargo-nextest is missing: it is built once now (some minutes)."; \
	    $(CARGO) install --locked cargo-nextest; }; then \
	  echo "$(CARGO) nextest run --locked --no-fail-fast"; $(CARGO) nextest run --locked --no-fail-fast; \
	else \
	  echo "NOTICE: cargo-nextest cannot be had, so cargo's own runner is used; real hosts compete for the machine then."; \
	  echo "$(CARGO) test --locked --no-fail-fast --lib --bins --tests"; $(CARGO) test --locked --no-fail-fast --lib --bins --tests; \
	fi
	$(CARGO) test --locked --doc

campaign: packages
	$(CARGO) test --locked --test campaign -- --ignored --exact --nocapture whole

# REMPART_TRUTH_SEED draws the same rulesets again.
truth: packages
	REMPART_LAB=required REMPART_TRUTH_CASES=$${REMPART_TRUTH_CASES:-500} REMPART_TRUTH_REPORT=docs/truth.md \
	  $(CARGO) test --locked --test truth -- --nocapture the_simulation_agrees

# With KIND=name, that one alone.
recordings: packages
	REMPART_LAB=required UPDATE_RECORDINGS=1 $(CARGO) test --locked --test real -- --test-threads 2 tamper::kind::$(KIND)

lint:
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings

fmt:
	$(CARGO) fmt

docs:
	UPDATE_DOCS=1 $(CARGO) test --locked --test docs -- current

packages:
	@scripts/packages.sh
