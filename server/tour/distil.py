"""Station: what memory holds goes into the base adapter, while the server runs."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from adaptation import child
from adaptation.evaluation.questions import is_right
from adaptation.evaluation.suites.solved import Solved
from server.server_process import ROOT
from server.terminal import CommandError
from server.tour.guide import Guide
from server.tour.narrator import Outcome, verdict_of

PICK_UP_S = 60.0
"""A server looks for a new champion every few seconds."""


@dataclass(frozen=True)
class Scores:
    """Greedy single answers, right or wrong."""

    shifted: list[bool]
    everyday: list[bool]


def visit(guide: Guide) -> Outcome:
    """Distil, wait until the server serves the result, and ask single samples before and after."""
    narrator = guide.narrator
    narrator.chapter("Distillation: from memory into the weights that everybody is served")
    assert guide.data_dir is not None, "without the server's folder this station is left out"
    narrator.say(
        f"{len(guide.held_out)} further questions of the new world, one greedy sample each "
        "(strategy `plain`: no vote, no training, no memory), and the everyday ones to see what "
        "is forgotten."
    )
    before = _scores(guide)
    narrator.marks("new world", before.shifted)
    narrator.marks("everyday", before.everyday)
    champion = _distil(guide, guide.data_dir)
    if champion is None:
        happened = "no new adapter is served: the reasons stand above"
        narrator.say(f"{happened[0].upper()}{happened[1:]}.", "yellow")
        return Outcome("distillation", happened, "made no difference")
    return _compare(guide, before, _scores(guide))


def _distil(guide: Guide, data_dir: Path) -> str | None:
    """Run `whet distill`; return the champion the server has come to serve, None without one."""
    served = guide.client.get("/ready")["champion"]
    arguments = ["distill", "--data-dir", str(data_dir), "--model", guide.client.model]
    guide.narrator.say(f"\n$ whet {' '.join(arguments)}", "bold")
    guide.narrator.console.file.flush()
    status = subprocess.run(child.command("server.cli", *arguments), cwd=ROOT).returncode
    if status != 0:
        raise CommandError(f"`whet distill` ended with status {status}")
    if guide.client.get("/v1/adapters")["data"][0]["rejected"]:
        return None
    return _picked_up(guide, served)


def _picked_up(guide: Guide, served: str) -> str | None:
    started = time.monotonic()
    with guide.narrator.waiting("waiting for the server to notice"):
        while time.monotonic() - started < PICK_UP_S:
            champion: str = guide.client.get("/ready")["champion"]
            if champion != served:
                seconds = time.monotonic() - started
                guide.narrator.say(f"/ready: champion {champion}, after {seconds:.0f} s\n")
                return champion
            time.sleep(0.5)
    return None


def _scores(guide: Guide) -> Scores:
    return Scores(_greedy(guide, guide.held_out), _greedy(guide, guide.everyday))


def _greedy(guide: Guide, tasks: list[Solved]) -> list[bool]:
    memory = {"read": False, "write": False}
    return [
        is_right(
            guide.client.ask(
                task.question, strategy="plain", temperature=0.0, memory=memory
            ).answer,
            task,
        )
        for task in guide.narrator.each(tasks, "asking")
    ]


def _compare(guide: Guide, before: Scores, after: Scores) -> Outcome:
    narrator = guide.narrator
    narrator.marks("new world", after.shifted)
    narrator.marks("everyday", after.everyday)
    old, new = sum(before.shifted), sum(after.shifted)
    happened = (
        f"strategy `plain` on {len(after.shifted)} held-out questions: {old} right before, {new} "
        f"after; everyday questions: {sum(before.everyday)} before, {sum(after.everyday)} after"
    )
    narrator.say(happened + ".")
    verdict = verdict_of(old, new)
    if sum(after.everyday) < sum(before.everyday):
        narrator.say("Some of what the model knew before is lost.", "yellow")
        verdict = "helped, at a cost" if verdict == "helped" else "hurt"
    return Outcome("distillation", happened, verdict)
