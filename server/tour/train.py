"""Station: a domain the model has never met, before and after test-time training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from adaptation.evaluation.examples import import_lines
from adaptation.evaluation.questions import TASK, is_right
from adaptation.evaluation.suites.solved import Solved
from adaptation.statistics import quartiles
from server.tour.client import Client, Reply
from server.tour.guide import Guide
from server.tour.narrator import Narrator, Outcome, verdict_of

SHOWN_NEIGHBOURS = 3


def visit(guide: Guide) -> Outcome:
    """Ask, teach memory, ask again."""
    narrator, client, tasks = guide.narrator, guide.client, guide.shifted
    narrator.chapter("Test-time training: a language the model does not speak")
    narrator.say(
        "In this world five ordinary words secretly name operations. Nothing in a question tells "
        "which, so the model can only guess, however often it votes."
    )
    narrator.quote("question", tasks[0].question)
    before = [_ask(client, task, "consistency") for task in narrator.each(tasks, "voting")]
    narrator.quote("answer", before[0].texts[0])
    narrator.votes(before[0].report.votes or (), tasks[0])
    narrator.say(f"Right: {tasks[0].answer}.")
    _teach(guide)
    after = [_ask(client, task, "ttt") for task in narrator.each(tasks, "training and voting")]
    _explain(narrator, client, after[0], tasks[0])
    return _conclude(narrator, tasks, before, after)


def _ask(client: Client, task: Solved, strategy: str) -> Reply:
    writes = strategy == "ttt"
    memory = {"task": TASK, "read": True, "write": writes}
    return client.ask(task.question, strategy=strategy, memory=memory)


def _teach(guide: Guide) -> None:
    done = guide.client.post("/v1/memory/import", import_lines(guide.examples, TASK))
    guide.narrator.say(
        f"\nNow memory is given {len(guide.examples)} solved examples of this world, other "
        f"questions: POST /v1/memory/import → {done['imported']} imported, {done['failed']} "
        "refused. The same questions again, with strategy `ttt`:"
    )


def _explain(narrator: Narrator, client: Client, reply: Reply, task: Solved) -> None:
    """Show what one request did: neighbours, training, gate, answer."""
    report = reply.report
    closest = sorted(report.neighbours or (), key=lambda neighbour: -neighbour.similarity)
    for neighbour in closest[:SHOWN_NEIGHBOURS]:
        record = client.get(f"/v1/memory/records/{neighbour.id}")
        narrator.quote(f"like {neighbour.similarity:.2f}", record["messages"][-1]["content"])
    if report.adapter is not None:
        adapter = report.adapter
        narrator.quote("neighbours", f"{len(closest)} in all, some held out for the gate")
        narrator.quote("training", f"{adapter.steps} steps, loss {_arrow(adapter.loss)}")
        verdict = "accepted" if adapter.accepted else "refused"
        held_out = f"{verdict}: held-out loss {_arrow(adapter.holdout_loss)}"
        narrator.quote("gate", f"{held_out} ({adapter.reason})")
    if report.reason:
        narrator.quote("fell back", report.reason)
    narrator.quote("seconds", ", ".join(f"{k} {v:.3f}" for k, v in report.seconds.items()))
    narrator.quote("answer", reply.texts[0])
    narrator.votes(report.votes or (), task)


def _arrow(values: Sequence[float]) -> str:
    return " → ".join(f"{value:.3f}" for value in values)


def _conclude(
    narrator: Narrator, tasks: list[Solved], before: list[Reply], after: list[Reply]
) -> Outcome:
    old, new = (
        [is_right(reply.answer, task) for reply, task in zip(replies, tasks, strict=True)]
        for replies in (before, after)
    )
    narrator.marks("before", old)
    narrator.marks("after", new)
    adapted = sum(reply.report.strategy == "ttt" for reply in after)
    seconds = quartiles([reply.seconds for reply in after])
    happened = (
        f"{sum(old)} of {len(old)} right before, {sum(new)} after; {adapted} of {len(after)} "
        f"answers came through a trained adapter, {seconds.value:.1f} s each in the median"
    )
    narrator.say(happened + ".")
    for reason, count in Counter(r.report.reason for r in after if r.report.reason).items():
        narrator.say(f"Without one: {count} × {reason}.")
    if sum(new) <= sum(old):
        narrator.say("Training did not help here.", "yellow")
    return Outcome("test-time training", happened, verdict_of(sum(old), sum(new)))
