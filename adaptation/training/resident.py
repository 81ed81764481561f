"""The frozen base model, resident in memory, with one LoRA around it that jobs reset and reuse.

Owns the weights; knows nothing of losses, steps or the process it runs in.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from peft import LoraConfig, get_peft_model
from peft.tuners.lora import LoraLayer
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch.nn.functional import pad
from transformers import AutoModelForCausalLM, AutoTokenizer

from adaptation.errors import TrainerError
from adaptation.training.adapter_files import WEIGHTS, read_config, scaling, write_config
from adaptation.training.chat import Chat, Template
from adaptation.training.recipes import SMALL

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_LORA = "whet"
"""PEFT's name of the one LoRA; never leaves this process."""
_MAX_RANK = 512


class Resident:
    """A base model that is wrapped once; adapters come and go inside the wrapping."""

    def __init__(self, model: PreTrainedModel, chat: Chat, path: str) -> None:
        self.chat = chat
        self.path = path
        self.n_parameters = sum(p.numel() for p in model.parameters())
        self.device: torch.device = model.device
        self.model = get_peft_model(model, _config(1, "all-linear"), adapter_name=_LORA).eval()
        self.rank = 1

    @classmethod
    def load(cls, path: str, template: Template, device: str) -> Resident:
        """Read the model at `path` onto `device` (`auto`: CUDA where there is one)."""
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        dtype = torch.bfloat16 if multiplies_bf16(torch.device(device)) else torch.float32
        model = AutoModelForCausalLM.from_pretrained(path, dtype=dtype).to(device)
        if device == "cpu" and model.num_parameters() <= SMALL:
            # The fused kernel's backward pass takes a quarter of a job on short rows; plain
            # attention makes whet-pebble's jobs 0.72 times as long. Its scores are small here.
            model.set_attn_implementation("eager")
        return cls(model, Chat(AutoTokenizer.from_pretrained(path), template), path)

    @property
    def parameters(self) -> list[torch.nn.Parameter]:
        """The trainable tensors."""
        return [p for p in self.model.parameters() if p.requires_grad]

    def reset(self, rank: int, seed: int) -> None:
        """Start over: A random by `seed`, B = 0, so the model is the base again."""
        if rank != self.rank:
            modules = sorted({name.rpartition(".")[2] for name, _ in self._layers()})
            self.model.delete_adapter(_LORA)
            self.model.add_adapter(_LORA, _config(rank, modules))
            self.model.set_adapter(_LORA)
            self.rank = rank
        torch.manual_seed(seed)
        for _, layer in self._layers():
            layer.reset_lora_parameters(_LORA, True)

    def start_from(self, folder: str, rank: int, seed: int) -> None:
        """Continue the adapter in `folder`; raises `ValueError` where it does not fit.

        A parent of lower rank is widened: its new columns of B are 0, so the function is the
        parent's own; one of higher rank keeps its rank.
        """
        config = read_config(Path(folder))
        if config["r"] > _MAX_RANK:
            raise ValueError(f"{folder} has rank {config['r']}, more than {_MAX_RANK}")
        tensors = _read(Path(folder))
        self.reset(max(rank, config["r"]), seed)
        with torch.no_grad():
            for name, layer in self._layers():
                a, b = layer.lora_A[_LORA].weight, layer.lora_B[_LORA].weight  # (r, d), (o, r)
                parent_a, parent_b = (_take(tensors, f"{name}.lora_{x}.weight") for x in "AB")
                a[: len(parent_a)] = parent_a
                missing = self.rank - parent_b.shape[1]
                b.copy_(pad(parent_b * scaling(config), (0, missing)))
        if tensors:
            raise ValueError(f"{folder} adapts modules that are not trained: {min(tensors)}")

    def save(self, folder: str) -> None:
        """Write the LoRA as PEFT files into an existing folder; every tensor owns its storage."""
        tensors = {
            f"{name}.lora_{x}.weight": getattr(layer, f"lora_{x}")[_LORA].weight
            for name, layer in self._layers()
            for x in "AB"
        }
        owned = {key: t.detach().to("cpu", copy=True).contiguous() for key, t in tensors.items()}
        try:
            write_config(Path(folder), rank=self.rank, base_model=self.path, modules=self._names())
            save_file(owned, Path(folder) / WEIGHTS, metadata={"format": "pt"})
        except (OSError, SafetensorError) as error:
            raise TrainerError(f"the adapter cannot be written: {error}") from error

    def snapshot(self) -> list[torch.Tensor]:
        """A copy of the trainable tensors."""
        return [parameter.detach().clone() for parameter in self.parameters]

    def restore(self, snapshot: list[torch.Tensor]) -> None:
        """Set the trainable tensors to what `snapshot` returned."""
        with torch.no_grad():
            for parameter, kept in zip(self.parameters, snapshot, strict=True):
                parameter.copy_(kept)

    @contextmanager
    def under(self, adapter: str | None) -> Iterator[None]:
        """The model under the adapter in a folder, or the bare base."""
        if adapter is None:
            with self.model.disable_adapter():
                yield
        else:
            self.start_from(adapter, 1, 0)
            yield

    def _layers(self) -> Iterator[tuple[str, LoraLayer]]:
        modules = self.model.named_modules()
        return ((name, module) for name, module in modules if isinstance(module, LoraLayer))

    def _names(self) -> list[str]:
        return [name for name, _ in self._layers()]


def multiplies_bf16(device: torch.device) -> bool:
    """Whether the hardware does: four times as fast as float32 on a CPU that has it."""
    return device.type == "cuda" or bool(torch.cpu.get_capabilities().get("avx512_bf16"))


def _config(rank: int, modules: str | list[str]) -> LoraConfig:
    return LoraConfig(
        r=rank,
        lora_alpha=rank,
        lora_dropout=0.0,
        bias="none",
        target_modules=modules,
        task_type="CAUSAL_LM",
    )


def _read(folder: Path) -> dict[str, torch.Tensor]:
    try:
        return dict(load_file(folder / WEIGHTS))
    except (OSError, SafetensorError) as error:
        raise ValueError(f"{folder / WEIGHTS} cannot be read: {error}") from error


def _take(tensors: dict[str, torch.Tensor], key: str) -> torch.Tensor:
    if key not in tensors:
        raise ValueError(f"the parent adapter lacks {key}")
    return tensors.pop(key)
