"""A GGUF file of a few kilobytes: a whole model of two layers, with a tokenizer and a template."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import numpy as np
from transformers.convert_slow_tokenizer import bytes_to_unicode

WIDTH = 32  # one block of Q8_0
HEADS, KV_HEADS, LAYERS, INNER = 4, 2, 2, 64
CONTROL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
MERGES = ["Ċ Ċ", "Ġ Ġ", "h i"]
ALPHABET = list(bytes_to_unicode().values())
TOKENS = [*CONTROL, *ALPHABET, *(merge.replace(" ", "") for merge in MERGES)]
TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content']"
    " + '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}"
    "{% endif %}"
)


def write_tiny(path: Path, *, split: str = "smollm", seed: int = 0, **more: Any) -> Path:
    """Write the file; `more` adds `bos`, `eot`, `scaling`, `parts` or a tensor `extra`."""
    writer = gguf.GGUFWriter(path, "llama")
    _describe(writer, more)
    _add_tokenizer(writer, split, more)
    _add_weights(writer, np.random.default_rng(seed), more)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _describe(writer: Any, more: dict[str, Any]) -> None:
    writer.add_name("tiny")
    writer.add_license("mit")
    writer.add_context_length(128)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_rope_freq_base(10_000.0)
    writer.add_vocab_size(len(TOKENS))
    if "scaling" in more:
        writer.add_rope_scaling_type(more["scaling"])
    if "parts" in more:
        writer.add_uint16("split.count", more["parts"])


def _add_tokenizer(writer: Any, split: str, more: dict[str, Any]) -> None:
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(split)
    writer.add_token_list(TOKENS)
    writer.add_token_types([3] * len(CONTROL) + [1] * (len(TOKENS) - len(CONTROL)))
    writer.add_token_merges(MERGES)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_pad_token_id(2)
    writer.add_add_bos_token(more.get("bos", False))
    writer.add_chat_template(TEMPLATE)
    if "eot" in more:
        writer.add_eot_token_id(more["eot"])


def _add_weights(writer: Any, random: Any, more: dict[str, Any]) -> None:
    def add(name: str, *shape: int) -> None:
        values = random.normal(0, 0.1, shape).astype(np.float32)
        if len(shape) == 1:
            writer.add_tensor(name, values)
        else:
            kind = gguf.GGMLQuantizationType.Q8_0
            writer.add_tensor(name, gguf.quantize(values, kind), raw_dtype=kind)

    add("token_embd.weight", len(TOKENS), WIDTH)
    add("output_norm.weight", WIDTH)
    kv = KV_HEADS * WIDTH // HEADS
    for layer in range(LAYERS):
        block = f"blk.{layer}"
        add(f"{block}.attn_norm.weight", WIDTH)
        add(f"{block}.ffn_norm.weight", WIDTH)
        for name, rows in (
            ("attn_q", WIDTH),
            ("attn_k", kv),
            ("attn_v", kv),
            ("attn_output", WIDTH),
        ):
            add(f"{block}.{name}.weight", rows, WIDTH)
        add(f"{block}.ffn_gate.weight", INNER, WIDTH)
        add(f"{block}.ffn_up.weight", INNER, WIDTH)
        add(f"{block}.ffn_down.weight", WIDTH, INNER)
    if "extra" in more:
        add(more["extra"], WIDTH)
