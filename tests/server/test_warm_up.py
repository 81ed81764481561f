"""The step that is timed at the start is as much work as a request's."""

from __future__ import annotations

from server.warm_up import typical


def test_conversations_that_are_timed_differ_where_the_question_begins() -> None:
    asked = [typical(number).messages[0].content for number in range(16)]
    assert len({question[:2] for question in asked}) == 16
