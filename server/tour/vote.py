"""Station: one sample against a vote, in the model's own domain."""

from __future__ import annotations

from dataclasses import dataclass

from adaptation.evaluation.questions import answer_in, is_right
from adaptation.evaluation.suites.solved import Solved
from adaptation.statistics import wilson
from server.tour.client import Client, Reply
from server.tour.guide import Guide
from server.tour.narrator import Narrator, Outcome, verdict_of

SINGLES = 8
"""Plain samples of each question, which show how often one sample is right."""
TEMPERATURE = 1.0
"""The model's own distribution, for single samples and votes alike."""
WORTH_TELLING = 0.05
"""By how much the shares must differ: less is luck, with so few questions."""
NO_MEMORY = {"read": False, "write": False}


@dataclass(frozen=True)
class Trial:
    """One question answered by single samples and by a vote, drawn apart."""

    task: Solved
    singles: tuple[bool, ...]
    texts: tuple[str, ...]
    """What the single samples said."""
    vote: Reply

    @property
    def voted_right(self) -> bool:
        """Whether the vote found the answer."""
        return is_right(self.vote.answer, self.task)

    @property
    def is_telling(self) -> bool:
        """Whether the vote is right where a single sample may be wrong."""
        return self.voted_right and not all(self.singles)


def visit(guide: Guide) -> Outcome:
    """Ask doubtful questions both ways, and show one of them."""
    narrator = guide.narrator
    narrator.chapter("Voting: the same model, asked more than once")
    narrator.say(
        f"{len(guide.doubtful)} lists to sort or to count, seeded: the model gets such questions "
        f"right now and then. Each is answered by {SINGLES} single samples, and by strategy "
        "`consistency`: up to 16 samples, stopping as soon as the winner is clear; both at "
        f"temperature {TEMPERATURE:g}."
    )
    trials = [_try(guide.client, task) for task in narrator.each(guide.doubtful, "asking")]
    show_one(narrator, trials)
    return _conclude(narrator, trials)


def _try(client: Client, task: Solved) -> Trial:
    plain = client.ask(
        task.question, n=SINGLES, temperature=TEMPERATURE, strategy="plain", memory=NO_MEMORY
    )
    vote = client.ask(
        task.question, temperature=TEMPERATURE, strategy="consistency", memory=NO_MEMORY
    )
    singles = tuple(is_right(answer_in(text), task) for text in plain.texts)
    return Trial(task, singles, plain.texts, vote)


def show_one(narrator: Narrator, trials: list[Trial]) -> None:
    """Show the question on which the vote was worth most; without one there is nothing to show."""
    telling = [trial for trial in trials if trial.is_telling]
    if not telling:
        return
    shown = min(telling, key=lambda trial: sum(trial.singles))
    report = shown.vote.report
    narrator.quote("question", shown.task.question)
    narrator.quote("one sample", shown.texts[shown.singles.index(False)])
    narrator.say(
        f"Right: {shown.task.answer}. Of {SINGLES} single samples {sum(shown.singles)} were right. "
        f"The vote ({report.samples.finished} counted, {report.samples.cancelled} cancelled, "
        f"stopped: {report.stop_reason}, {shown.vote.seconds:.1f} s):"
    )
    narrator.votes(report.votes or (), shown.task)
    narrator.say(
        f"A picked example: on {len(telling)} of {len(trials)} questions the vote was right, and "
        "not every single sample. The figures over all of them:"
    )


def _conclude(narrator: Narrator, trials: list[Trial]) -> Outcome:
    drawn = [hit for trial in trials for hit in trial.singles]
    single, voted = sum(drawn) / len(drawn), [trial.voted_right for trial in trials]
    samples = sum(trial.vote.report.samples.started for trial in trials) / len(trials)
    narrator.marks("by vote", voted)
    share = wilson(sum(voted), len(voted))
    happened = (
        f"{single:.0%} of single samples right, {share.value:.0%} by vote (95 % interval "
        f"{share.low:.0%} to {share.high:.0%}), {samples:.1f} samples a question"
    )
    narrator.say(happened + ".")
    is_told = abs(share.value - single) >= WORTH_TELLING
    return Outcome("voting", happened, verdict_of(single, share.value if is_told else single))
