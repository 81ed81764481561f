"""Of the errors of a union's branches those are told that its value was meant for."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from pydantic import BaseModel, ValidationError

from server.validation import first_error


class Text(BaseModel):
    type: Literal["text"]
    text: str


class Picture(BaseModel):
    type: Literal["picture"]
    url: str
    detail: Literal["low", "high"] = "low"


class User(BaseModel):
    role: Literal["user"]
    content: str | list[Text | Picture]
    name: str = ""


class Tool(BaseModel):
    role: Literal["tool"]
    content: str
    call: str


class Body(BaseModel):
    turns: str | list[User | Tool]


@pytest.mark.parametrize(
    ("turns", "says"),
    [
        (5, "`turns` must be a string or a list"),
        ([5], "`turns.0` must be an object"),
        ([{"role": "tool", "content": "x", "call": 5}], "`turns.0.call` must be a string"),
        ([{"role": "user", "content": "x", "name": 5}], "`turns.0.name` must be a string"),
        ([{"role": "user", "content": 5}], "`turns.0.content` must be a string or a list"),
        ([{"role": "nobody", "content": "x"}], "`turns.0.role` must be one of 'user' or 'tool'"),
        ([{"content": "x"}], "`turns.0.role` is required"),
        (
            [{"role": "user", "content": [{"type": "picture"}]}],
            "`turns.0.content.0.url` is required",
        ),
        (
            [{"role": "user", "content": [{"type": "sound"}]}],
            "`turns.0.content.0.type` must be one of 'text' or 'picture'",
        ),
        (
            [{"role": "user", "content": [{"type": "picture", "url": "x", "detail": "some"}]}],
            "`turns.0.content.0.detail` must be one of 'low' or 'high'",
        ),
    ],
)
def test_the_branch_that_was_meant_is_told(turns: Any, says: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Body.model_validate({"turns": turns})
    assert first_error(caught.value)[0] == says
