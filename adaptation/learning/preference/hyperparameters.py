"""The hyperparameters of OpenAI's two methods: as given, and as they are trained with."""

from __future__ import annotations

import math
from typing import Annotated, Literal, TypeAlias, TypeVar

from pydantic import Field

from memory.types import Given

N = TypeVar("N", int, float)
Auto: TypeAlias = Literal["auto"]
Effort: TypeAlias = Literal["default", "low", "medium", "high"]
Beta: TypeAlias = Annotated[float, Field(strict=True, gt=0, le=2)]
Epochs: TypeAlias = Annotated[int, Field(strict=True, ge=1, le=50)]
BatchSize: TypeAlias = Annotated[int, Field(strict=True, ge=1, le=256)]
Multiplier: TypeAlias = Annotated[float, Field(strict=True, gt=0, le=100)]
Compute: TypeAlias = Annotated[float, Field(strict=True, gt=0, le=8)]
Interval: TypeAlias = Annotated[int, Field(strict=True, ge=1, le=1_000_000)]
Samples: TypeAlias = Annotated[int, Field(strict=True, ge=1, le=64)]


class DpoHyperparameters(Given):
    """How DPO trains (Rafailov et al. 2023, arXiv 2305.18290)."""

    beta: Beta | Auto = "auto"
    """How dearly the policy pays for leaving the reference."""
    n_epochs: Epochs | Auto = "auto"
    batch_size: BatchSize | Auto = "auto"
    """Pairs a step."""
    learning_rate_multiplier: Multiplier | Auto = "auto"

    def resolved(self, examples: int) -> DpoHyperparameters:
        """Return numbers for what is left to us, by how many pairs there are."""
        batch_size = _or(self.batch_size, 8 if examples >= 64 else 4)
        return DpoHyperparameters(
            beta=_or(self.beta, 0.1),
            n_epochs=_or(self.n_epochs, _epochs(examples, batch_size, steps=24)),
            batch_size=min(batch_size, examples),
            learning_rate_multiplier=_or(self.learning_rate_multiplier, 1.0),
        )


class ReinforcementHyperparameters(Given):
    """How GRPO trains (Shao et al. 2024, arXiv 2402.03300)."""

    n_epochs: Epochs | Auto = "auto"
    batch_size: BatchSize | Auto = "auto"
    """Prompts a step; each is answered `generations` times."""
    learning_rate_multiplier: Multiplier | Auto = "auto"
    compute_multiplier: Compute | Auto = "auto"
    """How many answers are drawn for a prompt: 8 times this."""
    eval_interval: Interval | Auto = "auto"
    """Steps from one look at the validation file to the next."""
    eval_samples: Samples | Auto = "auto"
    """Answers drawn for every prompt of the validation file."""
    reasoning_effort: Effort = "default"

    def resolved(self, examples: int) -> ReinforcementHyperparameters:
        """Return numbers for what is left to us, by how many prompts there are."""
        batch_size = min(_or(self.batch_size, 8), examples)
        n_epochs = _or(self.n_epochs, _epochs(examples, batch_size, steps=48))
        steps = n_epochs * (examples // batch_size)
        return ReinforcementHyperparameters(
            n_epochs=n_epochs,
            batch_size=batch_size,
            learning_rate_multiplier=_or(self.learning_rate_multiplier, 1.0),
            compute_multiplier=_or(self.compute_multiplier, 1.0),
            eval_interval=_or(self.eval_interval, max(1, steps // 5)),
            eval_samples=_or(self.eval_samples, 1),
            reasoning_effort=self.reasoning_effort,
        )

    @property
    def generations(self) -> int:
        """Answers to one prompt; a lone one has nothing to be compared with."""
        return max(2, round(8 * _or(self.compute_multiplier, 1.0)))


def _or(given: N | Auto, ours: N) -> N:
    return ours if isinstance(given, str) else given


def _epochs(examples: int, batch_size: int, steps: int) -> int:
    """Return how often to go through the examples for so many steps: 1 to 10 times."""
    return min(10, max(1, math.ceil(steps * batch_size / examples)))
