"""What adapters cost a vote on a CPU: vLLM's own products beside Whet's, in turns.

vLLM alone, with the flags Whet gives it, draws samples from the base, from one adapter, and from
the base and several adapters in one batch. Each turn is a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from adaptation.statistics import geometric_mean
from loadtests import arguments
from server.server_process import ROOT
from server.startup import engine_defaults
from server.terminal import phases, write_json

EXAMPLES = """\
examples:
  python -m loadtests.bench_adapters                     the built-in model, five minutes
  python -m loadtests.bench_adapters --model smollm2 --tokens 8     a real one
"""
ARMS = {"vLLM's own": "vllm.v1.worker.cpu_worker.CPUWorker", "Whet's": engine_defaults.CPU_WORKER}
SAMPLES, TOKENS, ADAPTERS, RANK = 16, 64, 4, 8
PROMPT = tuple(range(10, 74))
"""Any will do: the tokens are drawn to the end whatever they are."""


@dataclass(frozen=True)
class Turn:
    """Tokens a second that one process drew, of each mix."""

    arm: str
    drawn: Mapping[str, float]


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, keep."""
    args = _arguments(argv)
    if args.turn:
        print(json.dumps(_drawn(args)))
        return 0
    model = arguments.trained_model(args)
    turns: list[Turn] = []
    with tempfile.TemporaryDirectory(prefix="whet-adapters-") as folder, phases() as advance:
        adapters = _made(model, Path(folder))
        for _ in range(args.rounds):
            for arm, worker in ARMS.items():
                turns.append(Turn(arm, _in_a_process(worker, model, adapters, args.tokens)))
                advance("turns", len(turns), args.rounds * len(ARMS))
    _print(turns)
    write_json({"model": args.model, "turns": [asdict(turn) for turn in turns]}, str(args.out))
    print(f"kept in {args.out}")
    return 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = arguments.parser("bench_adapters", __doc__, EXAMPLES)
    arguments.add_model(parser, "bench-adapters")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each (default: 3)")
    parser.add_argument(
        "--tokens", type=int, default=TOKENS, help=f"of each sample (default: {TOKENS})"
    )
    parser.add_argument("--turn", help=argparse.SUPPRESS)
    parser.add_argument("--adapters", nargs="+", default=(), help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def _made(model: str, folder: Path) -> list[str]:
    """Write adapters that change the model a little."""
    import torch

    from adaptation.learning.service import adapter_io
    from adaptation.learning.service.base import Base
    from adaptation.learning.training.chat import Template

    base = Base.load(model, Template(), "cpu")
    paths: list[str] = []
    for seed in range(ADAPTERS):
        adapter = adapter_io.fresh(base, RANK, seed)
        for _, _, b in adapter.parts():
            b.copy_(torch.randn(b.shape, generator=torch.Generator().manual_seed(seed)) * 1e-3)
        adapter.changed()
        path = folder / f"adapter-{seed}"
        path.mkdir()
        adapter_io.write(adapter, base, str(path))
        paths.append(str(path))
    return paths


def _in_a_process(
    worker: str, model: str, adapters: Sequence[str], tokens: int
) -> dict[str, float]:
    words = [sys.executable, "-m", "loadtests.bench_adapters", "--turn", worker]
    words += ["--model", model, "--tokens", str(tokens), "--adapters", *adapters]
    environment: dict[str, str] = dict(os.environ)
    engine_defaults.prepare_environment(environment)
    environment |= {"VLLM_ENABLE_V1_MULTIPROCESSING": "0", "OMP_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = str(ROOT)
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"a turn failed:\n{done.stderr[-2000:]}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _drawn(args: argparse.Namespace) -> dict[str, float]:
    """Return the tokens a second of every mix, after one batch to warm up."""
    from vllm import LLM, SamplingParams
    from vllm.lora.request import LoRARequest

    flags: dict[str, Any] = {
        "enable_lora": True,
        "max_lora_rank": engine_defaults.FLAGS["max_lora_rank"],
        "max_loras": ADAPTERS + 1,
        "enable_prefix_caching": True,
        "kv_cache_memory_bytes": 1 << 30,
        "max_model_len": 512,
        **engine_defaults.CPU_FLAGS,
    }
    llm = LLM(model=args.model, worker_cls=args.turn, disable_log_stats=True, **flags)
    loaded = [LoRARequest(f"a{i}", i, path) for i, path in enumerate(args.adapters, 1)]
    params = SamplingParams(max_tokens=args.tokens, ignore_eos=True, temperature=0.8, seed=1)
    found: dict[str, float] = {}
    for name, mix in _mixes(loaded):
        prompts = [{"prompt_token_ids": list(PROMPT)} for _ in mix]
        for _ in range(2):  # the first warms up
            began = time.perf_counter()
            llm.generate(prompts, params, lora_request=list(mix), use_tqdm=False)
            found[name] = len(mix) * args.tokens / (time.perf_counter() - began)
    return found


def _mixes(loaded: Sequence[Any]) -> Iterator[tuple[str, Sequence[Any]]]:
    """Yield what each sample of a batch is drawn from."""
    yield "the base", [None] * SAMPLES
    yield "one adapter", [loaded[0]] * SAMPLES
    yield "the base beside an adapter", [None, loaded[0]] * (SAMPLES // 2)
    yield f"{ADAPTERS} adapters", [loaded[i % ADAPTERS] for i in range(SAMPLES)]


def _print(turns: Sequence[Turn]) -> None:
    table = Table(f"tokens/s of {SAMPLES} samples from", *ARMS, "times", "95 %", box=None)
    for mix in turns[0].drawn:
        own, ours = ([turn.drawn[mix] for turn in turns if turn.arm == arm] for arm in ARMS)
        gain = geometric_mean([new / old for old, new in zip(own, ours, strict=True)])
        speeds = [f"{sorted(each)[len(each) // 2]:,.0f}" for each in (own, ours)]
        bounds = f"{gain.low:.2f} to {gain.high:.2f}"
        table.add_row(mix, *speeds, f"{gain.value:.2f}", bounds)
    Console(markup=False, highlight=False).print(table)


if __name__ == "__main__":
    sys.exit(main())
