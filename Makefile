# wmx.llm_platform: `make demo` shows it, `make test` checks it, `make help` lists the rest.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
# Steps share one machine and one cluster; with -j they still run one after the other.
.NOTPARALLEL:

VENV ?= $(CURDIR)/.venv
CORE ?= 2.20
INVENTORY ?= $(CURDIR)/inventories/local
CLUSTER ?= llm-platform
SCENARIO ?=
STEP ?= test
ARGS ?=

override VENV := $(abspath $(VENV))
override INVENTORY := $(abspath $(INVENTORY))
OTHER_VENV := $(VENV)-core-$(CORE)
CHECKOV_VENV := $(VENV)-checkov
CACHE := $(if $(XDG_CACHE_HOME),$(XDG_CACHE_HOME),$(HOME)/.cache)/llm-platform
# Outside the checkout: ansible-test skips every file that the surrounding Git repository ignores.
STAGE := $(CACHE)/stage$(CURDIR)
STAGED := $(STAGE)/ansible_collections/wmx/llm_platform
PYTHON_BIN := $(VENV)/bin/python
RUN := $(CACHE)/clusters/$(CLUSTER)
PLAY := ansible-playbook -i $(INVENTORY)

export PATH := $(VENV)/bin:$(PATH)
export VIRTUAL_ENV := $(VENV)
export ANSIBLE_COLLECTIONS_PATH := $(VENV)/collections
export ANSIBLE_NOCOWS := 1
export PYTHONPATH := $(VENV)/collections
export MOLECULE_KUBECONFIG := $(CACHE)/clusters/molecule/kubeconfig
export MYPYPATH := $(VENV)/collections
export PYTHONDONTWRITEBYTECODE :=

##@ The two commands to begin with

.PHONY: demo
demo: machine ## Bring up the local cluster, deploy a model into it, prove it and print how to talk to it
	$(PLAY) wmx.llm_platform.site
	@cat evidence/$(notdir $(INVENTORY))/summary.txt

.PHONY: test
test: machine ## Check everything (lint, sanity, units, build, molecule, end to end) and print a table of times
	$(PYTHON_BIN) tools/steps.py lint sanity unit build tree docs molecule e2e

##@ The local cluster

.PHONY: up
up: machine ## Bring up the local cluster (a second time changes nothing)
	$(PLAY) wmx.llm_platform.local_up --extra-vars local_cluster_name=$(CLUSTER)

.PHONY: down
down: machine ## Take the local cluster down and leave nothing running
	$(PLAY) wmx.llm_platform.local_down --extra-vars local_cluster_name=$(CLUSTER)

.PHONY: verify
verify: machine ## Run the harmless probes against what is deployed and write the evidence
	$(PLAY) wmx.llm_platform.verify

.PHONY: lock
lock: machine ## Ask the registries for the digest of every image of INVENTORY and write its lock
	$(PLAY) wmx.llm_platform.lock $(ARGS)

.PHONY: evidence
evidence: machine ## Deploy, run every probe (destructive ones and the lifecycle tests too), write evidence/local/latest.{json,html}
	$(PLAY) wmx.llm_platform.site
	pytest tests/e2e $(ARGS)
	$(PLAY) wmx.llm_platform.verify --extra-vars '{"llm_verify_destructive": true, "evidence_lifecycle": true}'
	$(PYTHON_BIN) tools/proven.py evidence/$(notdir $(INVENTORY))/latest.json

.PHONY: bench
bench: up ## Measure ours and the usual tools side by side, write build/bench.json (ARGS=--growth goes on to 10,000 objects and 1,000 tenants)
	KUBECONFIG=$(RUN)/kubeconfig KUBECTL=$(RUN)/bin/kubectl python -m tests.bench --site $(INVENTORY) $(ARGS)
	python -m tests.bench.pin
	KUBECONFIG=$(RUN)/kubeconfig KUBECTL=$(RUN)/bin/kubectl python -m tests.bench.hops
	KUBECONFIG=$(RUN)/kubeconfig KUBECTL=$(RUN)/bin/kubectl python -m tests.bench.picker
	KUBECONFIG=$(RUN)/kubeconfig python -m tests.bench.tenants $(filter --growth,$(ARGS))

##@ Checks, one by one

.PHONY: lint
lint: lint-python lint-types lint-yaml lint-ansible lint-docs ## Formatting, style, types and documentation (ruff format . repairs the first)

.PHONY: lint-python
lint-python: venv
	ruff format --check .
	ruff check .

.PHONY: lint-types
lint-types: venv
	mypy --config-file pyproject.toml $(VENV)/collections/ansible_collections/wmx/llm_platform/plugins
	@# Its own Python, that of LiteLLM's image, is older than ours.
	MYPYPATH=roles/llm_gateway/files/guard mypy --config-file pyproject.toml --python-version 3.11 -p llm_platform_guard

