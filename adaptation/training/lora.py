"""The training loop: a few AdamW steps on a LoRA, judged on held-out conversations.

Flat on purpose. Reads a `TrainingJob`, leaves PEFT files and returns a `TrainingResult`; knows
nothing of processes, requests or where the conversations came from.
"""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from peft.helpers import disable_input_dtype_casting
from torch.nn.functional import cross_entropy

from adaptation.errors import TrainerError
from adaptation.training.chat import check_served
from adaptation.training.resident import Resident, multiplies_bf16
from adaptation.training.sequences import Batch, TrainingExample, collate, to_example
from adaptation.training.trainer import Recipe, TrainingJob, TrainingResult

MAX_TOKENS_PER_PASS = 16_384
"""Padded tokens in one forward pass; larger batches accumulate gradients."""
HOLDOUT_CHECKS = 4
"""Looks at the held-out loss during a job. Looking after every step ended jobs in the bump of the
first steps (22 % of whet-pebble's questions right instead of 50 %)."""
TOLERANCE_NATS = 0.03
"""A held-out loss this little above the lowest is no harm: of a few conversations it is noise, and
answers go on improving after the loss has stopped to fall (whet-pebble, README of its weights)."""
PATIENCE = 2
"""Looks in a row without a new best held-out loss that end the job."""

OnStep = Callable[[int, int, float], None]
"""(steps done, steps at most, training loss)"""


@dataclass(frozen=True)
class Control:
    """What may end a job early from outside."""

    cancelled: threading.Event = field(default_factory=threading.Event)
    soft_s: float = math.inf
    """No step is begun that would probably end, and be looked at, later than this into the job."""
    on_step: OnStep = lambda done, total, loss: None

    def check(self) -> None:
        """Raise `TrainerError` once the job is cancelled."""
        if self.cancelled.is_set():
            raise TrainerError("the job was cancelled")


@dataclass
class Course:
    """How a descent went."""

    losses: list[float] = field(default_factory=list)
    steps: int = 0
    tokens: int = 0


def run_job(resident: Resident, job: TrainingJob, control: Control) -> TrainingResult:
    """Train a LoRA on `job` and write it; raises `TrainerError` when that fails."""
    started = time.perf_counter()
    recipe = job.recipe
    # 1. Tokens, in the template they will be served in.
    if job.served is not None:
        check_served(resident.chat, job.served)
    training = [to_example(resident.chat, c, recipe.max_tokens) for c in job.conversations]
    holdout = [to_example(resident.chat, c, recipe.max_tokens, last_only=True) for c in job.holdout]
    # 2. The adapter to start from.
    if job.parent is None:
        resident.reset(recipe.rank, recipe.seed)
    else:
        resident.start_from(job.parent, recipe.rank, recipe.seed)
    # 3. The descent, watched by the held-out conversations.
    watch = Watch(resident, holdout, every=math.ceil(recipe.steps / HOLDOUT_CHECKS))
    course = descend(resident, training, recipe, watch, control, started)
    # 4. The files. Whoever gave the job up deletes its folder.
    control.check()
    resident.save(job.output_dir)
    return TrainingResult(
        path=job.output_dir,
        rank=resident.rank,
        steps=course.steps,
        losses=tuple(course.losses),
        holdout_before=watch.before,
        holdout_after=watch.best,
        tokens=course.tokens,
        flops=4.0 * resident.n_parameters * course.tokens,
        seconds=time.perf_counter() - started,
    )


class Watch:
    """Looks at the held-out loss now and then, and remembers the last weights that did no harm."""

    def __init__(self, resident: Resident, holdout: list[TrainingExample], every: int) -> None:
        self._resident, self._holdout, self._every = resident, holdout, every
        began = time.perf_counter()
        self.before = self.best = holdout_losses(resident, holdout)
        self.look_s = time.perf_counter() - began
        """What a look takes; the first one warms up as well."""
        self._looked_at = 0
        self._lowest = sum(self.best) / max(1, len(self.best))
        self.best_step = 0
        self._weights = resident.snapshot() if holdout else []
        self._worse = 0

    def rises(self, step: int) -> bool:
        """Look at the held-out loss where it is time after `step`; true when it no longer falls."""
        if step % self._every == 0:
            self.look(step)
        return self._worse >= PATIENCE

    def look(self, step: int) -> None:
        """Look at the held-out loss after `step`, where that has not been done."""
        if not self._holdout or self._looked_at == step:
            return
        self._looked_at, began = step, time.perf_counter()
        losses = holdout_losses(self._resident, self._holdout)
        mean = sum(losses) / len(losses)
        if mean <= self._lowest + TOLERANCE_NATS:
            self.best, self.best_step, self._worse = losses, step, 0
            self._weights = self._resident.snapshot()
        else:
            self._worse += 1
        self._lowest = min(self._lowest, mean)
        self.look_s = time.perf_counter() - began

    def conclude(self, course: Course) -> None:
        """Return to the last weights whose held-out loss was near the lowest: perhaps the last.

        Whatever ended the descent, its end is looked at: no step is thrown away unseen.
        """
        self.look(course.steps)
        if self._holdout and self.best_step < course.steps:
            self._resident.restore(self._weights)
            course.steps = self.best_step
            del course.losses[self.best_step + 1 :]


