"""Where Whet's defaults differ from vLLM's, and why. Knows flags by name, not vLLM itself."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, MutableMapping
from typing import TYPE_CHECKING

from server.config import ConfigError, Settings
from server.models.catalogue import BUILT_IN
from server.models.named import choose
from server.startup.quiet import QUIET, QUIET_FLAGS
from server.tenancy.trust import has_keys, operator_keys

if TYPE_CHECKING:
    from server.startup.fitting import Fit

ENVIRONMENT = {
    # Threads that wait for each other in a busy loop take the cores from those they wait for: on
    # shared cores a model of 135 M parameters became 10 to 30 times faster without.
    "OMP_WAIT_POLICY": "PASSIVE",
    # The trainer and the embedder need cores too.
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_LOGGING_LEVEL": "WARNING",
    # A package that vLLM's app imports gives the root logger this level, and ERROR by default
    # (`model_hosting_container_standards.logging_config`).
    "SAGEMAKER_CONTAINER_LOG_LEVEL": "WARNING",
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    # vLLM leaves semaphores behind when it stops, and Python says so at length.
    "PYTHONWARNINGS": "ignore:resource_tracker:UserWarning",
    # As `vllm serve` has it: a forked engine would hold the pipes of the trainer open.
    "VLLM_WORKER_MULTIPROC_METHOD": "spawn",
    # What is started never imports from the working directory, where apps have packages like ours.
    "PYTHONSAFEPATH": "1",
    # Where an operator allows a domain, its answer must not lead on to a machine inside.
    "VLLM_MEDIA_URL_ALLOW_REDIRECTS": "0",
    # A dead engine is started again: see `server.engine.keeper`.
    "VLLM_KEEP_ALIVE_ON_ENGINE_DEATH": "1",
}
"""Set where the environment says nothing, before vLLM is imported."""

FLAGS = {
    "host": "127.0.0.1",
    "enable_lora": True,
    "max_lora_rank": 32,
    # Counted from what can be loaded; see `reserve_slots`.
    "max_loras": None,
    # A vote is silent until it is decided; proxies close connections that say nothing.
    "sse_keep_alive_interval": 10,
    # The page of routes loads nothing from a CDN: vLLM brings its assets along.
    "enable_offline_docs": True,
    # Nothing is fetched from where a client says: a name that is never resolved (RFC 6761).
    "allowed_media_domains": ["none.invalid"],
    # Tenants take turns by priorities: see `adaptation.fairness`.
    "scheduling_policy": "priority",
}

CPU_FLAGS = {
    # Blocks of 128 tokens, the CPU default, leave short prompts out of the prefix cache.
    "block_size": 32,
    "enforce_eager": True,
    # A seeded request whose prompt is split between two steps kills vLLM's CPU worker: it turns a
    # generator back by an offset that CPU generators do not have.
    "enable_chunked_prefill": False,
}

CPU_WORKER = "server.engine.cpu_worker.CpuWorker"
"""Worker whose adapters are one product each: vLLM's own copies an adapter for every row."""

CUDA_FLAGS = {
    # The trainer holds a copy of the model on the same device.
    "gpu_memory_utilization": 0.6,
}

RUNTIME_ADAPTERS = 4
"""Places for adapters loaded over HTTP, where that is allowed and `--max-loras` is not given."""

UNTRAINABLE = ("revision", "tokenizer", "tokenizer_revision", "quantization", "hf_overrides")
"""Flags that make the engine's model another one than the trainer would load."""

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

UNSUPPORTED = {
    "headless": "serve without --headless: Whet answers HTTP itself",
    "grpc": "serve without --grpc: Whet speaks HTTP only",
    "uds": "serve on --host and --port: Whet does not listen on a Unix socket",
}

SPECULATION = ("speculative_config", "spec_method", "spec_model", "spec_tokens")
"""Flags that have vLLM draft tokens before it draws them."""


def prepare_environment(
    environment: MutableMapping[str, str] = os.environ, verbose: bool = True
) -> None:
    """Fill in what the environment leaves open; refuses what bypasses every Python seam."""
    if environment.get("VLLM_USE_RUST_FRONTEND") not in (None, "", "0"):
        raise ConfigError("unset VLLM_USE_RUST_FRONTEND: that front end bypasses Whet")
    for name, value in {**ENVIRONMENT, **({} if verbose else QUIET)}.items():
        environment.setdefault(name, value)


def flags_for(on_cpu: bool, verbose: bool = True) -> dict[str, object]:
    """Return our defaults for vLLM's flags."""
    quiet = {} if verbose else QUIET_FLAGS
    return {**FLAGS, **(CPU_FLAGS if on_cpu else CUDA_FLAGS), **quiet}


def complete(args: argparse.Namespace, settings: Settings, on_cpu: bool) -> Fit | None:
    """Fill in what depends on other flags, and on a CPU on the model and the machine.

    Returns what suits those two. Raises `ConfigError` on what cannot be served.
    """
    refuse_flags(args, settings, on_cpu)
    args.api_server_count = None
    _choose_model(args, settings)
    reserve_slots(args, settings, on_cpu)
    if not on_cpu or settings.engine_url:  # which is another machine's
        return None
    from server.rewards import held_bytes
    from server.startup.cpu_defaults import fit_to_machine  # what help and slips do without

    choose_worker(args)
    taken_bytes = held_bytes(settings.reward_model)
    return fit_to_machine(args, settings.max_samples, os.environ, taken_bytes)


