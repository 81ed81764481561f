"""The step that is timed at the start is as much work as a request's."""

from __future__ import annotations

from transformers import AutoTokenizer

from adaptation.learning.service.packing import n_rows
from adaptation.learning.training.chat import Chat, Template
from adaptation.learning.training.sequences import to_example
from adaptation.pebble import model_path
from server.warm_up import typical


def test_examples_that_are_timed_share_little_of_their_tokens() -> None:
    chat = Chat(AutoTokenizer.from_pretrained(model_path()), Template())
    examples = [to_example(chat, typical(number), 2048) for number in range(16)]
    assert n_rows(examples) > 0.8 * sum(len(each.token_ids) for each in examples)


def test_conversations_that_are_timed_differ_where_the_question_begins() -> None:
    asked = [typical(number).messages[0].content for number in range(16)]
    assert len({question[:2] for question in asked}) == 16
