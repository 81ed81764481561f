"""The one loss of this package."""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import Qwen3ForCausalLM

from adaptation.pebble.corpus import Rows


def rows_loss(model: Qwen3ForCausalLM, rows: Rows) -> Tensor:
    """Mean cross-entropy over the trained targets, in nats; only their logits are computed."""
    kept = rows.targets >= 0
    with torch.autocast("cpu", torch.bfloat16):
        hidden = model.model(rows.ids, use_cache=False).last_hidden_state  # (B, T, d)
        logits = model.lm_head(hidden[kept])  # (trained targets, V)
    return cross_entropy(logits.float(), rows.targets[kept])