.PHONY: lint-yaml
lint-yaml: venv
	yamllint --strict .

.PHONY: lint-ansible
lint-ansible: venv
	ansible-lint --nocolor

.PHONY: lint-docs
lint-docs: stage
	antsibull-changelog lint
	cd $(STAGED) && antsibull-docs lint-collection-docs --plugin-docs .

.PHONY: sanity
sanity: sanity-static sanity-units ## ansible-test sanity and ansible-test units, on a copy of the tree

.PHONY: sanity-static
sanity-static: stage
	tools/ansible-test.sh $(STAGED) $(CACHE)/ansible-test sanity

.PHONY: sanity-units
sanity-units: stage
	@# The others start playbooks or look at the whole checkout, which a copy of the plugins is not: make unit runs them.
	tools/ansible-test.sh $(STAGED) $(CACHE)/ansible-test units tests/unit/plugins/module_utils/

.PHONY: unit
unit: venv other-core ## Unit tests (no cluster) on the newest ansible-core, then on the second newest
	pytest tests/unit -n 2 $(ARGS)
	@# The simulator is a program of its own: no ansible-core is part of it.
	$(OTHER_VENV)/bin/python -m pytest tests/unit --ignore=tests/unit/simulator -n 2 -o cache_dir=.cache/pytest-$(CORE) $(ARGS)

.PHONY: build
build: venv other-core stage ## Build the collection, install it into an empty place, run its plan playbook with both ansible-cores
	tools/build-check.sh $(STAGED) $(VENV) $(OTHER_VENV)

.PHONY: tree
tree: up ## Render INVENTORY beside its tree and hold checkov's findings against the exceptions in tests/checkov.yml
	@$(PYTHON_BIN) tools/bootstrap.py $(CHECKOV_VENV) --lock checkov.txt --no-collections
	$(PLAY) wmx.llm_platform.render --extra-vars llm_build_dir=$(CACHE)/checked$(CURDIR)
	$(PYTHON_BIN) tools/check_tree.py $(CHECKOV_VENV)/bin/checkov $(CACHE)/checked$(CURDIR)/$(notdir $(INVENTORY)) tests/checkov.yml

.PHONY: docs
docs: machine ## Run the commands that README.md and docs/ name
	pytest tests/docs $(ARGS)

.PHONY: molecule
molecule: machine ## One scenario for every role on a local cluster of its own (SCENARIO=serving STEP=converge runs a part)
	ansible-playbook -i molecule/inventory wmx.llm_platform.local_up
	code=0; \
	MOLECULE_GLOB='molecule/*/molecule.yml' molecule $(STEP) $(if $(SCENARIO),--scenario-name $(SCENARIO),--all) --report $(ARGS) || code=$$?; \
	[[ $(STEP) != test ]] || ansible-playbook -i molecule/inventory wmx.llm_platform.local_down -e local_cluster_remove_volumes=true || code=$$?; \
	exit $$code

.PHONY: e2e
e2e: machine ## The whole life of an environment on the local cluster: deploy, repeat, drift, prune, tear down
	pytest tests/e2e $(ARGS)

##@ Upkeep

.PHONY: venv
venv: ## Lay out .venv from the locked requirements (nothing happens when it is there)
	@tools/setup.sh $(VENV)

.PHONY: relock
relock: venv ## Resolve requirements/*.in again into requirements/*.txt
	for name in bootstrap dev core-$(CORE) checkov; do \
	  uv pip compile --quiet --upgrade --universal --generate-hashes --no-header --no-annotate --python-version 3.12 \
	    requirements/$$name.in --output-file requirements/$$name.txt; \
	done
	uv pip compile --quiet --upgrade --no-deps --generate-hashes --no-header --no-annotate --python-version 3.12 \
	  requirements/collections.in --output-file requirements/collections.txt

.PHONY: clean
clean: ## Remove build results, caches and the virtual environments (not the local cluster's cache, not the evidence)
	rm -rf .cache .ansible build tests/output $(VENV) $(VENV).lock $(OTHER_VENV) $(OTHER_VENV).lock \
	  $(CHECKOV_VENV) $(CHECKOV_VENV).lock

.PHONY: help
help: ## List the targets
	@awk 'BEGIN { FS = ":.*## " } /^##@/ { printf "\n%s\n", substr($$0, 5) } /^[a-z0-9-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

# The checks of everything that the local cluster needs come before anything is installed or started.
.PHONY: machine
machine:
	@tools/setup.sh $(VENV) cluster

.PHONY: other-core
other-core: venv
	@$(PYTHON_BIN) tools/bootstrap.py $(OTHER_VENV) --lock core-$(CORE).txt --no-collections

.PHONY: stage
stage: venv
	@$(PYTHON_BIN) tools/stage.py $(STAGED)
