"""The chat template: what it renders, and that training reads the same text."""

import json
from random import Random

import pytest
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from adaptation.pebble import model_path
from adaptation.pebble.chat import dialogue, segments
from adaptation.pebble.recipe import Mixture
from adaptation.pebble.talk import any_manner, tool_use

ADD = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}
CALL = {"type": "function", "function": {"name": "add", "arguments": {"a": 1, "b": 2}}}


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return AutoTokenizer.from_pretrained(model_path())


def rendered(tokenizer: PreTrainedTokenizerFast, messages: list[dict], **more: object) -> str:
    return tokenizer.apply_chat_template(messages, tokenize=False, **more)


def test_there_is_no_default_system_prompt(tokenizer: PreTrainedTokenizerFast) -> None:
    text = rendered(tokenizer, [{"role": "user", "content": "Hi"}], add_generation_prompt=True)
    assert text == "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"


@pytest.mark.parametrize("seed", range(30))
def test_training_reads_exactly_what_the_template_renders(
    tokenizer: PreTrainedTokenizerFast, seed: int
) -> None:
    rng = Random(seed)
    conversation = tool_use(rng) if seed % 2 else any_manner(rng, Mixture().manner_kinds)
    messages = [{"role": turn.role, "content": turn.text} for turn in conversation.turns]
    pieces = segments(conversation)
    text = rendered(tokenizer, messages, tools=list(conversation.tools) or None)
    assert "".join(piece.text for piece in pieces) == text
    apart = [
        token for piece in pieces for token in tokenizer.backend_tokenizer.encode(piece.text).ids
    ]
    assert apart == tokenizer.backend_tokenizer.encode(text).ids


def test_a_call_and_its_result_render_in_the_hermes_format(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Add 1 and 2."},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "content": "3"},
    ]
    text = rendered(tokenizer, messages, tools=[ADD], add_generation_prompt=True)
    system, _, call, result, _ = text.split("<|im_start|>")[1:]
    assert system.startswith("system\nBe brief.\n\n# Tools")
    assert json.loads(system.split("<tools>\n")[1].split("\n</tools>")[0]) == ADD
    body = call.removeprefix("assistant\n<tool_call>\n").split("\n</tool_call>")[0]
    assert json.loads(body) == {"name": "add", "arguments": {"a": 1, "b": 2}}
    assert result == "user\n<tool_response>\n3\n</tool_response><|im_end|>\n"


def test_arguments_given_as_json_text_render_alike(tokenizer: PreTrainedTokenizerFast) -> None:
    as_text = {"function": {"name": "add", "arguments": json.dumps(CALL["function"]["arguments"])}}
    one, other = (
        rendered(tokenizer, [{"role": "assistant", "content": "", "tool_calls": [call]}])
        for call in (CALL, as_text)
    )
    assert one == other


def test_a_longer_conversation_extends_the_shorter_one(tokenizer: PreTrainedTokenizerFast) -> None:
    texts = ("Hi", "Hello!", "What is 1 + 1?", "1+1=2.\n#### 2", "Thanks")
    messages = [
        {"role": ("user", "assistant")[i % 2], "content": text} for i, text in enumerate(texts)
    ]
    whole = rendered(tokenizer, messages, add_generation_prompt=True)
    for end in (1, 3):
        assert whole.startswith(rendered(tokenizer, messages[:end], add_generation_prompt=True))


def test_only_the_assistants_words_and_end_of_turn_are_trained() -> None:
    pieces = segments(dialogue("Hi", "Hello!", "Bye", "Goodbye!", system="Be kind."))
    assert [piece.text for piece in pieces if piece.trained] == [
        "Hello!<|im_end|>",
        "Goodbye!<|im_end|>",
    ]


@pytest.mark.parametrize("seed", range(30))
def test_the_template_marks_what_the_model_writes(
    tokenizer: PreTrainedTokenizerFast, seed: int
) -> None:
    rng = Random(seed)
    conversation = tool_use(rng) if seed % 2 else any_manner(rng, Mixture().manner_kinds)
    encoded = tokenizer.apply_chat_template(
        [{"role": turn.role, "content": turn.text} for turn in conversation.turns],
        tools=list(conversation.tools) or None,
        return_dict=True,
        return_assistant_tokens_mask=True,
    )
    marked = [
        token
        for token, mark in zip(encoded["input_ids"], encoded["assistant_masks"], strict=True)
        if mark
    ]
    written = "".join(piece.text for piece in segments(conversation) if piece.trained)
    assert written
    assert tokenizer.decode(marked, skip_special_tokens=False) == written


def test_a_call_is_marked_as_written_by_the_model(tokenizer: PreTrainedTokenizerFast) -> None:
    encoded = tokenizer.apply_chat_template(
        [
            {"role": "user", "content": "Add 1 and 2."},
            {"role": "assistant", "content": None, "tool_calls": [CALL, CALL]},
            {"role": "tool", "content": "3"},
        ],
        return_dict=True,
        return_assistant_tokens_mask=True,
    )
    pairs = zip(encoded["input_ids"], encoded["assistant_masks"], strict=True)
    marked = tokenizer.decode([token for token, mark in pairs if mark])
    assert marked.startswith("<tool_call>")
    assert marked.endswith("</tool_call><|im_end|>")
    assert marked.count('"name": "add"') == 2


def test_the_marks_change_nothing_that_is_rendered(tokenizer: PreTrainedTokenizerFast) -> None:
    template = tokenizer.chat_template
    without = template.replace("{%- generation -%}", "").replace("{%- endgeneration -%}", "")
    assert without != template
    talks = (
        [{"role": "assistant", "content": None, "tool_calls": [CALL]}],
        [{"role": "assistant", "content": "  spaced  "}, {"role": "user", "content": "\n x \n"}],
        [{"role": "system", "content": "s"}, {"role": "assistant", "content": "\na\n"}],
        [{"role": "user", "content": "Hi"}, {"role": "tool", "content": "3"}] * 2,
        [{"role": "assistant", "content": "a", "tool_calls": [CALL, CALL]}] * 2,
    )
    for messages in talks:
        for tools in (None, [ADD]):
            for prompt in (False, True):
                more = {"tools": tools, "add_generation_prompt": prompt}
                assert rendered(tokenizer, messages, **more) == rendered(
                    tokenizer, messages, chat_template=without, **more
                )