def refuse_flags(args: argparse.Namespace, settings: Settings, on_cpu: bool) -> None:
    """Raise `ConfigError` on flags that Whet does not serve with."""
    for flag, advice in UNSUPPORTED.items():
        if getattr(args, flag, None):
            raise ConfigError(advice)
    refuse_speculation(args, on_cpu)
    if (args.api_server_count or 1) > 1:
        raise ConfigError("serve with --api-server-count 1; run several replicas instead")
    if args.host not in LOOPBACK and not (operator_keys(args) or has_keys(settings)):
        raise ConfigError(
            f"make a key with `whet keys create`, or give --api-key or VLLM_API_KEY, to serve on "
            f"{args.host or 'every address'}: without a key Whet listens on loopback only"
        )


def refuse_speculation(args: argparse.Namespace, on_cpu: bool) -> None:
    """Raise `ConfigError` where tokens would be drafted on a CPU.

    vLLM 0.32 spreads the temperature and the bounds of sampling over the drafted tokens by a kernel
    for whole numbers (`cpu_triton_utils._expand_kernel_impl`), and drops what it wrote: a token
    that was drafted is drawn by whatever the memory held. Greedy answers stay as they are, but all
    votes are drawn, and one drawn beside a greedy answer spoils that as well.
    """
    given = [flag for flag in SPECULATION if getattr(args, flag, None)]
    if on_cpu and given:
        flags = ", ".join("--" + flag.replace("_", "-") for flag in given)
        raise ConfigError(
            f"serve without {flags} on a CPU: vLLM's CPU build forgets the temperature of drafted "
            "tokens, so that votes and seeds come out wrong; with CUDA it is allowed"
        )


def reserve_slots(args: argparse.Namespace, settings: Settings, on_cpu: bool) -> None:
    """Give every adapter that can be loaded a slot in the engine, and on a CPU leave one empty.

    vLLM's CPU kernels read the last slot for the rows that have no adapter, whenever they share a
    batch with rows that have one; what they then compute stays in the prefix cache. So the last
    slot must never be filled. Raises `ConfigError` where `--max-loras` is too small for that.
    """
    loadable = own_adapters(settings) + _static_adapters(args)
    needed = loadable + 1 if on_cpu else loadable
    if args.max_loras is None:
        args.max_loras = needed + (RUNTIME_ADAPTERS if loads_at_run_time() else 0)
    elif on_cpu and args.enable_lora and args.max_loras < needed:
        raise ConfigError(
            f"--max-loras {args.max_loras} is too small: give {needed} or more, or leave it out. "
            f"{loadable} adapters can be loaded (max_adapters = {settings.max_adapters}, "
            f"max_champions = {settings.max_champions}, and those of "
            "--lora-modules), and on a CPU one more slot must stay empty: from the last one vLLM's "
            "kernels change the answers of requests without an adapter"
        )
    args.max_loras = max(args.max_loras, needed)
    args.max_cpu_loras = max(args.max_cpu_loras or 0, 2 * loadable, args.max_loras)


def choose_worker(args: argparse.Namespace) -> None:
    """Have a CPU's adapters computed by Whet, where nothing else is asked for.

    Its products differ from batch to batch, so they cannot be compiled.
    """
    if args.worker_cls == "auto" and args.enable_lora and args.enforce_eager:
        args.worker_cls = CPU_WORKER


def own_adapters(settings: Settings) -> int:
    """Return how many adapters Whet itself holds in the engine at most."""
    return settings.max_adapters + settings.max_champions


def runtime_adapters(args: argparse.Namespace, settings: Settings) -> int:
    """Return how many adapters the engine can take besides Whet's own, the last slot left empty.

    Those of `--lora-modules` are among them.
    """
    return int(args.max_loras) - own_adapters(settings) - 1


def loads_at_run_time(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether adapters can be loaded over HTTP, by vLLM's own reading of its setting."""
    value = environment.get("VLLM_ALLOW_RUNTIME_LORA_UPDATING", "0")
    return value.strip().lower() in ("1", "true")


def _static_adapters(args: argparse.Namespace) -> int:
    """Return how many adapters vLLM loads at its start."""
    return len(args.lora_modules or ()) + len(args.default_mm_loras or ())


def _choose_model(args: argparse.Namespace, settings: Settings) -> None:
    """Set what is loaded, and what clients call it."""
    asked = args.model_tag or args.model or BUILT_IN
    chosen = choose(asked, settings.data_dir)
    args.model = chosen.model
    if chosen.served_as is not None:
        args.served_model_name = args.served_model_name or [chosen.served_as]
    if asked == BUILT_IN:
        _fit_built_in(args)


def _fit_built_in(args: argparse.Namespace) -> None:
    if args.tool_call_parser is None:
        args.tool_call_parser, args.enable_auto_tool_choice = "hermes", True
    from server.startup.cpu_defaults import keep_to_threads

    keep_to_threads(1, os.environ)
