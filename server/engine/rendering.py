"""The tokens that vLLM's own renderer makes of a conversation, as its handler of chats has them."""

from __future__ import annotations

import copy
from typing import Any

from vllm.entrypoints.openai.chat_completion.protocol import ChatCompletionRequest
from vllm.renderers import ChatParams, TokenizeParams, merge_kwargs

from adaptation.conversation import Conversation
from adaptation.errors import EngineError
from adaptation.learning.training.chat import Template
from memory.types import Message


async def rendered(
    client: Any, template: Template, conversation: Conversation
) -> tuple[int, ...] | None:
    """Return the tokens of a chat's prompt, all of them, however many the model can take.

    None for a bare text, which no template is given.

    Raises `EngineError` where it cannot be rendered: a template is anybody's code.
    """
    if conversation.is_raw:
        return None
    messages = [_message(turn) for turn in conversation.messages]
    try:
        asked = ChatCompletionRequest(messages=messages, **conversation.request)
        whole = TokenizeParams(max_total_tokens=None, add_special_tokens=asked.add_special_tokens)
        _, (prompt,) = await client.renderer.render_chat_async(
            [messages], _params(asked, template), whole
        )
    except Exception as error:
        raise EngineError(str(error)) from error
    return tuple(prompt["prompt_token_ids"])


def _message(turn: Message) -> dict[str, Any]:
    """Return a turn as a chat has it, for vLLM to write into."""
    said = copy.deepcopy(turn.turn())
    is_silent = turn.role == "assistant" and not turn.content
    return said | {"content": None} if is_silent else said


def _params(asked: ChatCompletionRequest, template: Template) -> ChatParams:
    """Return what the chat template is given."""
    hidden = template.leaves_out_tools and asked.tool_choice == "none"
    tools = None if asked.tools is None or hidden else [tool.model_dump() for tool in asked.tools]
    defaults = merge_kwargs(template.arguments, {"tools": tools, "tokenize": False})
    params = asked.build_chat_params(template.source, template.content_format)
    return params.with_defaults(defaults)
