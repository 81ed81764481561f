"""A sequence classifier and its scores: torch, in the reward model's own process only."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from transformers.utils import logging

from adaptation.rewards.encoding import Read, Reader, Turn

LONGEST = 8_192
"""Tokens of a conversation and its reply that are read at most, whatever the model's context."""
BATCH_TOKENS = 4_096
"""Read in one pass, padding included."""
Asked = Sequence[tuple[Sequence[Turn], Sequence[str]]]
"""Conversations, and the replies to each."""


class Scorer:
    """Says of replies how good they are, from 0 to 1.

    A model of one number gives the logarithm of odds: its logistic function is the score
    (Bradley–Terry). One of several labels gives the probability of the last: the positive one.
    """

    def __init__(self, folder: Path, device: str = "auto") -> None:
        """Load the model in `folder`; raises `ValueError` where it cannot judge."""
        logging.set_verbosity_error()
        logging.disable_progress_bar()
        self._device = chosen(device)
        self._tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
        self._model = _model(folder, self._device)
        text_config = self._model.config.get_text_config()
        self._reader = Reader(self._tokenizer, _longest(self._tokenizer, text_config))
        self._filler: int | None = text_config.pad_token_id
        """Without one of its own a model cannot tell where a text ends, and reads one at a time."""
        self._takes_kinds = "token_type_ids" in self._tokenizer.model_input_names

    def scores(self, asked: Asked, until: float) -> list[float]:
        """Return the scores of all replies, in their order.

        Raises `TimeoutError` where they are not there by `until`, in monotonic seconds.
        """
        read = [self._reader.read(turns, reply) for turns, replies in asked for reply in replies]
        found = [0.0] * len(read)
        for places in _batches([len(each.ids) for each in read], self._filler is not None):
            if time.monotonic() > until:
                raise TimeoutError
            for place, score in zip(places, self._batch([read[p] for p in places]), strict=True):
                found[place] = score
        return found

    @torch.inference_mode()
    def _batch(self, read: Sequence[Read]) -> list[float]:
        taken = {
            "input_ids": self._padded([each.ids for each in read], self._filler or 0),
            "attention_mask": self._padded([(1,) * len(each.ids) for each in read], 0),
        }
        if self._takes_kinds:
            taken["token_type_ids"] = self._padded([each.kinds for each in read], 0)
        logits = self._model(**taken).logits.double()  # (B, labels)
        is_one = logits.shape[-1] == 1
        scores = logits[:, 0].sigmoid() if is_one else logits.softmax(-1)[:, -1]
        found: list[float] = scores.tolist()
        return found

    def _padded(self, rows: Sequence[Sequence[int]], filler: int) -> torch.Tensor:
        """Return rows of one length, (B, T), filled up on the right."""
        length = max(map(len, rows))
        filled = [[*row, *[filler] * (length - len(row))] for row in rows]
        return torch.tensor(filled, device=self._device)


def chosen(device: str) -> torch.device:
    """Return a device of torch by its name; `auto`: the first accelerator where there is one."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(device)


def _model(folder: Path, device: torch.device) -> Any:
    """Return the model, with all the weights that its scores are made of."""
    model, told = AutoModelForSequenceClassification.from_pretrained(
        str(folder),
        local_files_only=True,
        output_loading_info=True,
        # CPUs are slow in 16 bits, and batches of another shape round otherwise.
        dtype="auto" if device.type == "cuda" else torch.float32,
    )
    if missing := sorted(told["missing_keys"]):
        raise ValueError(f"{folder} holds no weights for {missing[0]}: its scores would be random")
    return model.to(device).eval()


def _longest(tokenizer: Any, text_config: Any) -> int:
    bounds = (tokenizer.model_max_length, getattr(text_config, "max_position_embeddings", None))
    return min(LONGEST, *(int(bound) for bound in bounds if bound and bound > 0))


def _batches(lengths: Sequence[int], together: bool) -> Iterator[list[int]]:
    """Yield the places of texts that are read in one pass, alike in length."""
    batch: list[int] = []
    for place in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and not (together and (len(batch) + 1) * lengths[place] <= BATCH_TOKENS):
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch
