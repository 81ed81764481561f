"""Of the errors of a union's branches those are told that its value was meant for."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, ValidationError, model_validator

from server.refusals.validation import first_error


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


class Chosen(BaseModel):
    """A choice that must be among the words."""

    type: Literal["chosen"]
    words: list[str]
    choice: str

    @model_validator(mode="after")
    def _is_among_the_words(self) -> Chosen:
        if self.choice not in self.words:
            raise ValueError("`choice` must be among `words`")
        return self


class Written(BaseModel):
    """Another branch."""

    type: Literal["written"]
    text: str


class Form(BaseModel):
    """Either of the two, and a number or a word."""

    part: Chosen | Written = Written(type="written", text="")
    epochs: Literal["auto"] | Annotated[int, Field(ge=1)] = "auto"


def test_what_a_branch_says_of_the_whole_value_is_told() -> None:
    part = {"type": "chosen", "words": ["a"], "choice": "b"}
    with pytest.raises(ValidationError) as caught:
        Form.model_validate({"part": part})
    message, param = first_error(caught.value)
    assert (param, "`choice` must be among `words`" in message) == ("part", True)


@pytest.mark.parametrize(
    ("given", "said"), [(0, "at least 1"), ("x", "a whole number"), (1.5, "a whole number")]
)
def test_a_word_or_a_number_are_both_told(given: object, said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Form.model_validate({"epochs": given})
    assert first_error(caught.value) == (f"`epochs` must be one of 'auto' or {said}", "epochs")
