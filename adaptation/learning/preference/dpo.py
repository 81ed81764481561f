"""Direct preference optimisation by TRL (Rafailov et al. 2023, arXiv 2305.18290).

L = −log σ(β · [log π(y⁺|x)/π₀(y⁺|x) − log π(y⁻|x)/π₀(y⁻|x)]), with the base as the reference π₀.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from datasets import Dataset
from trl import DPOConfig, DPOTrainer

from adaptation.learning.preference.base import (
    Loaded,
    Telling,
    arguments,
    checkpoints,
    newest_state,
    policy,
)
from adaptation.learning.preference.messages import PreferenceOrder, Reply, Trained
from adaptation.learning.preference.rates import dpo_rate
from adaptation.learning.preference.tokens import pair_rows

AT_ONCE = 8
"""Pairs in one pass, at most; a larger batch takes several."""


class TokenisedDpoTrainer(DPOTrainer):  # type: ignore[misc]
    """Takes pairs that are tokens already."""

    def _prepare_dataset(self, dataset: Dataset, *rest: Any) -> Dataset:
        return dataset


def train(order: PreferenceOrder, say: Callable[[Reply], None]) -> Trained:
    """Learn the preferences; raises `ValueError` for examples that cannot be learned."""
    base = Loaded.of(order)
    rows = pair_rows(base.chat, order.pairs, order.most_tokens)
    held_out = pair_rows(base.chat, order.held_out, order.most_tokens)
    asked = order.hyperparameters.resolved(len(rows))
    rate = dpo_rate(base.parameters) * float(asked.learning_rate_multiplier)
    trainer = TokenisedDpoTrainer(
        **policy(order, base),
        processing_class=base.chat.tokenizer,
        args=_config(order, base, asked, rate),
        train_dataset=Dataset.from_list(rows),
        eval_dataset=Dataset.from_list(held_out) if held_out else None,
        callbacks=[Telling(order, say)],
    )
    trainer.train(resume_from_checkpoint=newest_state(order.folder))
    made = checkpoints(order.folder)
    return Trained(
        folder=made[-1].folder,
        steps=trainer.state.global_step,
        tokens=int(asked.n_epochs) * sum(map(_tokens, rows)),
        parameters=base.parameters,
        hyperparameters=asked,
        learning_rate=rate,
        checkpoints=made,
    )


def _config(order: PreferenceOrder, base: Loaded, asked: Any, rate: float) -> DPOConfig:
    at_once = math.gcd(asked.batch_size, AT_ONCE)
    return DPOConfig(
        **arguments(order, base, rate, asked.n_epochs),
        beta=asked.beta,
        max_length=None,
        per_device_train_batch_size=at_once,
        per_device_eval_batch_size=AT_ONCE,
        gradient_accumulation_steps=asked.batch_size // at_once,
        eval_strategy="epoch" if order.held_out else "no",
    )


def _tokens(row: dict[str, list[int]]) -> int:
    """Return how many tokens a pair has in both its sequences."""
    return 2 * len(row["prompt_ids"]) + len(row["chosen_ids"]) + len(row["rejected_ids"])
