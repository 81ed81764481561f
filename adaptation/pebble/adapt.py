"""Test-time training in its plainest form: a LoRA fitted to a few solved neighbours.

Here only to measure the model's plasticity with the public peft library; the server has its own
trainer.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import PreTrainedTokenizerFast, Qwen3ForCausalLM

from adaptation.evaluation.suites.solved import Solved
from adaptation.pebble.encoding import Encoder, Rows, conversation_of, padded_rows
from adaptation.pebble.losses import rows_loss


@dataclass(frozen=True)
class Adaptation:
    """The hyper-parameters of one adaptation; alpha equals the rank."""

    steps: int = 8
    rate: float = 3e-3
    rank: int = 8


def single_turns(tokenizer: PreTrainedTokenizerFast, tasks: Sequence[Solved]) -> Rows:
    """Each task as its own conversation, one to a row, padded on the right."""
    encoder = Encoder(tokenizer.backend_tokenizer)
    return padded_rows([encoder.document(conversation_of([task])) for task in tasks])


@contextmanager
def adapted(
    model: Qwen3ForCausalLM, rows: Rows, settings: Adaptation, seed: int = 0
) -> Iterator[tuple[PeftModel, float]]:
    """The model with a LoRA on every linear layer, and the seconds its training took."""
    torch.manual_seed(seed)
    peft = get_peft_model(
        model,
        LoraConfig(r=settings.rank, lora_alpha=settings.rank, target_modules="all-linear"),
    )
    began = time.perf_counter()
    _fit(peft, rows, settings)
    yield peft, time.perf_counter() - began
    peft.unload()


def _fit(peft: PeftModel, rows: Rows, settings: Adaptation) -> None:
    """A few full-batch AdamW steps."""
    weights = [p for p in peft.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=settings.rate, weight_decay=0.0)
    for _ in range(settings.steps):
        rows_loss(peft.get_base_model(), rows).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        optimizer.zero_grad()
