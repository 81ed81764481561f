"""vLLM's parsers of the formats that models call tools and think in, without an engine.

Each has the built-in model's tokenizer, and the tokens that its format needs besides.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace
from typing import Any

from transformers import AutoTokenizer

from adaptation.pebble import model_path
from adaptation.said import Said

with warnings.catch_warnings():  # of importing vLLM: others' deprecations
    warnings.simplefilter("ignore")
    from server.engine.parsers import Parsers

TOOLS: tuple[Mapping[str, Any], ...] = (
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
            },
        },
    },
)


@dataclass(frozen=True)
class Format:
    """How an operator names a format, and which tokens it is made of."""

    tool_call_parser: str | None = None
    reasoning_parser: str = ""
    tokens: tuple[str, ...] = ()


THINKING = ("<think>", "</think>")
FORMATS = {
    "hermes": Format("hermes", tokens=("<tool_call>", "</tool_call>")),
    "mistral": Format("mistral", tokens=("[TOOL_CALLS]",)),
    "pythonic": Format("pythonic"),
    "llama3_json": Format("llama3_json", tokens=("<|python_tag|>",)),
    "qwen3_coder": Format("qwen3_coder", tokens=("<tool_call>", "</tool_call>")),
    "deepseek_v3": Format(
        "deepseek_v3",
        tokens=(
            *("<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>", "<｜tool▁sep｜>"),
            *("<｜tool▁call▁begin｜>", "<｜tool▁call▁end｜>"),
        ),
    ),
    "deepseek_v31": Format(
        "deepseek_v31",
        tokens=(
            *("<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>", "<｜tool▁sep｜>"),
            *("<｜tool▁call▁begin｜>", "<｜tool▁call▁end｜>"),
        ),
    ),
    "qwen3": Format("hermes", "qwen3", ("<tool_call>", "</tool_call>", *THINKING)),
    "deepseek_r1": Format(None, "deepseek_r1", THINKING),
    "seed_oss": Format(None, "seed_oss", ("<seed:think>", "</seed:think>")),
    "granite": Format(None, "granite"),
}


@cache
def parsers(name: str) -> Parsers:
    """Return what a server that was started for this format reads replies with."""
    form = FORMATS[name]
    tokenizer = AutoTokenizer.from_pretrained(str(model_path()))
    tokenizer.add_tokens(list(form.tokens), special_tokens=True)
    args = SimpleNamespace(
        default_chat_template_kwargs=None,
        enable_auto_tool_choice=form.tool_call_parser is not None,
        tool_call_parser=form.tool_call_parser,
        structured_outputs_config=SimpleNamespace(reasoning_parser=form.reasoning_parser),
    )
    config = SimpleNamespace(model="m", hf_config=SimpleNamespace(model_type="llama"))
    renderer = SimpleNamespace(tokenizer=tokenizer)
    return Parsers(args, SimpleNamespace(model_config=config, renderer=renderer))  # type: ignore[arg-type]


def said(name: str, text: str, *, calls: bool = True, **request: Any) -> Said:
    """Return what a reply in this format says and calls."""
    found = parsers(name)
    reading = found.reading({"tools": list(TOOLS), **request}, calls=calls)
    assert reading is not None
    token_ids = found.tokenizer.encode(text, add_special_tokens=False)
    return reading.said(text, token_ids)
