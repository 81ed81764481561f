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
    from vllm.entrypoints.openai.chat_completion.protocol import ChatCompletionRequest

    from server.engine.parsers import ASKED, Parsers, Reply

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
    response_template: Mapping[str, Any] | None = None
    """Of the tokenizer, for the parser `hf`."""


THINKING = ("<think>", "</think>")
TOLD_BY_TOKENIZER = {
    "start_anchor": "<|im_start|>",
    "fields": {"thinking": {"open": "<think>", "close": "</think>"}, "content": {}},
}
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
    "phi4": Format("phi4_mini_json"),
    "ernie45": Format(
        "ernie45", tokens=(*THINKING, "<tool_call>", "</tool_call>", "<response>", "</response>")
    ),
    "seed_oss": Format(None, "seed_oss", ("<seed:think>", "</seed:think>")),
    "granite": Format(None, "granite"),
    "response_template": Format(None, "hf", THINKING, TOLD_BY_TOKENIZER),
}


@cache
def parsers(name: str, thinks: bool | None = None) -> Parsers:
    """Return what a server that was started for this format reads replies with.

    `thinks` is what the operator's `--default-chat-template-kwargs` say of `enable_thinking`.
    """
    form = FORMATS[name]
    tokenizer = AutoTokenizer.from_pretrained(str(model_path()))
    tokenizer.add_tokens(list(form.tokens), special_tokens=True)
    tokenizer.response_template = form.response_template
    args = SimpleNamespace(
        default_chat_template_kwargs=None if thinks is None else {"enable_thinking": thinks},
        enable_auto_tool_choice=form.tool_call_parser is not None,
        tool_call_parser=form.tool_call_parser,
        structured_outputs_config=SimpleNamespace(reasoning_parser=form.reasoning_parser),
    )
    config = SimpleNamespace(model="m", hf_config=SimpleNamespace(model_type="llama"))
    renderer = SimpleNamespace(tokenizer=tokenizer)
    return Parsers(args, SimpleNamespace(model_config=config, renderer=renderer))  # type: ignore[arg-type]


def said(
    name: str, text: str, *, calls: bool = True, prompt: str | None = None, **request: Any
) -> Said:
    """Return what a reply in this format says and calls; `prompt` is the text that it answers."""
    reading = parsers(name).reader({"tools": list(TOOLS), **request}, calls=calls)
    assert reading is not None
    return reading.said(replied(name, text, prompt))


def served(name: str, text: str, request: Mapping[str, Any]) -> str:
    """Return what vLLM's handler of chats says of a reply to a request, in this format."""
    body = ChatCompletionRequest(messages=list(ASKED), **request)
    return parsers(name).parse(body, replied(name, text))[1] or ""


def replied(name: str, text: str, prompt: str | None = None) -> Reply:
    """Return a reply with its tokens in this format, and those of what it answers."""
    tokenizer = parsers(name).tokenizer
    prompt_ids = None if prompt is None else tokenizer.encode(prompt)
    return Reply(text, tokenizer.encode(text, add_special_tokens=False), prompt_ids)
