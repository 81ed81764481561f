"""The one loss of this package."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, pad
from transformers import Qwen3ForCausalLM

from adaptation.pebble.encoding import IGNORED, Rows

SHAPE_STEP = 256
"""oneDNN keeps a compiled kernel for every matrix shape it meets, a few megabytes each: a count of
targets that changed with every batch would fill the memory. So it is rounded up to this."""


def rows_loss(
    model: Qwen3ForCausalLM, rows: Rows, body: Callable[..., Any] | None = None
) -> Tensor:
    """Mean cross-entropy over the trained targets, in nats; only their logits are computed.

    `body` is a compiled form of ``model.model``, which is used as it is where there is none.
    """
    rows = rows.to(model.device)
    targets = rows.targets.flatten()  # (B * T,)
    kept = (targets >= 0).nonzero().squeeze(1)
    filler = -len(kept) % SHAPE_STEP
    with torch.autocast(model.device.type, torch.bfloat16):
        network = model.model if body is None else body
        states = network(rows.ids, use_cache=False).last_hidden_state
        logits = model.lm_head(states.flatten(0, 1)[pad(kept, (0, filler))])  # (kept + filler, V)
    return cross_entropy(logits.float(), pad(targets[kept], (0, filler), value=IGNORED))