def descend(
    resident: Resident,
    examples: list[TrainingExample],
    recipe: Recipe,
    watch: Watch,
    control: Control,
    started: float,
) -> Course:
    """Take up to `recipe.steps` AdamW steps."""
    optimiser = torch.optim.AdamW(
        resident.parameters, lr=recipe.learning_rate, weight_decay=0.0, fused=True
    )
    course, rising, step_s = Course(), False, 0.0
    for group in batches(examples, recipe):
        control.check()
        began = time.perf_counter()
        late = began + step_s + watch.look_s > started + control.soft_s
        ended = rising or late or course.steps == recipe.steps
        loss = mean_loss(resident, group) if ended else backward(resident, group)
        course.losses.append(loss)
        if ended or loss < recipe.min_loss:
            break
        for parameters in optimiser.param_groups:
            parameters["lr"] = learning_rate(recipe, course.steps)
        torch.nn.utils.clip_grad_norm_(resident.parameters, recipe.clip_norm)
        optimiser.step()
        optimiser.zero_grad()
        course.steps += 1
        course.tokens += sum(len(example.token_ids) for example in group)
        control.on_step(course.steps, recipe.steps, loss)
        step_s = time.perf_counter() - began
        rising = watch.rises(course.steps)
    optimiser.zero_grad()
    watch.conclude(course)
    return course


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


def backward(resident: Resident, group: list[TrainingExample]) -> float:
    """Accumulate the gradient of the mean loss over all target tokens of `group`."""
    n_targets = max(1, sum(sum(example.loss_mask[1:]) for example in group))
    total = 0.0
    for batch in passes(resident, group):
        loss = token_losses(resident, batch).sum() / n_targets
        torch.autograd.backward(loss)
        total += loss.item()
    return _finite(total)


def mean_loss(resident: Resident, group: list[TrainingExample]) -> float:
    """The mean loss over all target tokens of `group`, without a gradient."""
    with torch.no_grad():
        losses = torch.cat([token_losses(resident, batch) for batch in passes(resident, group)])
    return _finite(losses.mean().item())


def holdout_losses(resident: Resident, examples: list[TrainingExample]) -> tuple[float, ...]:
    """Mean loss over the target tokens, for each example."""
    means: list[float] = []
    with torch.no_grad():
        for batch in passes(resident, examples):
            by_example = batch.targets[:, 1:].sum(1).tolist()  # (B,)
            losses = torch.split(token_losses(resident, batch), by_example)
            means += [_finite(loss.mean().item()) if len(loss) else 0.0 for loss in losses]
    return tuple(means)


def passes(resident: Resident, group: Sequence[TrainingExample]) -> Iterator[Batch]:
    """`group` in order, in batches small enough for one forward pass."""
    waiting: list[TrainingExample] = []
    longest = 0
    for example in group:
        longest = max(longest, len(example.token_ids))
        if waiting and longest * (len(waiting) + 1) > MAX_TOKENS_PER_PASS:
            yield _collate(resident, waiting)
            waiting, longest = [], len(example.token_ids)
        waiting.append(example)
    if waiting:
        yield _collate(resident, waiting)


def token_losses(resident: Resident, batch: Batch) -> torch.Tensor:
    """Loss of every target token, in nats: (targets,), row by row."""
    predicts = batch.targets[:, 1:]  # (B, T-1): position t predicts token t+1
    columns = predicts.any(0).nonzero().flatten()  # logits of other positions are never made
    with _mixed_precision(resident):
        output = resident.model(
            input_ids=batch.token_ids, attention_mask=batch.attention, logits_to_keep=columns
        )
    wanted = predicts[:, columns]
    logits = output.logits[wanted].float()  # (targets, V)
    return cross_entropy(logits, batch.token_ids[:, 1:][:, columns][wanted], reduction="none")


@contextmanager
def _mixed_precision(resident: Resident) -> Iterator[None]:
    """Activations in bf16 where the hardware multiplies it; LoRA, its gradient, losses in float32.

    PEFT would first cast the input of every LoRA to float32, only for autocast to cast it back: an
    eighth of whet-pebble's jobs.
    """
    fast = multiplies_bf16(resident.device)
    autocast = torch.autocast(resident.device.type, torch.bfloat16, enabled=fast)
    with autocast, disable_input_dtype_casting(resident.model):
        yield


def _collate(resident: Resident, group: list[TrainingExample]) -> Batch:
    tokenizer = resident.chat.tokenizer
    pad_id = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0
    return collate(group, pad_id, resident.device)


def _finite(loss: float) -> float:
    if not math.isfinite(loss):
        raise TrainerError(f"training diverged: the loss is {loss}")
    return loss
