from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from adaptation.conversation import Conversation, spoken
from adaptation.learning.training.chat import Chat, Template
from adaptation.learning.training.sequences import TrainingExample, collate, to_example
from memory.types import Message

PLAIN = (
    "{% for m in messages %}{{ m.role }}:{{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant:{% endif %}"
)
SPACED = PLAIN.replace("{{ m.role }}:", "{{ m.role }}: ").replace("assistant:", "assistant: ")
STRIPS_HISTORY = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{% if loop.last and m.role == 'assistant' %}<think>\n\n</think>\n\n{% endif %}"
    "{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
OPENS_THOUGHT = STRIPS_HISTORY.replace("assistant\n{% endif %}", "assistant\n<think>\n{% endif %}")

words = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=8)
texts = st.lists(words, min_size=1, max_size=3).map(" ".join)
exchanges = st.lists(st.tuples(texts, texts), min_size=1, max_size=3)


@pytest.fixture(scope="module")
def tokenizer(tokenizer_maker: Callable[[], PreTrainedTokenizerFast]) -> PreTrainedTokenizerFast:
    return tokenizer_maker()


def conversation(*exchanges: tuple[str, str], system: str | None = None) -> Conversation:
    head = [Message(role="system", content=system)] if system else []
    roles = ("user", "assistant")
    turns = [
        Message(role=role, content=text)
        for exchange in exchanges
        for role, text in zip(roles, exchange, strict=True)
    ]
    return spoken(*head, *turns)


def targets(tokenizer: PreTrainedTokenizerFast, example: TrainingExample) -> str:
    ids = zip(example.token_ids, example.loss_mask, strict=True)
    return tokenizer.decode([token for token, loss in ids if loss])


@settings(max_examples=60)
@given(exchanges)
def test_loss_covers_every_assistant_turn_with_its_end_and_nothing_else(
    tokenizer: PreTrainedTokenizerFast, exchanges: list[tuple[str, str]]
) -> None:
    example = to_example(Chat(tokenizer), conversation(*exchanges), 4096)
    expected = "".join(f"{answer}<|im_end|>" for _, answer in exchanges)
    assert targets(tokenizer, example) == expected


@settings(max_examples=60)
@given(exchanges)
def test_a_held_out_conversation_is_judged_by_its_last_turn(
    tokenizer: PreTrainedTokenizerFast, exchanges: list[tuple[str, str]]
) -> None:
    example = to_example(Chat(tokenizer), conversation(*exchanges), 4096, last_only=True)
    assert targets(tokenizer, example) == f"{exchanges[-1][1]}<|im_end|>"


@settings(max_examples=60)
@given(exchanges, st.sampled_from([None, PLAIN, SPACED]))
def test_the_input_before_the_last_turn_is_the_servers_prompt(
    tokenizer: PreTrainedTokenizerFast, exchanges: list[tuple[str, str]], template: str | None
) -> None:
    chat = Chat(tokenizer, Template(source=template))
    turns = conversation(*exchanges)
    example = to_example(chat, turns, 4096, last_only=True)
    prompt = [i for i, loss in zip(example.token_ids, example.loss_mask, strict=True) if not loss]
    assert tokenizer.decode(prompt) == chat.render(turns.until(-1), prompt=True)
    if len(exchanges) == 1:
        served = tokenizer(chat.render(turns.until(-1), prompt=True), add_special_tokens=False)
        assert prompt == served["input_ids"]


def test_a_template_that_rewrites_history_still_gives_every_turn_loss(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    chat = Chat(tokenizer, Template(source=STRIPS_HISTORY))
    example = to_example(chat, conversation(("a?", "first"), ("b?", "second")), 4096)
    expected = "first<|im_end|><think>\n\n</think>\n\nsecond<|im_end|>"
    assert targets(tokenizer, example) == expected


def test_a_prompt_that_opens_a_thought_is_kept_as_served(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    source = OPENS_THOUGHT.replace("<think>\n\n</think>\n\n", "")
    chat = Chat(tokenizer, Template(source=source))
    example = to_example(chat, conversation(("a?", "hm</think>yes")), 4096)
    assert targets(tokenizer, example) == "hm</think>yes<|im_end|>"
    assert "assistant\n<think>\n" in tokenizer.decode(list(example.token_ids))


def test_an_over_long_conversation_loses_its_oldest_turns(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    turns = conversation(("one?", "1"), ("two?", "2"), ("three?", "3"), system="Be brief.")
    whole = to_example(Chat(tokenizer), turns, 4096)
    shorter = to_example(Chat(tokenizer), turns, len(whole.token_ids) - 1)
    rest = turns.of((turns.messages[0], *turns.messages[3:]))
    assert shorter == to_example(Chat(tokenizer), rest, 4096)


def test_one_exchange_that_is_too_long_keeps_its_end(tokenizer: PreTrainedTokenizerFast) -> None:
    example = to_example(Chat(tokenizer), conversation(("why " * 40, "so")), 16)
    assert len(example.token_ids) == 16
    assert targets(tokenizer, example) == "so<|im_end|>"


@pytest.mark.parametrize(
    "turns",
    [
        spoken(),
        conversation(("a?", "b")).until(1),
        spoken(*conversation(("a", "b")).messages[1:]),
        conversation(("a?", " \n")),
    ],
)
def test_what_is_no_training_conversation_is_refused(
    tokenizer: PreTrainedTokenizerFast, turns: Conversation
) -> None:
    with pytest.raises(ValueError, match=r"training conversation|is empty"):
        to_example(Chat(tokenizer), turns, 64)


def test_padding_carries_neither_attention_nor_loss() -> None:
    examples = [TrainingExample((5, 6, 7), (False, True, True)), TrainingExample((8,), (False,))]
    batch = collate(examples, 9, torch.device("cpu"))
    assert batch.token_ids.tolist() == [[5, 6, 7], [8, 9, 9]]
    assert batch.attention.tolist() == [[1, 1, 1], [1, 0, 0]]
    assert batch.targets.tolist() == [[False, True, True], [False, False, False]]
    assert batch.n_tokens == 4
