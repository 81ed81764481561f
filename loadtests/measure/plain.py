"""What Whet costs a request that asks nothing of it: strategy `plain` against vLLM alone."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

from adaptation.evaluation import questions
from adaptation.statistics import Interval, geometric_mean, median_difference, quartiles
from loadtests.measure.laboratory import Laboratory
from loadtests.measure.load import Burst, body, send
from loadtests.measure.result import Result, Row, Target
from loadtests.processes import cpu_share, peak_mib
from server.models.catalogue import BUILT_IN
from server.server_process import Server

AT_ONCE = 8
IDLE_S = 3.0
ADDED_MS = {True: 3.0, False: 5.0}
"""What may be added to the median: to that of the built-in model, and of any other."""
NOTE = (
    "Both servers run with the same engine flags (LoRA on) and get the same seeded requests in "
    "short turns; all processes of the one that is not under load are stopped (SIGSTOP)."
)


@dataclass(frozen=True)
class Side:
    """One of the two servers, and the model's name on it."""

    server: Server
    other: Server
    model: str


@dataclass(frozen=True)
class Round:
    """What one server did in a round: requests one by one, then several at once."""

    alone: Burst
    parallel: Burst

    @property
    def figures(self) -> dict[str, float]:
        """The round in three numbers, for JSON."""
        return {
            "tokens_per_s": self.parallel.tokens_per_s,
            "p50_ms": 1000 * statistics.median(self.alone.latencies_s),
            "loaded_p50_ms": 1000 * statistics.median(self.parallel.latencies_s),
        }


def measure(lab: Laboratory) -> Result:
    """Alternate rounds between Whet and vLLM."""
    whet, name = lab.whet, lab.client.model
    with lab.bare_vllm() as bare:
        idle = {server.name: cpu_share(server.family(), IDLE_S) for server in (whet, bare)}
        sides = Side(whet, bare, f"{name}:plain"), Side(bare, whet, name)
        _round(lab, sides, -1)  # warms every path that the rounds take
        rounds = _rounds(lab, sides)
        memory = peak_mib(bare.family())
    return _result(rounds, idle, memory, lab)


def _rounds(lab: Laboratory, sides: tuple[Side, Side]) -> list[tuple[Round, Round]]:
    """Return (Whet's, vLLM's) for each round; who begins changes with every round."""
    found = []
    for index in range(lab.scale.rounds):
        lab.advance("plain against vLLM", index, lab.scale.rounds)
        found.append(_round(lab, sides, index))
    lab.advance("plain against vLLM", lab.scale.rounds, lab.scale.rounds)
    return found


def _round(lab: Laboratory, sides: tuple[Side, Side], index: int) -> tuple[Round, Round]:
    """Send the same requests to both, close together in time, so that noise hits both alike."""
    seed = lab.seed + 1000 * index
    if index % 2 == 0:
        ours = _requests(lab, sides[0], seed)
        return ours, _requests(lab, sides[1], seed)
    theirs = _requests(lab, sides[1], seed)
    return _requests(lab, sides[0], seed), theirs


def _requests(lab: Laboratory, side: Side, seed: int) -> Round:
    """Send requests one by one, then several at once; the first after the pause is not counted."""
    split = 1 + lab.scale.single_requests
    tasks = questions.everyday(split + lab.scale.parallel_requests, seed)
    bodies = [body(side.model, task.question, i) for i, task in enumerate(tasks)]
    url = side.server.url
    with side.other.paused():
        send(url, bodies[:1], at_once=1)
        return Round(send(url, bodies[1:split], 1), send(url, bodies[split:], AT_ONCE))


def _result(
    rounds: list[tuple[Round, Round]],
    idle: dict[str, float],
    memory: dict[str, float],
    lab: Laboratory,
) -> Result:
    throughput = geometric_mean(
        [ours.parallel.tokens_per_s / theirs.parallel.tokens_per_s for ours, theirs in rounds]
    )
    added = _added_ms([(ours.alone, theirs.alone) for ours, theirs in rounds], lab.seed)
    loaded = _added_ms([(ours.parallel, theirs.parallel) for ours, theirs in rounds], lab.seed)
    idle_cores = " / ".join(f"{cores:.3f}" for cores in idle.values())
    return Result(
        name="plain",
        title=f"Strategy plain through Whet against vLLM alone, {lab.model.name}",
        rows=[
            ("throughput, Whet / vLLM (95 % interval)", throughput.show(".3f")),
            ("added p50 latency alone, ms (95 % bootstrap)", added.show(".1f")),
            (f"added p50 latency at {AT_ONCE} at once, ms", loaded.show(".1f")),
            *_side_rows(rounds),
            ("cores used when idle, Whet / vLLM", idle_cores),
        ],
        figures={
            "throughput_ratio": vars(throughput),
            "added_p50_ms": vars(added),
            "added_p50_ms_loaded": vars(loaded),
            "rounds": [{"whet": ours.figures, "vllm": theirs.figures} for ours, theirs in rounds],
            "idle_cores": idle,
            "vllm_mib": memory,
        },
        targets=[
            Target("throughput, Whet / vLLM", 0.95, "at least", throughput),
            Target(
                "added p50 latency", ADDED_MS[lab.model.name == BUILT_IN], "at most", added, "ms"
            ),
        ],
        note=NOTE,
    )


def _added_ms(bursts: list[tuple[Burst, Burst]], seed: int) -> Interval:
    """Return the difference of the medians over all rounds."""
    ours, theirs = (
        [1000 * latency for burst in side for latency in burst.latencies_s]
        for side in zip(*bursts, strict=True)
    )
    return median_difference(ours, theirs, seed)


def _side_rows(rounds: list[tuple[Round, Round]]) -> list[Row]:
    rows = []
    for name, side in zip(("Whet", "vLLM"), zip(*rounds, strict=True), strict=True):
        p50 = quartiles([1000 * each for round_ in side for each in round_.alone.latencies_s])
        speed = quartiles([round_.parallel.tokens_per_s for round_ in side])
        rows.append((f"latency alone, ms, {name} (quartiles)", p50.show(".1f")))
        rows.append((f"tokens/s at {AT_ONCE} at once, {name} (quartiles)", speed.show(".0f")))
    return rows
