"""One job from its conversations to its files, as a generator: it yields what it asks of the base.

Flat on purpose. Whoever runs it answers several jobs' asks at once; a job knows of no other.
"""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field

import torch

from adaptation.errors import TrainerError
from adaptation.learning.service import adapter_io
from adaptation.learning.service.adapter import Adapter
from adaptation.learning.service.asking import Ask, Losses, mean
from adaptation.learning.service.base import Base
from adaptation.learning.service.leaning import RefusalWatch
from adaptation.learning.service.packing import n_rows
from adaptation.learning.service.sharing import costs
from adaptation.learning.service.watch import Descent, Watch, finite
from adaptation.learning.training.chat import check_served
from adaptation.learning.training.sequences import TrainingExample, to_example
from adaptation.learning.training.trainer import Recipe, TrainingJob, TrainingResult

OnStep = Callable[[Descent], None]
"""Told after each step how the descent goes."""
Training = Generator[Ask, Losses, TrainingResult]


@dataclass(frozen=True)
class Control:
    """What may end a job early from outside."""

    cancelled: threading.Event = field(default_factory=threading.Event)
    soft_s: float = math.inf
    """No step is begun that would probably end, and be looked at, later than this."""
    on_step: OnStep = lambda descent: None
    given: float = field(default_factory=lambda: time.perf_counter())
    """`time.perf_counter()` when the job came."""

    def check(self) -> None:
        """Raise `TrainerError` once the job is cancelled."""
        if self.cancelled.is_set():
            raise TrainerError("the job was cancelled")

    def is_late(self, after_s: float = 0.0) -> bool:
        """Whether the soft deadline will have passed in `after_s`."""
        return time.perf_counter() + after_s > self.given + self.soft_s


@dataclass(frozen=True)
class Prepared:
    """A job whose words are tokens."""

    job: TrainingJob
    adapter: Adapter
    training: list[TrainingExample]
    holdout: list[TrainingExample]
    refusals: RefusalWatch
    began: float
    """`time.perf_counter()` when it was its turn."""

    @property
    def cost(self) -> int:
        """The most that one step can take of a pass, in tokens."""
        together, each = costs(self.training)
        most = sorted(each, reverse=True)[: self.job.recipe.batch_size]
        # Refusals are looked at twice only: they make no job train alone.
        return max(together + sum(most), Ask(self.adapter, self.holdout, learns=False).cost)


def prepare(base: Base, job: TrainingJob) -> Prepared:
    """Tokenise, and find the adapter to start from; raises `TrainerError` or `ValueError`."""
    began, recipe, chat = time.perf_counter(), job.recipe, base.chat
    # 1. Tokens, in the template they will be served in.
    if job.served is not None:
        check_served(chat, job.served)
    training = [to_example(chat, c, recipe.max_tokens) for c in job.conversations]
    holdout = [to_example(chat, c, recipe.max_tokens, last_only=True) for c in job.holdout]
    # 2. The adapter to start from.
    if job.parent is None:
        adapter = adapter_io.fresh(base, recipe.rank, recipe.seed)
    else:
        adapter = adapter_io.read(base, job.parent, recipe.rank, recipe.seed)
    refusals = RefusalWatch(chat, adapter, job.refusals, recipe.max_tokens)
    return Prepared(job, adapter, training, holdout, refusals, began)


def train(base: Base, prepared: Prepared, control: Control) -> Training:
    """Train the adapter of a job and write it; raises `TrainerError` when that fails."""
    job, adapter = prepared.job, prepared.adapter
    # 3. The descent, watched by the held-out conversations.
    watch = Watch(adapter, prepared.holdout, job.recipe.steps)
    yield from watch.begin()
    yield from prepared.refusals.begin()
    watch.after_s = prepared.refusals.look_s
    descent = yield from descend(adapter, prepared.training, job.recipe, watch, control)
    refusal_shift = yield from prepared.refusals.shift()
    # 4. The files. Whoever gave the job up deletes its folder.
    control.check()
    adapter_io.write(adapter, base, job.output_dir)
    return TrainingResult(
        path=job.output_dir,
        rank=adapter.rank,
        steps=descent.steps,
        losses=tuple(descent.losses),
        cut_short=descent.cut_short,
        refusal_shift=refusal_shift,
        holdout_before=watch.before,
        holdout_after=watch.best,
        tokens=descent.tokens,
        flops=4.0 * base.n_parameters * descent.rows,
        seconds=time.perf_counter() - prepared.began,
    )


def descend(
    adapter: Adapter,
    examples: list[TrainingExample],
    recipe: Recipe,
    watch: Watch,
    control: Control,
) -> Generator[Ask, Losses, Descent]:
    """Take up to `recipe.steps` AdamW steps."""
    optimiser = torch.optim.AdamW([adapter.master], weight_decay=0.0, fused=True)
    descent, step_s = Descent(), 0.0
    for group in batches(examples, recipe):
        control.check()
        began = time.perf_counter()
        late = control.is_late(step_s + watch.look_s + watch.after_s)
        whole = watch.rises or descent.steps == recipe.steps
        descent.cut_short = late and not whole
        ended = whole or late
        loss = finite(mean((yield Ask(adapter, group, learns=not ended))))
        descent.losses.append(loss)
        if ended or loss < recipe.min_loss:
            break
        optimiser.param_groups[0]["lr"] = learning_rate(recipe, descent.steps)
        torch.nn.utils.clip_grad_norm_([adapter.master], recipe.clip_norm)
        optimiser.step()
        adapter.changed()
        adapter.forget()
        descent.steps += 1
        descent.tokens += sum(len(example.token_ids) for example in group)
        descent.rows += n_rows(group)
        control.on_step(descent)
        step_s = time.perf_counter() - began
        yield from watch.after(descent.steps)
    yield from watch.conclude(descent)
    return descent


def learning_rate(recipe: Recipe, step: int) -> float:
    """The rate of the step after `step` steps."""
    if recipe.schedule == "constant":
        return recipe.learning_rate
    peak = math.ceil(recipe.steps / 4)
    rising, falling = (step + 1) / peak, (recipe.steps - step) / (recipe.steps - peak + 1)
    return recipe.learning_rate * min(rising, falling, 1.0)


def batches(examples: list[TrainingExample], recipe: Recipe) -> Iterator[list[TrainingExample]]:
    """Endless mini-batches; every pass over the examples is shuffled anew."""
    shuffler = random.Random(recipe.seed)
    order = list(examples)
    while True:
        if len(order) > recipe.batch_size:
            shuffler.shuffle(order)
        for start in range(0, len(order), recipe.batch_size):
            yield order[start : start + recipe.batch_size]
