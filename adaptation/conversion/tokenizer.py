"""The tokenizer of a GGUF file, cutting text as it did when the model was trained.

A GGUF file names the way its text is cut before BPE (`tokenizer.ggml.pre`), as llama.cpp knows it.
Transformers cuts as GPT-2 does wherever it does not know the name: digits then stick to the white
space before them, and a model that learned otherwise reads other tokens than it was trained on.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tokenizers import pre_tokenizers
from transformers import AutoTokenizer
from transformers.integrations.gguf.gguf_tokenizer_mapping import GGUF_PRE_TOKENIZER_SPLITS

from adaptation.conversion.header import INSTEAD, Header
from adaptation.errors import ConversionError

AS_GPT2 = frozenset(
    ("gpt-2", "phi-2", "mpt", "olmo", "jais", "trillion", "gigachat", "exaone4", "mellum")
)
"""Names whose text is cut as GPT-2's is, which is what Transformers falls back to."""
DIGITS_APART = frozenset(
    ("smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b", "mellum2")
)
"""Names that take every digit out first, and cut the rest as GPT-2 does."""


def load_tokenizer(source: Path, header: Header) -> Any:
    """Return the file's tokenizer; raises `ConversionError` where it would be another one."""
    by_name = header.tokenizer == "gpt2"
    if by_name and header.split not in AS_GPT2 | DIGITS_APART | set(GGUF_PRE_TOKENIZER_SPLITS):
        problem = f"{source} cuts text by rules named {header.split!r}, which Whet does not know"
        raise ConversionError(f"{problem}: {INSTEAD}")
    tokenizer = AutoTokenizer.from_pretrained(
        str(source.parent),
        gguf_file=source.name,
        add_bos_token=header.adds_bos,
        add_eos_token=header.adds_eos,
    )
    if by_name and header.split in DIGITS_APART:
        tokenizer.backend_tokenizer.pre_tokenizer = _digits_apart()
    return tokenizer


def _digits_apart() -> Any:
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
