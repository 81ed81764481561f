"""Ways to train that papers recommend, each tried alone beside the way Whet trains.

Weight decay (Loshchilov & Hutter, arXiv 1711.05101), an exponential moving average of the weights
(Polyak & Juditsky 1992), a cosine rate (arXiv 1608.03983), an end by the median loss, and examples
behind other neighbours in a random order, all of them learned or the last alone (Akyürek et al.
2024, arXiv 2411.07279: in-context permutations, leave-one-out).
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from random import Random
from statistics import median

import torch

from adaptation.conversation import Conversation, spoken
from adaptation.learning.service.adapter import Adapter
from adaptation.learning.service.asking import Ask, Losses, answer, mean, means
from adaptation.learning.service.base import Base
from adaptation.learning.service.job import batches, learning_rate
from adaptation.learning.service.watch import Descent, Watch, finite
from adaptation.learning.training.sequences import TrainingExample, to_example
from adaptation.learning.training.trainer import Recipe
from adaptation.learning.tuning.task import Task

SHOWN = 3
"""Neighbours before an example, where it stands behind others."""
ORDERS = 3
"""Ways in which each example does so."""
MOST_TOKENS = 4_096


@dataclass(frozen=True)
class Signal:
    """What is done otherwise; without a word, training as Whet does it."""

    name: str
    weight_decay: float = 0.0
    average: float = 0.0
    """Of the weights after a step, what is kept of their average before it."""
    cosine: bool = False
    by_median: bool = False
    """Whether the median of an example's losses ends it, and not their mean."""
    behind: bool = False
    """Whether examples stand behind others."""
    last_only: bool = False
    """Whether of these the last alone is learned."""


SIGNALS = (
    Signal("as Whet trains"),
    Signal("weight decay 0.1", weight_decay=0.1),
    Signal("weight decay 1", weight_decay=1.0),
    Signal("average of the weights", average=0.9),
    Signal("cosine rate", cosine=True),
    Signal("end by the median", by_median=True),
    Signal("in-context permutations", behind=True),
    Signal("leave one out", behind=True, last_only=True),
)


def conversations(task: Task, signal: Signal, seed: int) -> list[Conversation]:
    """Return what is learned: the task's solved neighbours, or each behind some others."""
    if not signal.behind:
        return [*task.learned]
    rng = Random(seed)
    return [
        behind(each, _others(task.learned, each, rng)).model_copy(
            update={"last_only": signal.last_only}
        )
        for _ in range(ORDERS)
        for each in task.learned
    ]


def behind(last: Conversation, shown: Sequence[Conversation]) -> Conversation:
    """Return `last` as the end of a conversation that begins with `shown`."""
    return spoken(*(turn for each in (*shown, last) for turn in each.messages))


def _others(
    learned: Sequence[Conversation], one: Conversation, rng: Random
) -> Sequence[Conversation]:
    return rng.sample([each for each in learned if each is not one], SHOWN)


def train(base: Base, adapter: Adapter, task: Task, signal: Signal, recipe: Recipe) -> Descent:
    """Train `adapter` on a task in this very process; raises `TrainerError` where it diverges."""
    examples = [
        to_example(base.chat, each, recipe.max_tokens)
        for each in conversations(task, signal, recipe.seed)
    ]
    held_out = [
        to_example(base.chat, each, recipe.max_tokens, last_only=True) for each in task.held_out
    ]
    descent = _descend(adapter, examples, Watch(adapter, held_out, recipe.steps), signal, recipe)
    found: Losses | None = None
    while True:
        try:
            ask = descent.send(found)  # type: ignore[arg-type]
        except StopIteration as end:
            ended: Descent = end.value
            return ended
        found = answer(base, [ask], MOST_TOKENS)[0]


def _descend(
    adapter: Adapter,
    examples: list[TrainingExample],
    watch: Watch,
    signal: Signal,
    recipe: Recipe,
) -> Generator[Ask, Losses, Descent]:
    """As `service.job.descend` does, but for the signal."""
    optimiser = torch.optim.AdamW([adapter.master], weight_decay=signal.weight_decay, fused=True)
    descent, average = Descent(), adapter.master.clone()
    yield from watch.begin()
    for group in batches(examples, recipe):
        losses = yield Ask(adapter, group, learns=True)
        descent.losses.append(finite(mean(losses)))
        if watch.rises or descent.steps == recipe.steps or _ends(losses, signal, recipe):
            break
        optimiser.param_groups[0]["lr"] = _rate(signal, recipe, descent.steps)
        torch.nn.utils.clip_grad_norm_([adapter.master], recipe.clip_norm)
        optimiser.step()
        average.lerp_(adapter.master, 1 - signal.average)
        adapter.changed()
        adapter.forget()
        descent.steps += 1
        yield from watch.after(descent.steps)
    adapter.forget()
    if signal.average:
        adapter.restore(average)
    yield from watch.conclude(descent)
    return descent


def _ends(losses: Losses, signal: Signal, recipe: Recipe) -> bool:
    """Whether there is no more to learn."""
    if signal.by_median:
        return median(means(losses)) < recipe.min_loss
    return mean(losses) < recipe.min_loss


def _rate(signal: Signal, recipe: Recipe, step: int) -> float:
    if not signal.cosine:
        return learning_rate(recipe, step)
    return recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * step / recipe.steps))
