"""The conversion itself: weights unpacked to bfloat16, tokenizer and chat template beside them.

One tensor is unpacked at a time, so that memory holds the model once and little more.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import AutoModelForCausalLM, GgufConfig

from adaptation.conversion.header import INSTEAD, Header
from adaptation.conversion.tokenizer import load_tokenizer
from adaptation.errors import ConversionError


def convert(source: Path, folder: Path, header: Header) -> None:
    """Write the model in `source` to `folder`; raises `ConversionError`."""
    tokenizer = load_tokenizer(source, header)
    model = _load_model(source)
    _check_whole(source, model, header)
    tokenizer.model_max_length = model.config.max_position_embeddings
    if len(header.ends) > 1:
        model.generation_config.eos_token_id = list(header.ends)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


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
