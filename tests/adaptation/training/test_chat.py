"""How a conversation is rendered for the trainer, what of it is learned, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from adaptation.conversation import Conversation, spoken
from adaptation.errors import TrainerError
from adaptation.learning.training.chat import Chat, Template, check_served
from adaptation.learning.training.parts import walks_parts
from adaptation.learning.training.sequences import obstacle, to_example
from adaptation.learning.training.trainer import Served
from adaptation.pebble import model_path
from memory.types import Message

ASKED = Message(role="user", content="How much is 6 times 7?")
FUNCTION = {"name": "mul", "description": "Multiply.", "parameters": {"type": "object"}}
TOOLS: dict[str, Any] = {"tools": [{"type": "function", "function": FUNCTION}]}
CALL = {"type": "function", "function": {"name": "mul", "arguments": '{"b": 7, "a": 6}'}}
CALLED = Message(role="assistant", content="", tool_calls=(CALL,))
WRITTEN = '<tool_call>\n{"name": "mul", "arguments": {"b": 7, "a": 6}}\n</tool_call>'
ENDS = "{% if add_generation_prompt %}<|im_start|>assistant\n{{ opened }}{% endif %}"
THINKS = (
    "{% set opened = '<think>\n' if enable_thinking is not false else '' %}"
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}"
    "{% for call in m.tool_calls or [] %}{{ call.function | tojson }}{% endfor %}"
    "<|im_end|>\n{% endfor %}" + ENDS
)
DEAF = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
PARTIAL = (
    "{% for m in messages %}{% if m.content is string %}{{ m.content }}{% else %}"
    "{% for part in m['content'] | list %}{{ part.text }}{% endfor %}{% endif %}{% endfor %}"
)
STRICT = "{% if messages[0].role != 'user' %}{{ raise_exception('users begin') }}{% endif %}" + DEAF


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerBase:
    loaded: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(model_path())
    return loaded


@pytest.fixture(scope="module")
def chat(tokenizer: PreTrainedTokenizerBase) -> Callable[..., Chat]:
    def make(source: str | None = None, **given: Any) -> Chat:
        return Chat(tokenizer, Template(source=source, **given))

    return make


def asked(*more: Message, **request: Any) -> Conversation:
    return Conversation(messages=(ASKED, *more), request=request)


def learned(chat: Chat, conversation: Conversation) -> str:
    """The text that carries loss."""
    example = to_example(chat, conversation, 4096)
    ids = zip(example.token_ids, example.loss_mask, strict=True)
    return str(chat.tokenizer.decode([token for token, loss in ids if loss]))


@pytest.mark.parametrize(
    ("defaults", "request_", "opens"),
    [
        ({}, {}, True),
        ({"enable_thinking": False}, {}, False),
        ({"enable_thinking": False}, {"chat_template_kwargs": {"enable_thinking": True}}, True),
        ({}, {"chat_template_kwargs": {"enable_thinking": False}}, False),
        ({}, {"reasoning_effort": "none"}, False),
        ({"enable_thinking": False}, {"reasoning_effort": "low"}, True),
        ({}, {"chat_template_kwargs": {"enable_thinking": None}}, True),
    ],
)
def test_a_request_switches_thinking_and_the_server_where_it_does_not(
    chat: Callable[..., Chat], defaults: dict[str, Any], request_: dict[str, Any], opens: bool
) -> None:
    rendered = chat(THINKS, arguments=defaults).render(asked(**request_), prompt=True)
    assert rendered.endswith("assistant\n<think>\n" if opens else "assistant\n")


def test_a_template_of_the_request_goes_before_the_servers(chat: Callable[..., Chat]) -> None:
    conversation = asked(chat_template="{{ messages[0].content }}!")
    assert chat(THINKS).render(conversation, prompt=True) == f"{ASKED.content}!"


def test_tools_of_responses_are_shown_as_those_of_chats(chat: Callable[..., Chat]) -> None:
    flat = asked(tools=[{"type": "function", **FUNCTION}, {"type": "web_search"}])
    shown = chat().render(asked(**TOOLS), prompt=True)
    assert chat().render(flat, prompt=True) == shown
    assert '"name": "mul"' in shown


def test_what_vllm_rewrites_in_its_own_way_is_refused(chat: Callable[..., Chat]) -> None:
    custom = asked(Message(role="assistant", content="42"), tools=[{"type": "custom", "name": "c"}])
    assert "custom" in (obstacle(chat(), custom) or "")
    strange = custom.model_copy(update={"request": {"chat_template_kwargs": [1], "tools": [2]}})
    assert "cannot be rendered" in (obstacle(chat(), strange) or "")


@pytest.mark.parametrize("hides", [True, False])
def test_tools_that_are_not_to_be_called_are_shown_unless_the_server_hides_them(
    chat: Callable[..., Chat], hides: bool
) -> None:
    conversation = asked(**TOOLS, tool_choice="none")
    rendered = chat(leaves_out_tools=hides).render(conversation, prompt=True)
    assert ("mul" in rendered) is not hides


@pytest.mark.parametrize(
    ("source", "walks"), [(DEAF, False), (THINKS, False), (PARTIAL, True), (None, False)]
)
def test_a_template_that_walks_parts_is_given_parts(
    chat: Callable[..., Chat], source: str | None, walks: bool
) -> None:
    found = chat(source)
    assert walks_parts(source or found.tokenizer.get_chat_template()) is walks
    assert ASKED.content in found.render(asked(), prompt=True)


def test_calls_are_learned_as_the_template_writes_them(chat: Callable[..., Chat]) -> None:
    assert learned(chat(), asked(CALLED, **TOOLS)) == f"{WRITTEN}<|im_end|>"
    both = CALLED.model_copy(update={"content": "I ask."})
    assert learned(chat(), asked(both, **TOOLS)) == f"I ask.\n{WRITTEN}<|im_end|>"


def test_the_models_own_words_of_a_call_are_learned_as_they_are(
    chat: Callable[..., Chat],
) -> None:
    own = Message(role="assistant", content=WRITTEN)
    assert learned(chat(), asked(own, **TOOLS)) == f"{WRITTEN}<|im_end|>"


def test_calls_before_the_last_turn_are_learned_too(chat: Callable[..., Chat]) -> None:
    result = Message(role="tool", content="42", tool_call_id="c")
    last = Message(role="assistant", content="It is 42.")
    said = learned(chat(), asked(CALLED, result, last, **TOOLS))
    assert said == f"{WRITTEN}<|im_end|>It is 42.<|im_end|>"
    assert learned(chat(DEAF), asked(CALLED, result, last)) == "It is 42.<|im_end|>"


@pytest.mark.parametrize(
    ("source", "request_", "reason"),
    [
        (DEAF, {}, "does not write the calls"),
        (THINKS, {}, "in another place"),
        (None, {"raw": True}, "does not write the calls"),
    ],
)
def test_calls_that_cannot_be_rendered_are_refused(
    chat: Callable[..., Chat], source: str | None, request_: dict[str, Any], reason: str
) -> None:
    conversation = asked(CALLED, **request_)
    assert reason in (obstacle(chat(source), conversation) or "")
    with pytest.raises(ValueError, match=reason):
        to_example(chat(source), conversation, 4096)


def test_a_template_that_refuses_a_conversation_is_told_with_its_reason(
    chat: Callable[..., Chat],
) -> None:
    last = Message(role="assistant", content="Yes.")
    conversation = spoken(Message(role="system", content="s"), ASKED, last)
    assert "users begin" in (obstacle(chat(STRICT), conversation) or "")
    assert obstacle(chat(STRICT), asked(last)) is None


def test_what_is_known_by_its_hash_alone_cannot_be_learned(chat: Callable[..., Chat]) -> None:
    seen = Message(role="user", content=f"[image sha256:{'0a' * 16}]\nWhat is this?")
    conversation = spoken(seen, Message(role="assistant", content="A cat."))
    assert "by its hash alone" in (obstacle(chat(), conversation) or "")


def test_a_thought_that_the_prompt_opens_is_gone_on_with(chat: Callable[..., Chat]) -> None:
    """Also where the template leaves the thoughts of a turn out afterwards."""
    forgets = THINKS.replace("{{ m.content }}", "{{ m.content.split('</think>')[-1] }}")
    last = Message(role="assistant", content="hm</think>42")
    assert learned(chat(forgets), asked(last)) == "hm</think>42<|im_end|>"


def test_a_bare_prompt_is_its_text_and_ends_with_the_end_of_a_text(
    chat: Callable[..., Chat],
) -> None:
    prompt = Message(role="user", content="6 times 7 is")
    conversation = Conversation(messages=(prompt,), request={"raw": True})
    pebble = chat()
    assert pebble.encode(conversation) == pebble.tokenizer(prompt.content)["input_ids"]
    whole = conversation.of((prompt, Message(role="assistant", content=" 42.")))
    assert learned(pebble, whole) == f" 42.{pebble.tokenizer.eos_token}"


def test_tokens_of_a_tokenizers_own_frame_a_bare_prompt_and_no_chat(
    tokenizer_maker: Callable[[], Any],
) -> None:
    from tokenizers.processors import TemplateProcessing

    framed = tokenizer_maker()
    first = framed.convert_tokens_to_ids("<|im_start|>")
    framed.backend_tokenizer.post_processor = TemplateProcessing(
        single="<|im_start|> $A", special_tokens=[("<|im_start|>", first)]
    )
    chat, last = Chat(framed), Message(role="assistant", content="42")
    raw = asked(last, raw=True)
    assert chat.encode(raw.until(-1))[0] == first
    assert to_example(chat, raw, 4096).token_ids[0] == first
    assert not to_example(chat, raw, 4096).loss_mask[0]
    bare = asked(raw=True, add_special_tokens=False)
    assert chat.encode(bare) == chat.encode(raw.until(-1))[1:]
    assert chat.encode(asked()).count(first) == 2, "the template's own"


def test_a_prompt_that_is_rendered_otherwise_is_refused_with_its_place(
    chat: Callable[..., Chat],
) -> None:
    pebble, conversation = chat(), asked()
    ids = tuple(pebble.encode(conversation))
    check_served(pebble, Served(conversation=conversation, token_ids=ids))
    other = (*ids[:2], ids[2] + 1, *ids[3:])
    with pytest.raises(TrainerError, match=rf"token 3 of {len(ids)} differs"):
        check_served(pebble, Served(conversation=conversation, token_ids=other))
    with pytest.raises(TrainerError, match=rf"{len(ids)} tokens .* server {len(ids) - 1}"):
        check_served(pebble, Served(conversation=conversation, token_ids=ids[:-1]))
    turns = spoken(Message(role="system", content="s"), ASKED)
    with pytest.raises(TrainerError, match=r"cannot render this prompt: .*users begin"):
        check_served(chat(STRICT), Served(conversation=turns, token_ids=ids))
