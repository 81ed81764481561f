"""Supervised fine-tuning: examples are learned as they are, by our own trainer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from adaptation.conversation import Conversation
from adaptation.learning.finetuning.plan import Hyperparameters, planned
from adaptation.learning.finetuning.tuning import Checkpoint, FineTuning
from server.finetuning.examples import read_conversations
from server.finetuning.job import FineTuningJob

MOST_TOKENS = 2_048
"""Most tokens of an example; a longer one loses its oldest turns. A shorter context wins."""

Examples = tuple[Conversation, ...]


class Supervised(FineTuningJob[Examples]):
    """An epoch after the other, each from the checkpoint before."""

    def read(self, line: dict[str, Any]) -> Examples:
        """Return the conversations of a line."""
        return read_conversations(line)

    def rendered(self, example: Examples) -> Examples:
        """Return what is learned, which is rendered whole."""
        return example

    async def learn(
        self, training: Sequence[Examples], validation: Sequence[Examples], parent: str | None
    ) -> tuple[Checkpoint, Path]:
        """Train what is left of it."""
        asked = self.asked.hyperparameters
        assert isinstance(asked, Hyperparameters)
        learned = [conversation for example in training for conversation in example]
        limit = min(MOST_TOKENS, self.asked.max_model_len)
        plan = planned(asked, self.trainer.parameters, len(learned), self.asked.seed, limit)
        self.chosen(
            Hyperparameters(
                n_epochs=plan.n_epochs,
                batch_size=plan.batch_size,
                learning_rate_multiplier=plan.learning_rate_multiplier,
            )
        )

        def on_step(done: int, loss: float | None) -> None:
            self.told(done, plan.steps, {} if loss is None else {"train_loss": loss})

        tuning = FineTuning(
            trainer=self.trainer,
            training=learned,
            validation=[conversation for example in validation for conversation in example],
            plan=plan,
            folder=self.work.folder,
            parent=parent,
            on_step=on_step,
            on_checkpoint=self.checkpoint,
        )
        return await tuning.run()
