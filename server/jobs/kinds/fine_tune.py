"""Fine-tuning on a client's files, by one of OpenAI's methods."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from adaptation.learning.training.chat import Template
from adaptation.learning.training.process import ProcessTrainer
from server.finetuning.forms import FineTuneRequest
from server.finetuning.job import FineTuningJob
from server.finetuning.judged import Preferences, Rewards
from server.finetuning.supervised import Supervised
from server.jobs.work import Stopped, Work

METHODS: Mapping[str, type[FineTuningJob[Any]]] = {
    "supervised": Supervised,
    "dpo": Preferences,
    "reinforcement": Rewards,
}


async def run(work: Work) -> dict[str, Any]:
    """Fine-tune, and return what came of it: the model's name, checkpoints, figures."""
    asked = FineTuneRequest.model_validate(work.job.request)
    trainer = make_trainer(asked, work.settings.trainer_device)
    job = METHODS[asked.method](work, asked, trainer)
    try:
        return await job.run()
    except (asyncio.CancelledError, Stopped):
        await job.withdraw()
        raise
    finally:
        await trainer.close()


def make_trainer(asked: FineTuneRequest, device: str) -> ProcessTrainer:
    """Return the trainer process for the model; it starts when it is first needed."""
    template = Template.model_validate(asked.template)
    return ProcessTrainer(asked.folder, template=template, device=device)
