"""How the server renders a conversation: its chat template, and what the template is given.

The rules are those of vLLM's own renderer, which cannot be had without an engine. `check_served`
holds what comes of them against the tokens that the server makes of the same conversations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import Field

from adaptation.conversation import Conversation
from adaptation.errors import TrainerError
from adaptation.learning.training.turns import ContentFormat, tools_for, turns_for
from memory.identity.prompt import MEDIUM
from memory.types import Frozen

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from adaptation.learning.training.trainer import Served

UNSET = (None, "auto")
"""Values that leave a default as it is."""
OURS = frozenset({"chat_template", "tokenize", "return_dict", "conversation"})
"""Arguments that no request sets."""


class Template(Frozen):
    """What `whet serve` was told of how chats are rendered; vLLM's flags."""

    source: str | None = None
    """The text of a template in place of the model's own, or a file that holds it."""
    arguments: Mapping[str, Any] = Field(default_factory=dict)
    """Defaults of `chat_template_kwargs`."""
    content_format: ContentFormat = "auto"
    leaves_out_tools: bool = False
    """Whether `tool_choice: none` hides the tools from the template."""


@dataclass(frozen=True)
class Chat:
    """A tokenizer and the template that the server renders conversations with."""

    tokenizer: PreTrainedTokenizerBase
    template: Template = field(default_factory=Template)

    def render(self, conversation: Conversation, *, prompt: bool) -> str:
        """The conversation as text; `prompt` opens the next assistant turn.

        Raises `ValueError` where that cannot be: a template is anybody's code, and a request too.
        """
        if any(MEDIUM.search(message.content) for message in conversation.messages):
            raise ValueError("an image, a sound or a file is known by its hash alone")
        if _is_cut(conversation):
            raise ValueError("the server may leave out a part of this prompt")
        if conversation.is_raw:
            return "".join(message.content for message in conversation.messages)
        try:
            arguments = self._arguments(conversation.request, prompt)
            source = self._source(conversation.request, arguments.get("tools"))
            turns = turns_for(source, conversation.messages, self.template.content_format)
            return str(
                self.tokenizer.apply_chat_template(
                    turns, chat_template=source, tokenize=False, **arguments
                )
            )
        except Exception as error:
            raise ValueError(f"a conversation cannot be rendered: {error}") from error

    def encode(self, conversation: Conversation) -> list[int]:
        """The tokens of a prompt, as the engine is given them."""
        text = self.render(conversation, prompt=True)
        ids: list[int] = self.tokenizer(text, add_special_tokens=is_framed(conversation))[
            "input_ids"
        ]
        return ids

    def _source(self, request: Mapping[str, Any], tools: Any) -> str:
        given = request.get("chat_template") or self.template.source
        return str(self.tokenizer.get_chat_template(given, tools=tools))

    def _arguments(self, request: Mapping[str, Any], prompt: bool) -> dict[str, Any]:
        """Return what the template is given beside the turns; a request goes before defaults."""
        own = request.get("chat_template_kwargs") or {}
        asked = {key: request.get(key) for key in ("documents", "reasoning_effort")}
        if asked["reasoning_effort"] is not None and "enable_thinking" not in own:
            asked["enable_thinking"] = asked["reasoning_effort"] != "none"
        defaults = merged(self.template.arguments, {"tools": self._tools(request)})
        given = merged(defaults, merged(own, asked))
        continues = prompt and bool(request.get("continue_final_message"))
        opens = prompt and bool(request.get("add_generation_prompt", not continues))
        given |= {"add_generation_prompt": opens, "continue_final_message": continues}
        return {key: value for key, value in given.items() if key not in OURS}

    def _tools(self, request: Mapping[str, Any]) -> list[dict[str, Any]] | None:
        if self.template.leaves_out_tools and request.get("tool_choice") == "none":
            return None
        return tools_for(request.get("tools") or None)


def merged(defaults: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return `defaults` with what is given in their place."""
    return {**defaults, **{key: value for key, value in given.items() if value not in UNSET}}


def is_framed(conversation: Conversation) -> bool:
    """Whether the tokenizer adds its own tokens, such as one that begins a text.

    A template writes them itself.
    """
    return bool(conversation.request.get("add_special_tokens", conversation.is_raw))


def _is_cut(conversation: Conversation) -> bool:
    """Whether the request bounds its prompt; -1 stands for the bound that every prompt has."""
    bound = conversation.request.get("truncate_prompt_tokens")
    return isinstance(bound, int) and bound >= 0


def check_served(chat: Chat, served: Served) -> None:
    """Raise `TrainerError` where a prompt is not rendered as the server rendered it."""
    _compare(chat, served, "this prompt")
    for neighbour in served.neighbours:
        _compare(chat, neighbour, "a neighbour's prompt")


def _compare(chat: Chat, served: Served, name: str) -> None:
    try:
        ids = chat.encode(served.conversation)
    except ValueError as error:
        raise TrainerError(f"the trainer cannot render {name}: {error}") from error
    theirs = served.token_ids
    pairs = zip(ids, theirs, strict=False)
    place = next((i for i, (one, other) in enumerate(pairs) if one != other), None)
    if place is None and len(ids) == len(theirs):
        return
    where = f"token {(place or 0) + 1} of {len(theirs)} differs"
    if place is None:
        where = f"it makes {len(ids)} tokens of it, and the server {len(theirs)}"
    raise TrainerError(f"the trainer does not render {name} as the server does: {where}")
