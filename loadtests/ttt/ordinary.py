"""The ordinary way: Transformers, PEFT, a padded batch and AdamW, one job after the other.

`python ordinary.py MODEL THREADS` reads what `of_trainer` reads; a line `"peak"` has it measure a
plain bf16 matmul instead.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from torch.nn.utils.rnn import pad_sequence
from transformers import AutoModelForCausalLM, AutoTokenizer

from adaptation.learning.training.chat import Chat
from adaptation.learning.training.sequences import TrainingExample, to_example
from adaptation.learning.training.trainer import TrainingJob

SIZES = (1024, 2048)
PEAK_S = 1.0
"""Of every size of matrix."""


class Loop:
    """A model, wrapped anew for every job."""

    def __init__(self, path: str) -> None:
        self._chat = Chat(AutoTokenizer.from_pretrained(path))
        device = "cuda" if torch.cuda.is_available() else "cpu"
        self._model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.bfloat16).to(device)

    def train(self, job: TrainingJob) -> float:
        """Take the steps of one job; return the last loss."""
        recipe, loss = job.recipe, torch.zeros(())
        rows = [to_example(self._chat, each, recipe.max_tokens) for each in job.conversations]
        config = LoraConfig(
            r=recipe.rank,
            lora_alpha=recipe.rank,
            target_modules="all-linear",
            task_type="CAUSAL_LM",
        )
        model = get_peft_model(self._model, config)
        weights = [weight for weight in model.parameters() if weight.requires_grad]
        optimiser = torch.optim.AdamW(weights, lr=recipe.learning_rate, weight_decay=0.0)
        batch = _batch(rows[: recipe.batch_size], self._model.device)
        for _ in range(recipe.steps):
            loss = model(**batch).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(weights, recipe.clip_norm)
            optimiser.step()
            optimiser.zero_grad()
        self._model = model.unload()
        return loss.item()


def _batch(rows: Sequence[TrainingExample], device: torch.device) -> dict[str, torch.Tensor]:
    ids = [torch.tensor(row.token_ids) for row in rows]
    labels = [
        torch.where(torch.tensor(row.loss_mask), one, -100)
        for row, one in zip(rows, ids, strict=True)
    ]
    seen = [torch.ones_like(one) for one in ids]
    parts = {"input_ids": (ids, 0), "labels": (labels, -100), "attention_mask": (seen, 0)}
    return {
        name: pad_sequence(part, batch_first=True, padding_value=fill).to(device)
        for name, (part, fill) in parts.items()
    }


def peak() -> float:
    """Return the FLOP of a bf16 matmul per second of a CPU core, or of a GPU; of the best size."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    best = 0.0
    for n in SIZES:
        a, b = (torch.randn(n, n, dtype=torch.bfloat16, device=device) for _ in range(2))
        began, cpu, count = time.perf_counter(), time.process_time(), 0
        while time.perf_counter() - began < PEAK_S:
            _ = a @ b
            count += 1
        if device == "cuda":
            torch.cuda.synchronize()
        took = time.perf_counter() - began if device == "cuda" else time.process_time() - cpu
        best = max(best, 2 * n**3 * count / took)
    return best


def _answer(loop: Loop, request: Any) -> dict[str, Any]:
    if request == "peak":
        return {"peak": peak()}
    jobs = [TrainingJob.model_validate(job) for job in request]
    cpu, began = time.process_time(), time.perf_counter()
    losses = [loop.train(job) for job in jobs]
    return {
        "wall_s": time.perf_counter() - began,
        "cpu_s": time.process_time() - cpu,
        "last_losses": losses,
    }


def main(model: str, threads: int) -> None:
    """Answer until stdin ends."""
    torch.set_num_threads(threads)
    loop = Loop(model)
    print(json.dumps({"parameters": loop._model.num_parameters()}), flush=True)
    for line in sys.stdin:
        print(json.dumps(_answer(loop, json.loads(line))), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
