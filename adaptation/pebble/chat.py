"""ChatML with Hermes tools: the template served to clients, and the same format for training.

`CHAT_TEMPLATE` is what ships with the weights. `segments` writes the identical text in pieces that
know whether they carry loss (a test holds the two equal); it is there because rendering Jinja for
every training conversation would cost more than the training itself. The template's `generation`
blocks hold what the model writes: trainers that learn from the assistant's turns alone look there.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from adaptation.pebble.reading import READ, read

END_OF_TEXT, TURN_START, TURN_END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
CALL_START, CALL_END = "<tool_call>", "</tool_call>"
SPECIAL_TOKENS = (END_OF_TEXT, TURN_START, TURN_END, CALL_START, CALL_END)

CHAT_TEMPLATE = (
    READ
    + """\
{%- if tools -%}
{{- '<|im_start|>system\\n' -}}
{%- if messages[0].role == 'system' -%}{{- messages[0].content + '\\n\\n' -}}{%- endif -%}
{{- '# Tools\\nYou may call these functions:\\n<tools>' -}}
{%- for tool in tools -%}{{- '\\n' + (tool | tojson) -}}{%- endfor -%}
{{- '\\n</tools>\\nCall one with <tool_call>\\n{"name": ..., "arguments": ...}\\n</tool_call>' -}}
{{- '<|im_end|>\\n' -}}
{%- elif messages and messages[0].role == 'system' -%}
{{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' -}}
{%- endif -%}
{%- for message in messages -%}
{%- set content = message.content if message.content is string else '' -%}
{%- if message.role == 'assistant' -%}
{{- '<|im_start|>assistant\\n' -}}
{%- generation -%}
{{- content -}}
{%- for call in message.tool_calls or [] -%}
{%- set function = call.function if call.function else call -%}
{{- '\\n' if content or not loop.first -}}
{{- '<tool_call>\\n{"name": "' + function.name + '", "arguments": ' -}}
{%- if function.arguments is string -%}{{- function.arguments -}}
{%- else -%}{{- function.arguments | tojson -}}{%- endif -%}
{{- '}\\n</tool_call>' -}}
{%- endfor -%}
{{- '<|im_end|>' -}}
{%- endgeneration -%}
{{- '\\n' -}}
{%- elif message.role == 'tool' -%}
{%- if loop.first or messages[loop.index0 - 1].role != 'tool' -%}
{{- '<|im_start|>user' -}}
{%- endif -%}
{{- '\\n<tool_response>\\n' + content + '\\n</tool_response>' -}}
{%- if loop.last or messages[loop.index0 + 1].role != 'tool' -%}
{{- '<|im_end|>\\n' -}}
{%- endif -%}
{%- elif message.role == 'user' -%}
{{- '<|im_start|>user\\n' + read(content) + '<|im_end|>\\n' -}}
{%- elif not (loop.first and message.role == 'system') -%}
{{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>\\n' -}}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}
"""
)


class Segment(NamedTuple):
    """A stretch of text, and whether the model is trained to write it."""

    text: str
    trained: bool


Document = tuple[Segment, ...]


@dataclass(frozen=True)
class Turn:
    """One message of a training conversation, already in its final text form."""

    role: str
    text: str


@dataclass(frozen=True)
class Conversation:
    """What one training conversation holds; `tools` are OpenAI function declarations."""

    turns: Sequence[Turn]
    tools: Sequence[Mapping[str, Any]] = ()


def dialogue(*texts: str, system: str | None = None) -> Conversation:
    """User and assistant in turn, after an optional system message."""
    roles = ("user", "assistant")
    turns = [Turn(roles[i % 2], text) for i, text in enumerate(texts)]
    return Conversation([Turn("system", system), *turns] if system else turns)


def tool_response(content: str) -> str:
    """The text of a user turn that carries a tool's result."""
    return f"<tool_response>\n{content}\n</tool_response>"


def segments(conversation: Conversation) -> Document:
    """The conversation's text in pieces; the assistant's words and its end of turn are trained."""
    return tuple(_merged(conversation))


def _merged(conversation: Conversation) -> Iterator[Segment]:
    """Join what lies between two assistant turns, so that few pieces need tokenising."""
    between = _tools_turn(conversation)
    for turn in conversation.turns:
        if turn.role == "assistant":
            yield Segment(f"{between}{TURN_START}assistant\n", False)
            yield Segment(turn.text + TURN_END, True)
            between = "\n"
        elif not (turn.role == "system" and conversation.tools):
            text = read(turn.text) if turn.role == "user" else turn.text
            between += f"{TURN_START}{turn.role}\n{text}{TURN_END}\n"
    yield Segment(between, False)


def _tools_turn(conversation: Conversation) -> str:
    """The system turn that declares the tools; it takes in the system message."""
    if not conversation.tools:
        return ""
    first = conversation.turns[0]
    system = f"{first.text}\n\n" if first.role == "system" else ""
    declared = "".join("\n" + json.dumps(tool) for tool in conversation.tools)
    return (
        f"{TURN_START}system\n{system}# Tools\nYou may call these functions:\n<tools>{declared}"
        '\n</tools>\nCall one with <tool_call>\n{"name": ..., "arguments": ...}\n</tool_call>'
        f"{TURN_END}\n"
    )
