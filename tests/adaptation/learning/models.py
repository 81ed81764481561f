"""Tiny random models of several families, and the same LoRA in PEFT beside ours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from torch.nn.functional import cross_entropy
from transformers import (
    AutoModelForCausalLM,
    BloomConfig,
    GPTNeoXConfig,
    LlamaConfig,
    MistralConfig,
    Phi3Config,
    Qwen2Config,
    Qwen3Config,
)

from adaptation.learning.service.adapter import Adapter
from adaptation.learning.service.base import Base
from adaptation.learning.training.sequences import TrainingExample

VOCABULARY = 61
SIZES = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "pad_token_id": 0,
    "max_position_embeddings": 256,
}
GROUPED = SIZES | {"num_key_value_heads": 2}
KNOWN: dict[str, Any] = {
    "llama": lambda: LlamaConfig(**GROUPED, attention_bias=True),
    "mistral": lambda: MistralConfig(**GROUPED, sliding_window=9),
    "qwen2": lambda: Qwen2Config(**GROUPED),
    "qwen3": lambda: Qwen3Config(**GROUPED, head_dim=16, tie_word_embeddings=True),
}
FOREIGN: dict[str, Any] = {
    "gpt_neox": lambda: GPTNeoXConfig(**SIZES),
    "phi3": lambda: Phi3Config(**GROUPED),
}
ALONE: dict[str, Any] = {
    "bloom": lambda: BloomConfig(vocab_size=VOCABULARY, hidden_size=32, n_layer=2, n_head=4),
}


def model_of(family: str, dtype: torch.dtype = torch.float32) -> Any:
    torch.manual_seed(0)
    config = (KNOWN | FOREIGN | ALONE)[family]()
    return AutoModelForCausalLM.from_config(config, attn_implementation="eager").to(dtype).eval()


def base_of(family: str, dtype: torch.dtype = torch.float32) -> Base:
    return Base(model_of(family, dtype), None, family)  # type: ignore[arg-type]


def example(seed: int, length: int) -> TrainingExample:
    """Random tokens, of which random ones carry loss, the last among them."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(1, VOCABULARY, (length,), generator=generator).tolist()
    learned = (torch.rand(length, generator=generator) < 0.5).tolist()
    return TrainingExample(tuple(ids), (*learned[:-1], True))


def beginning_alike(shared: int, examples: Sequence[TrainingExample]) -> list[TrainingExample]:
    """The examples with `shared` tokens before each that carry no loss."""
    ids = example(shared, shared).token_ids if shared else ()
    return [
        TrainingExample((*ids, *each.token_ids), (*[False] * shared, *each.loss_mask))
        for each in examples
    ]


def randomised(base: Base, rank: int, seed: int) -> Adapter:
    """An adapter whose B is not 0, so that every gradient is something."""
    adapter = base.adapter(rank)
    torch.manual_seed(seed)
    for _, a, b in adapter.parts():
        a.copy_(torch.randn(a.shape) * 0.2)
        b.copy_(torch.randn(b.shape) * 0.2)
    adapter.changed()
    return adapter


class Peft:
    """The ordinary way: PEFT's layers, a padded batch, autograd."""

    def __init__(self, family: str, adapter: Adapter, dtype: torch.dtype = torch.float32) -> None:
        rank = adapter.rank
        config = LoraConfig(
            r=rank, lora_alpha=rank, target_modules="all-linear", task_type="CAUSAL_LM"
        )
        self.model = get_peft_model(model_of(family, dtype), config).eval()
        self._layers: dict[str, Any] = {}
        for name, a, b in adapter.parts():
            layer = self.model.get_submodule(f"base_model.model.{name}")
            layer.lora_A["default"].weight.data = a.clone()
            layer.lora_B["default"].weight.data = b.t().clone()
            self._layers[name] = layer
        self.parameters = [p for p in self.model.parameters() if p.requires_grad]

    def loss(self, examples: Sequence[TrainingExample]) -> torch.Tensor:
        """The mean over all targets."""
        longest = max(len(e.token_ids) for e in examples)
        rows = [(*e.token_ids, *[0] * (longest - len(e.token_ids))) for e in examples]
        seen = [[1] * len(e.token_ids) + [0] * (longest - len(e.token_ids)) for e in examples]
        masks = [(*e.loss_mask, *[False] * (longest - len(e.token_ids))) for e in examples]
        ids, mask = torch.tensor(rows), torch.tensor(masks)[:, 1:]
        logits = self.model(input_ids=ids, attention_mask=torch.tensor(seen)).logits[:, :-1]
        return cross_entropy(logits[mask].float(), ids[:, 1:][mask])

    def gradients(self) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
        """Of A (r, d) and B (r, o) by the name of the layer."""
        return {
            name: (layer.lora_A["default"].weight.grad, layer.lora_B["default"].weight.grad.t())
            for name, layer in self._layers.items()
        }
