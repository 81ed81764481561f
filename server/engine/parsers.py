"""What a reply says, thinks and calls, read by vLLM's own parsers of the model's format.

The operator names them as for vLLM: `--reasoning-parser` and `--tool-call-parser`. So votes, memory
and verifiers read what vLLM's handlers return to the client.
"""

from __future__ import annotations

import argparse
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

from vllm.entrypoints.openai.chat_completion.protocol import ChatCompletionRequest
from vllm.parser import ParserManager

from adaptation.said import Said
from memory.identity.answers.deliberation import conclusion

logger = logging.getLogger(__name__)

OF_PARSERS = ("chat_template_kwargs", "reasoning_effort")
"""What of a request a parser may look at, besides its tools."""
Parsed: TypeAlias = tuple[str | None, str | None, list[Any] | None]
"""Deliberation, what is said, and the calls, as vLLM's `Parser.parse` returns them."""
OF_CALLS = re.compile(r"(tool|bot)_.*token")
"""Names of a parser's own signs of calls; it may have others, of deliberation and line ends."""
ASKED = ({"role": "user", "content": ""},)
"""No parser looks at the messages; a request must have some."""


@dataclass(frozen=True)
class Reply:
    """What a model wrote."""

    text: str
    token_ids: Sequence[int] = ()
    prompt_ids: Sequence[int] | None = None
    """What it answers: a prompt may have begun to think already. None where it is no tokens."""


class Parsers:
    """Those that the server was started with."""

    def __init__(self, args: argparse.Namespace, client: Any) -> None:
        """`client` knows the model and its tokenizer."""
        self._config, self.tokenizer = client.model_config, client.renderer.tokenizer
        self._defaults = args.default_chat_template_kwargs
        self._auto_tools = bool(args.enable_auto_tool_choice)
        self._is_harmony = self._config.hf_config.model_type == "gpt_oss"
        self._class = ParserManager.get_parser(
            tool_parser_name=args.tool_call_parser,
            reasoning_parser_name=args.structured_outputs_config.reasoning_parser,
            enable_auto_tools=self._auto_tools,
            model_name=self._config.model,
            is_harmony=self._is_harmony,
        )

    def reader(self, request: Mapping[str, Any], *, calls: bool) -> ReplyReader | None:
        """Return how replies to a chat are read; None where all of a reply is what it says.

        Some parsers strike the marks of calls that nobody may make, and what stands between them.

        `request` is what of the chat's body shapes its prompt, in the words of chat completions;
        `calls` says whether a reply may call tools.
        """
        if self._class is None or not (calls or self._reads_all):
            return None
        return ReplyReader(self, request, calls)

    @property
    def _reads_all(self) -> bool:
        """Whether there is more to a reply that calls nothing than what it says."""
        assert self._class is not None
        tools = self._class.tool_parser_cls
        strikes = tools is not None and tools.engine_based_streaming
        return strikes or self._is_harmony or self._class.reasoning_parser_cls is not None

    def parse(self, asked: ChatCompletionRequest, reply: Reply) -> Parsed:
        """Read one reply; a parser may keep a state, so that each has its own."""
        assert self._class is not None
        params = asked.build_chat_params(None, "auto").with_defaults(self._defaults)
        parser = self._class(
            self.tokenizer,
            asked.tools,
            chat_template_kwargs=params.chat_template_kwargs,
            model_config=self._config,
        )
        if reply.prompt_ids is not None:
            parser.set_prompt_token_ids(reply.prompt_ids)
        parsed: Parsed = parser.parse(
            reply.text,
            asked,
            enable_auto_tools=self._auto_tools,
            model_output_token_ids=reply.token_ids,
        )
        return parsed

    @cached_property
    def marks(self) -> frozenset[str]:
        """How calls begin and end, as far as their parser says so.

        A word that begins one (`functools`) is a mark with the bracket after it alone.
        """
        assert self._class is not None
        parser = self._class(self.tokenizer, model_config=self._config).tool_parser
        named = [getattr(parser, name) for name in dir(parser) if OF_CALLS.fullmatch(name)]
        texts = [text for text in named if isinstance(text, str) and text]
        return frozenset(f"{text}[" if text.isalnum() else text for text in texts)


@dataclass(frozen=True)
class ReplyReader:
    """How the replies to one request are read."""

    parsers: Parsers
    request: Mapping[str, Any]
    calls: bool
    """Whether a reply may call tools."""

    def said(self, reply: Reply) -> Said:
        """Return what a reply says and calls; nothing where the parser cannot read it.

        What still has a mark of calls is one that could not be read. Calls that may not be parallel
        are cut to the first, as for the client.
        """
        try:
            _, content, calls = self.parsers.parse(self._asked, reply)
        except Exception as error:  # noqa: BLE001  many people's code reads what a model writes
            logger.info("a reply cannot be parsed: %s", error)
            return Said("")
        told = [{"name": call.name, "arguments": call.arguments or "{}"} for call in calls or ()]
        most = 1 if self.request.get("parallel_tool_calls") is False else None
        text = content or ""
        marks = self.parsers.marks if self.calls and not told else ()
        is_broken = any(mark in conclusion(text) for mark in marks)
        return Said("" if is_broken else text, tuple(told[:most]))

    @cached_property
    def _asked(self) -> ChatCompletionRequest:
        """Made when the first reply is there: many requests have none that is read."""
        return chat_request(self.request, calls=self.calls)


def chat_request(request: Mapping[str, Any], *, calls: bool) -> ChatCompletionRequest:
    """Return what a parser looks at of a chat's request."""
    given = {key: request[key] for key in OF_PARSERS if key in request}
    declared = (tool for tool in request.get("tools") or () if isinstance(tool, Mapping))
    if tools := [tool for tool in declared if isinstance(tool.get("function"), Mapping)]:
        given |= {"tools": tools, "tool_choice": _choice(request.get("tool_choice"), tools)}
    asked = ChatCompletionRequest(messages=ASKED, **given)
    if calls and not asked.tools:  # the answer is to be a call, though none was declared
        asked.tool_choice = "auto"
    return asked


def _choice(choice: Any, tools: Sequence[Mapping[str, Any]]) -> Any:
    """Return which of the `tools` are to be called; `auto` for a choice that chats do not know."""
    if not isinstance(choice, Mapping):
        return choice or "auto"
    named = choice.get("function")
    names = [tool["function"].get("name") for tool in tools]
    return choice if isinstance(named, Mapping) and named.get("name") in names else "auto"
