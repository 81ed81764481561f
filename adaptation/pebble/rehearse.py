"""Rehearse test-time training during pre-training, so that the model is easy to adapt.

First-order MAML (Finn et al., 2017) with LoRA as the inner learner. For a few unseen-so-far worlds:

1. inner: fit one fresh LoRA per world to its solved neighbours, the base frozen;
2. outer: with those LoRAs in place, take the loss on *other* questions of the same worlds, and let
   its gradient update the base alone.

The base so learns weights from which a handful of low-rank steps generalise. All worlds of a step
are adapted at once: the LoRAs are stacked along a leading world dimension, their summed loss gives
each its own gradient, and AdamW is elementwise.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from random import Random

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import Qwen3ForCausalLM

from adaptation.pebble.curriculum import classrooms
from adaptation.pebble.encoding import Encoder, Rows, conversation_of, padded_rows
from adaptation.pebble.losses import rows_loss
from adaptation.pebble.recipe import Recipe

Hook = Callable[[nn.Module, tuple[Tensor, ...], Tensor], Tensor]


class StackedLora:
    """One LoRA per world on every linear layer but the output; rows of a world lie together.

    ``y += x @ A @ B`` with A (W, in, r) and B (W, r, out), x seen as (W, rows * T, in).
    """

    def __init__(self, model: Qwen3ForCausalLM, worlds: int, rank: int) -> None:
        self._linears = [m for m in model.model.modules() if isinstance(m, nn.Linear)]
        self._down = [_random_down(m, worlds, rank) for m in self._linears]
        self._up = [
            torch.zeros(worlds, rank, m.out_features, device=m.weight.device) for m in self._linears
        ]

    @property
    def weights(self) -> list[Tensor]:
        """All leaf tensors, stacked over worlds."""
        return [*self._down, *self._up]

    @contextmanager
    def attached(self) -> Iterator[None]:
        """The model computes with the LoRAs while this is open."""
        handles = [
            linear.register_forward_hook(_added(down, up))
            for linear, down, up in zip(self._linears, self._down, self._up, strict=True)
        ]
        yield
        for handle in handles:
            handle.remove()


def _random_down(linear: nn.Linear, worlds: int, rank: int) -> Tensor:
    """Kaiming-uniform as peft draws it: within 1 / sqrt(in)."""
    bound = linear.in_features**-0.5
    shape = worlds, linear.in_features, rank
    return torch.empty(shape, device=linear.weight.device).uniform_(-bound, bound)


def _added(down: Tensor, up: Tensor) -> Hook:
    """A forward hook that adds the low-rank product to a linear layer's output."""

    def hook(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        x = inputs[0]
        stacked = x.reshape(down.shape[0], -1, x.shape[-1])  # (W, rows * T, in)
        return output + (stacked @ down @ up).view_as(output)

    return hook


@dataclass(frozen=True)
class Lesson:
    """Some worlds' neighbours and further questions; rows of one world lie together."""

    worlds: int
    neighbours: Rows
    questions: Rows
    steps: int
    rate: float


class Lessons:
    """Lessons without end, all from one seed."""

    def __init__(self, tokenizer: Tokenizer, recipe: Recipe, seed: str) -> None:
        self._encoder = Encoder(tokenizer)
        self._settings = recipe.rehearsal
        self._rng = Random(f"rehearsal {seed}")
        self._classrooms = classrooms(self._rng, recipe.mixture)

    def next(self) -> Lesson:
        """Fresh worlds; neighbours, steps and rate vary, so that no one choice is learned."""
        rng, settings = self._rng, self._settings
        shown = rng.choice(settings.neighbours)
        neighbours, questions = [], []
        for classroom in islice(self._classrooms, settings.worlds):
            tasks = classroom.solved(shown + settings.questions, rng)
            documents = [self._encoder.document(conversation_of([task])) for task in tasks]
            neighbours += documents[:shown]
            questions += documents[shown:]
        return Lesson(
            settings.worlds,
            padded_rows(neighbours),
            padded_rows(questions),
            rng.randint(settings.fewest_steps, settings.steps),
            _between(settings.slowest_rate, settings.fastest_rate, rng),
        )


def _between(low: float, high: float, rng: Random) -> float:
    """Log-uniform."""
    return float(low * (high / low) ** rng.random())


def rehearse(model: Qwen3ForCausalLM, lesson: Lesson, rank: int) -> Tensor:
    """Adapt to the lesson's worlds; the loss on their other questions, ready for backward."""
    lora = StackedLora(model, lesson.worlds, rank)
    with lora.attached():
        _fit(model, lora, lesson)
        return rows_loss(model, lesson.questions)


def _fit(model: Qwen3ForCausalLM, lora: StackedLora, lesson: Lesson) -> None:
    """The inner loop: only the LoRAs learn."""
    optimizer = torch.optim.AdamW(lora.weights, lr=lesson.rate, weight_decay=0.0)
    _only(lora.weights, model)
    for _ in range(lesson.steps):
        loss = lesson.worlds * rows_loss(model, lesson.neighbours)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad()
    _only(list(model.parameters()), *lora.weights)


def _only(learning: list[Tensor], *frozen: Tensor | nn.Module) -> None:
    """Gradients for the first, none for the rest."""
    for each in frozen:
        each.requires_grad_(False)
    for weight in learning:
        weight.requires_grad_(True)
