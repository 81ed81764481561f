"""The base that TRL trains around, what both methods' runs share, and the adapter they write."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model_state_dict
from safetensors.torch import save_file
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from adaptation.learning.preference.messages import Checkpoint, Measured, Order, Reply
from adaptation.learning.service.adapter_io import PREFIX
from adaptation.learning.service.base import multiplies_bf16
from adaptation.learning.training.adapter_files import (
    WEIGHTS,
    read_config,
    scaling,
    write_config,
)
from adaptation.learning.training.chat import Chat

CHECKPOINTED = 1_000_000_000
"""Parameters from which activations are computed twice instead of kept."""
STATES, ADAPTERS = "states", "adapters"
"""Folders: of what a run goes on from, and of what it has made."""


@dataclass(frozen=True)
class Loaded:
    """A base and its tokenizer."""

    model: Any
    chat: Chat
    parameters: int

    @classmethod
    def of(cls, order: Order) -> Loaded:
        """Read the base onto the device, in the precision that serving's trainer has there."""
        device = order.device.partition(":")[0]  # no other one is to be seen, see `worker`
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        dtype = torch.bfloat16 if multiplies_bf16(torch.device(device)) else torch.float32
        model = AutoModelForCausalLM.from_pretrained(order.model, dtype=dtype).to(device)
        tokenizer = AutoTokenizer.from_pretrained(order.model)
        parameters = sum(p.numel() for p in model.parameters())
        return cls(model, Chat(tokenizer, order.template), parameters)


def policy(order: Order, base: Loaded) -> dict[str, Any]:
    """Return what TRL is given to train: a new LoRA, or the parent with itself as the reference."""
    if order.parent is None:
        return {"model": base.model, "peft_config": lora(order.rank)}
    if scaling(read_config(order.parent)) != 1:
        raise ValueError(f"{order.parent} is scaled: it cannot be trained further here")
    return {"model": PeftModel.from_pretrained(base.model, order.parent, is_trainable=True)}


def lora(rank: int) -> LoraConfig:
    """Return a LoRA on every linear layer but the head: what serving and our trainer take."""
    return LoraConfig(
        r=rank,
        lora_alpha=rank,
        lora_dropout=0.0,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )


def arguments(order: Order, base: Loaded, learning_rate: float, n_epochs: int) -> dict[str, Any]:
    """Return those of TRL's arguments that no method decides; nothing is told to anybody."""
    return {
        "output_dir": str(order.folder / STATES),
        "seed": order.seed,
        "data_seed": order.seed,
        "use_cpu": base.model.device.type == "cpu",
        "bf16": False,  # the base is in its own precision already, the adapter in float32
        "learning_rate": learning_rate,
        "num_train_epochs": n_epochs,
        "lr_scheduler_type": "linear",
        "warmup_steps": 0.1,
        "max_grad_norm": 1.0,
        "gradient_checkpointing": base.parameters >= CHECKPOINTED,
        "logging_steps": 1,
        "save_strategy": "epoch",
        "save_total_limit": 2,
        "eval_on_start": bool(order.held_out) and newest_state(order.folder) is None,
        "report_to": "none",
        "disable_tqdm": True,
        "dataloader_pin_memory": False,
    }


def newest_state(folder: Path) -> str | None:
    """Return the folder of the last whole checkpoint: its state is written last."""
    found = [path.parent for path in (folder / STATES).glob("checkpoint-*/trainer_state.json")]
    newest = max(found, key=lambda path: int(path.name.rpartition("-")[2]), default=None)
    return str(newest) if newest else None


def checkpoints(folder: Path) -> tuple[Checkpoint, ...]:
    """Return the adapters of a run, those of before a kill included, oldest first."""
    found = {int(path.name): path for path in (folder / ADAPTERS).glob("[0-9]*")}
    return tuple(Checkpoint(step=step, folder=found[step]) for step in sorted(found))


def write_adapter(model: Any, order: Order, folder: Path) -> None:
    """Write PEFT files as our trainer does; the folder appears complete, or not at all.

    One that is there is from before a kill: going on from there makes the same again.
    """
    if folder.exists():
        return
    dtype = model.base_model.model.dtype
    tensors = {
        name: tensor.detach().to("cpu", dtype, copy=True).contiguous()
        for name, tensor in get_peft_model_state_dict(model, adapter_name="default").items()
    }
    beside = folder.with_name(f".{folder.name}")
    beside.mkdir(parents=True, exist_ok=True)
    modules = {name.removeprefix(PREFIX).partition(".lora_")[0] for name in tensors}
    rank = model.peft_config["default"].r
    write_config(beside, rank=rank, base_model=order.model, modules=modules)
    save_file(tensors, beside / WEIGHTS, metadata={"format": "pt"})
    beside.rename(folder)


class Telling(TrainerCallback):  # type: ignore[misc]
    """Says what was measured, and writes an adapter after every epoch.

    Before TRL writes its own state: a run that goes on from that state finds the adapter.
    """

    def __init__(self, order: Order, say: Callable[[Reply], None]) -> None:
        self._order, self._say = order, say

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any],
        **rest: Any,
    ) -> None:
        """Pass on the figures that are numbers, without the summary of the run's times."""
        if "train_runtime" not in logs:
            figures = {k: float(v) for k, v in logs.items() if _is_figure(v)}
            total = max(state.max_steps, state.global_step)
            self._say(Measured(step=state.global_step, total=total, figures=figures))

    def on_epoch_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        model: Any,
        **rest: Any,
    ) -> None:
        """Write the adapter."""
        folder = self._order.folder / ADAPTERS / str(state.global_step)
        write_adapter(model, self._order, folder)
        self._say(Checkpoint(step=state.global_step, folder=folder))


def _is_figure(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
