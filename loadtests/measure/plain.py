"""What Whet costs a request that asks nothing of it: strategy `plain` against vLLM alone."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

from loadtests import questions
from loadtests.measure.laboratory import Laboratory
from loadtests.measure.load import Burst, body, send
from loadtests.measure.result import Result, Target
from loadtests.processes import cpu_share, peak_mib
from loadtests.server_process import Server
from loadtests.stats import Interval, geometric_mean, quartiles

AT_ONCE = 8
IDLE_S = 3.0
NOTE = (
    "Both servers run with the same engine flags (LoRA on) and the same seeded requests; rounds "
    "alternate, and all processes of the one that is not under load are stopped (SIGSTOP)."
)


@dataclass(frozen=True)
class Side:
    """One of the two servers, and the model's name on it."""

    server: Server
    other: Server
    model: str


@dataclass(frozen=True)
class Round:
    """One server's round: requests one by one, then several at once."""

    alone: Burst
    parallel: Burst

    @property
    def p50_ms(self) -> float:
        """Median latency of a request alone on the server."""
        return 1000 * statistics.median(self.alone.latencies_s)

    @property
    def loaded_p50_ms(self) -> float:
        """Median latency with others beside it."""
        return 1000 * statistics.median(self.parallel.latencies_s)


def measure(lab: Laboratory) -> Result:
    """Alternate rounds between Whet and vLLM."""
    whet, name = lab.whet, lab.client.model
    with lab.bare_vllm() as bare:
        idle = {server.name: cpu_share(server.family(), IDLE_S) for server in (whet, bare)}
        sides = Side(whet, bare, f"{name}:plain"), Side(bare, whet, name)
        for side in sides:
            _round(lab, side, seed=0)  # warms every path that the rounds take
        rounds = _rounds(lab, sides)
        memory = peak_mib(bare.family())
    return _result(rounds, idle, memory)


def _rounds(lab: Laboratory, sides: tuple[Side, Side]) -> list[tuple[Round, Round]]:
    """Return (Whet's, vLLM's) for each round; who begins changes with every round."""
    found = []
    for index in range(lab.scale.rounds):
        lab.advance("plain against vLLM", index, lab.scale.rounds)
        order = sides if index % 2 == 0 else sides[::-1]
        by_name = {side.server.name: _round(lab, side, seed=index + 1) for side in order}
        found.append((by_name[sides[0].server.name], by_name[sides[1].server.name]))
    lab.advance("plain against vLLM", lab.scale.rounds, lab.scale.rounds)
    return found


def _round(lab: Laboratory, side: Side, seed: int) -> Round:
    count = lab.scale.single_requests + lab.scale.parallel_requests
    tasks = questions.everyday(count, lab.seed + 1000 * seed)
    bodies = [body(side.model, task.question, i) for i, task in enumerate(tasks)]
    split = lab.scale.single_requests
    with side.other.paused():
        alone = send(side.server.url, bodies[:split], at_once=1)
        return Round(alone, send(side.server.url, bodies[split:], at_once=AT_ONCE))


def _result(
    rounds: list[tuple[Round, Round]], idle: dict[str, float], memory: dict[str, float]
) -> Result:
    throughput = geometric_mean(
        [ours.parallel.tokens_per_s / theirs.parallel.tokens_per_s for ours, theirs in rounds]
    )
    added = quartiles([ours.p50_ms - theirs.p50_ms for ours, theirs in rounds])
    loaded = quartiles([ours.loaded_p50_ms - theirs.loaded_p50_ms for ours, theirs in rounds])
    p50 = [quartiles([side.p50_ms for side in sides]) for sides in zip(*rounds, strict=True)]
    speed = [
        quartiles([side.parallel.tokens_per_s for side in sides])
        for sides in zip(*rounds, strict=True)
    ]
    return Result(
        name="plain",
        title="Strategy plain through Whet against vLLM alone",
        rows=[
            ("throughput, Whet / vLLM (95 % interval)", throughput.show(".3f")),
            (f"tokens/s at {AT_ONCE} at once, Whet (quartiles)", speed[0].show(".0f")),
            (f"tokens/s at {AT_ONCE} at once, vLLM", speed[1].show(".0f")),
            ("added p50 latency alone, ms (quartiles of rounds)", added.show(".1f")),
            ("p50 latency alone, ms, Whet", p50[0].show(".1f")),
            ("p50 latency alone, ms, vLLM", p50[1].show(".1f")),
            (f"added p50 latency at {AT_ONCE} at once, ms", loaded.show(".1f")),
            ("cores used when idle, Whet / vLLM", " / ".join(f"{x:.3f}" for x in idle.values())),
        ],
        figures=_figures(rounds, throughput, added, loaded)
        | {"idle_cores": idle, "vllm_mib": memory},
        targets=[
            Target("throughput, Whet / vLLM", throughput.value, 0.95, "at least"),
            Target("added p50 latency", added.value, 3.0, "at most", "ms"),
        ],
        note=NOTE,
    )


def _figures(
    rounds: list[tuple[Round, Round]], throughput: Interval, added: Interval, loaded: Interval
) -> dict[str, object]:
    return {
        "throughput_ratio": vars(throughput),
        "added_p50_ms": vars(added),
        "added_p50_ms_loaded": vars(loaded),
        "rounds": [
            {
                name: {
                    "tokens_per_s": side.parallel.tokens_per_s,
                    "p50_ms": side.p50_ms,
                    "loaded_p50_ms": side.loaded_p50_ms,
                }
                for name, side in (("whet", ours), ("vllm", theirs))
            }
            for ours, theirs in rounds
        ],
    }
