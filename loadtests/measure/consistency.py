"""What stopping early saves: `consistency` up to 16 samples against 16 samples always."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass

from adaptation.evaluation import questions
from adaptation.evaluation.questions import answer_in, is_right
from adaptation.evaluation.suites.solved import Solved
from adaptation.statistics import bootstrap_ratio, paired, quartiles, wilson
from loadtests.measure.laboratory import Laboratory
from loadtests.measure.result import Result
from memory.identity.answers import canonical
from server.tour.client import Client, Reply

VOTES = 16
NO_MEMORY = {"read": False, "write": False}
NOTE = (
    f"Fixed: one request with n={VOTES} and strategy plain (vLLM's own fan-out), the most frequent "
    "answer taken by the client. The same server, the two arms in turn, one request at a time."
)


@dataclass(frozen=True)
class Trial:
    """One question in both arms."""

    single_right: float
    """Share of right ones among the fixed samples: one sample's accuracy."""
    fixed_right: bool
    fixed_tokens: int
    fixed_s: float
    adaptive_right: bool
    adaptive_tokens: int
    adaptive_s: float
    adaptive_samples: int
    stop_reason: str


def measure(lab: Laboratory) -> Result:
    """Ask every question in both arms."""
    tasks = questions.everyday(lab.scale.questions, lab.seed)
    trials = []
    for index, task in enumerate(tasks):
        lab.advance("early stopping against 16 votes", index, len(tasks))
        trials.append(_try(lab.client, task, fixed_first=index % 2 == 0))
    lab.advance("early stopping against 16 votes", len(tasks), len(tasks))
    return _result(trials, lab.seed)


def _try(client: Client, task: Solved, *, fixed_first: bool) -> Trial:
    fixed = _fixed(client, task) if fixed_first else None
    adaptive = client.ask(
        task.question, strategy="consistency", max_samples=VOTES, memory=NO_MEMORY
    )
    fixed = fixed or _fixed(client, task)
    return Trial(
        single_right=sum(is_right(answer_in(text), task) for text in fixed.texts) / VOTES,
        fixed_right=is_right(plurality(fixed.texts), task),
        fixed_tokens=fixed.completion_tokens,
        fixed_s=fixed.seconds,
        adaptive_right=is_right(adaptive.answer, task),
        adaptive_tokens=adaptive.completion_tokens,
        adaptive_s=adaptive.seconds,
        adaptive_samples=adaptive.report.samples.started,
        stop_reason=adaptive.report.stop_reason,
    )


def _fixed(client: Client, task: Solved) -> Reply:
    return client.ask(task.question, n=VOTES, strategy="plain", memory=NO_MEMORY)


def plurality(texts: tuple[str, ...]) -> str | None:
    """Return the most frequent answer; the first one seen wins a tie."""
    answers = [answer for text in texts if (answer := answer_in(text)) is not None]
    if not answers:
        return None
    leader = Counter(map(canonical, answers)).most_common(1)[0][0]
    return next(answer for answer in answers if canonical(answer) == leader)


def _result(trials: list[Trial], seed: int) -> Result:
    n = len(trials)
    tokens = bootstrap_ratio(
        [t.adaptive_tokens for t in trials], [t.fixed_tokens for t in trials], seed
    )
    seconds = bootstrap_ratio([t.adaptive_s for t in trials], [t.fixed_s for t in trials], seed)
    flips = paired([t.fixed_right for t in trials], [t.adaptive_right for t in trials])
    adaptive = wilson(sum(t.adaptive_right for t in trials), n)
    fixed = wilson(sum(t.fixed_right for t in trials), n)
    samples = sum(t.adaptive_samples for t in trials) / n
    stops = dict(Counter(t.stop_reason for t in trials))
    return Result(
        name="consistency",
        title=f"Strategy consistency (at most {VOTES}) against {VOTES} votes, {n} questions",
        rows=[
            ("tokens generated, early / fixed (95 % bootstrap)", tokens.show(".3f")),
            ("latency, early / fixed (95 % bootstrap)", seconds.show(".3f")),
            ("latency, s, early (quartiles)", quartiles([t.adaptive_s for t in trials]).show()),
            ("latency, s, fixed", quartiles([t.fixed_s for t in trials]).show()),
            ("right, early (95 % Wilson)", adaptive.show(".1%")),
            ("right, fixed", fixed.show(".1%")),
            ("right, one sample", f"{sum(t.single_right for t in trials) / n:.1%}"),
            (
                "early against fixed: gained, lost, McNemar",
                f"{flips.helped}, {flips.hurt}, p = {flips.p_value:.3f}",
            ),
            ("samples started for a question, early", f"{samples:.1f}"),
            ("stopped because", ", ".join(f"{k} {v}" for k, v in sorted(stops.items()))),
        ],
        figures={
            "tokens_ratio": vars(tokens),
            "latency_ratio": vars(seconds),
            "accuracy": {"early": vars(adaptive), "fixed": vars(fixed)},
            "mcnemar": vars(flips),
            "questions": [asdict(trial) for trial in trials],
        },
        note=NOTE,
    )
