"""Reinforcement by TRL: group-relative policy optimisation (Shao et al. 2024, arXiv 2402.03300).

Each prompt is answered G times; an answer's advantage is its grade less the group's mean, over the
group's deviation. The policy pays `KL_WEIGHT` for each nat between it and the base.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from datasets import Dataset
from trl import GRPOConfig, GRPOTrainer

from adaptation.learning.preference.base import (
    Loaded,
    Telling,
    arguments,
    checkpoints,
    newest_state,
    policy,
)
from adaptation.learning.preference.messages import (
    Answered,
    ReinforcementOrder,
    Reply,
    Trained,
)
from adaptation.learning.preference.rates import reinforcement_rate
from adaptation.learning.preference.tokens import prompt_rows

KL_WEIGHT = 0.02

Ask: TypeAlias = Callable[[Answered], Sequence[float]]
"""Has the parent grade answers."""


class RenderedGrpoTrainer(GRPOTrainer):  # type: ignore[misc]
    """Takes prompts that are rendered already, with whatever begins a text."""

    def _tokenize_prompts(self, prompts: list[str]) -> tuple[list[list[int]], None, dict[str, Any]]:
        encoded = self.processing_class(text=prompts, add_special_tokens=False)
        return encoded["input_ids"], None, {}


def train(order: ReinforcementOrder, say: Callable[[Reply], None], ask: Ask) -> Trained:
    """Learn what is rewarded; raises `ValueError` for prompts that cannot be answered."""
    base = Loaded.of(order)
    longest = order.most_tokens - order.answer_tokens
    every = prompt_rows(base.chat, (*order.prompts, *order.held_out), longest)
    rows, held_out = every[: len(order.prompts)], every[len(order.prompts) :]
    asked = order.hyperparameters.resolved(len(rows))
    rate = reinforcement_rate(base.parameters) * float(asked.learning_rate_multiplier)
    trainer = RenderedGrpoTrainer(
        **policy(order, base),
        processing_class=base.chat.tokenizer,
        args=_config(order, base, asked, rate),
        train_dataset=Dataset.from_list(rows),
        eval_dataset=Dataset.from_list(held_out) if held_out else None,
        reward_funcs=grader(ask),
        callbacks=[Telling(order, say)],
    )
    trainer.train(resume_from_checkpoint=newest_state(order.folder))
    made = checkpoints(order.folder)
    return Trained(
        folder=made[-1].folder,
        steps=trainer.state.global_step,
        tokens=int(trainer.state.num_input_tokens_seen),
        parameters=base.parameters,
        hyperparameters=asked,
        learning_rate=rate,
        checkpoints=made,
    )


def grader(ask: Ask) -> Callable[..., Sequence[float]]:
    """Return what TRL takes for a reward: it asks the parent."""

    def reward(completions: list[str], number: list[int], **rest: Any) -> Sequence[float]:
        return ask(Answered(answers=tuple(completions), numbers=tuple(number)))

    return reward


def _config(order: ReinforcementOrder, base: Loaded, asked: Any, rate: float) -> GRPOConfig:
    """One pass holds the answers to one prompt, a step the passes of a batch of prompts."""
    return GRPOConfig(
        **arguments(order, base, rate, asked.n_epochs),
        beta=KL_WEIGHT,
        num_generations=asked.generations,
        num_generations_eval=asked.eval_samples,
        max_completion_length=order.answer_tokens,
        temperature=1.0,
        per_device_train_batch_size=asked.generations,
        gradient_accumulation_steps=asked.batch_size,
        steps_per_generation=asked.batch_size,
        per_device_eval_batch_size=asked.eval_samples * min(8, len(order.held_out) or 1),
        eval_strategy="steps" if order.held_out else "no",
        eval_steps=asked.eval_interval,
    )
