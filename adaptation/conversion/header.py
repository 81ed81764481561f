"""What a GGUF file says of itself: read by the package `gguf`, without the weights.

Refuses what Transformers would drop without a word: then the model would be another one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np

from adaptation.errors import ConversionError

INSTEAD = "give the model's Hugging Face folder instead"
KNOWS_SCALING = ("gpt-oss", "qwen35", "qwen35moe")
"""Architectures whose rotary scaling Transformers reads."""
END_KEYS = ("eos_token_id", "eot_token_id", "eom_token_id")
"""Tokens that end the whole text, a turn, a message: a reply may end in any of them."""


@dataclass(frozen=True)
class Header:
    """The part of the metadata that a conversion needs."""

    elements: int
    """Numbers in all tensors together."""
    largest: int
    """Numbers in the largest tensor."""
    tokenizer: str
    """`gpt2` is byte-level BPE, `llama` SentencePiece."""
    split: str | None
    """How text is cut before BPE, by llama.cpp's name."""
    adds_bos: bool
    adds_eos: bool
    ends: tuple[int, ...]
    licence: str | None


def read_header(source: Path) -> Header:
    """Read and check a file's metadata; raises `ConversionError`."""
    fields, tensors = _read(source)
    _refuse_what_would_be_dropped(source, fields)
    tokenizer = str(fields.get("tokenizer.ggml.model", ""))
    sizes = [int(tensor.n_elements) for tensor in tensors]
    return Header(
        elements=sum(sizes),
        largest=max(sizes, default=0),
        tokenizer=tokenizer,
        split=fields.get("tokenizer.ggml.pre"),
        # llama.cpp's defaults where the file is silent.
        adds_bos=bool(fields.get("tokenizer.ggml.add_bos_token", tokenizer == "llama")),
        adds_eos=bool(fields.get("tokenizer.ggml.add_eos_token", False)),
        ends=tuple(dict.fromkeys(_ends(source, fields))),
        licence=fields.get("general.license"),
    )


def _read(source: Path) -> tuple[dict[str, Any], list[Any]]:
    """Return the scalar fields by name, and the tensors."""
    try:
        reader = _BoundedReader(source)
        found = {name: field for name, field in reader.fields.items() if _is_scalar(field)}
        return {name: field.contents() for name, field in found.items()}, reader.tensors
    except (OSError, ValueError, KeyError, IndexError, RecursionError) as error:
        problem = f"{source} is no whole GGUF file ({error}): download it again"
        raise ConversionError(problem) from error


class _BoundedReader(gguf.GGUFReader):  # type: ignore[misc]  # it has no types
    """Ends where the file ends.

    The package (0.19.0) reads on beyond it, which a damaged file can make very long.
    """

    def _get(self, offset: int, dtype: Any, count: int = 1, override_order: Any = None) -> Any:
        if offset + np.dtype(dtype).itemsize * int(count) > self.data.nbytes:
            raise ValueError("it says that it is longer than it is")
        return super()._get(offset, dtype, count, override_order)


def _is_scalar(field: Any) -> bool:
    return gguf.GGUFValueType.ARRAY not in field.types


def _ends(source: Path, fields: dict[str, Any]) -> list[int]:
    named = (_whole(source, fields, f"tokenizer.ggml.{key}") for key in END_KEYS)
    return [token for token in named if token is not None]


def _whole(source: Path, fields: dict[str, Any], name: str) -> int | None:
    """Return a field that is a whole number, None where there is none."""
    value = fields.get(name)
    if value is None or isinstance(value, int):
        return value
    raise ConversionError(f"{source} has {str(value)[:40]!r} as {name}, which is no whole number")


def _refuse_what_would_be_dropped(source: Path, fields: dict[str, Any]) -> None:
    if (_whole(source, fields, "split.count") or 1) > 1:
        raise ConversionError(f"{source} is one part of several: merge them (llama-gguf-split)")
    architecture = str(fields.get("general.architecture", ""))
    scaling = str(fields.get(f"{architecture}.rope.scaling.type", "none"))
    if scaling != "none" and architecture not in KNOWS_SCALING:
        problem = f"{source} scales its positions ({scaling}), which Transformers does not read"
        raise ConversionError(f"{problem}: {INSTEAD}")
