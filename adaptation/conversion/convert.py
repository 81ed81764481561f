"""The conversion itself: weights unpacked to bfloat16, tokenizer and chat template beside them.

One tensor is unpacked at a time, so that memory holds the model once and little more.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import psutil
from transformers import AutoModelForCausalLM, GgufConfig

from adaptation.conversion.header import INSTEAD, Header, read_header
from adaptation.conversion.tokenizer import load_tokenizer
from adaptation.errors import ConversionError

BYTES_PER_WEIGHT = 2  # bfloat16
UNPACKING_BYTES = 12
"""For each number of the tensor at hand: in float32, turned, and copied."""
GB = 1e9


def convert(source: Path, folder: Path) -> Header:
    """Write the model in `source` to `folder`; raises `ConversionError`."""
    header = read_header(source)
    _check_memory(source, header)
    _check_disk(source, header, folder)
    tokenizer = load_tokenizer(source, header)
    model = _load_model(source)
    _check_whole(source, model, header)
    tokenizer.model_max_length = model.config.max_position_embeddings
    if len(header.ends) > 1:
        model.generation_config.eos_token_id = list(header.ends)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return header


def _check_memory(source: Path, header: Header) -> None:
    """Refuse before the work what would be killed in it, and others with it."""
    needed = BYTES_PER_WEIGHT * header.elements + UNPACKING_BYTES * header.largest
    free = psutil.virtual_memory().available
    if needed > free:
        raise ConversionError(
            f"{source} takes {needed / GB:.1f} GB of memory to convert and {free / GB:.1f} GB are "
            "free: end something, or convert it on a larger machine"
        )


def _check_disk(source: Path, header: Header, folder: Path) -> None:
    needed, free = BYTES_PER_WEIGHT * header.elements, shutil.disk_usage(folder).free
    if needed > free:
        raise ConversionError(
            f"{source} takes {needed / GB:.1f} GB in {folder.parent} when it is converted and "
            f"{free / GB:.1f} GB are free: make room there, or choose another --data-dir"
        )


def _load_model(source: Path) -> Any:
    """Load the weights unpacked; every parameter must be found."""
    try:
        model, loading = AutoModelForCausalLM.from_pretrained(
            str(source.parent),
            gguf_file=source.name,
            dtype="bfloat16",
            quantization_config=GgufConfig(dequantize=True),
            output_loading_info=True,
        )
    except (ValueError, NotImplementedError) as error:  # an architecture or packing it cannot read
        raise ConversionError(f"{source} cannot be read: {error}: {INSTEAD}") from error
    if absent := sorted(loading["missing_keys"]):
        raise ConversionError(f"{source} lacks {len(absent)} weights, such as {absent[0]}")
    return model


def _check_whole(source: Path, model: Any, header: Header) -> None:
    """Every number of the file has its place in the model: none was dropped or made up."""
    placed = sum(parameter.numel() for parameter in model.parameters())
    if placed != header.elements:
        raise ConversionError(
            f"{source} holds {header.elements} numbers, of which Transformers has a place for "
            f"{placed}: {INSTEAD}"
        )
