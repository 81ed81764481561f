"""The wire form of graders: https://platform.openai.com/docs/api-reference/graders."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, Field, field_validator, model_validator

from memory.types import Given


def _sound(value: dict[str, Any]) -> dict[str, Any]:
    """Refuse what can be read as JSON and not be written as such."""
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError as error:
        raise ValueError("must not hold half of a surrogate pair, which is no character") from error
    except (ValueError, RecursionError) as error:
        raise ValueError("must be JSON: no NaN, nothing infinite, not nested too deep") from error
    return value


JsonObject = Annotated[dict[str, Any], AfterValidator(_sound)]
MOST_CHARS = 100_000
"""Most characters of a template, a text or a program."""
Text = Annotated[str, Field(max_length=MOST_CHARS)]
Name = Annotated[str, Field(min_length=1, max_length=256)]
Metric = Literal[
    "cosine", "fuzzy_match", "bleu", "gleu", "meteor",
    "rouge_1", "rouge_2", "rouge_3", "rouge_4", "rouge_5", "rouge_l",
]  # fmt: skip
Threshold = Annotated[float | None, Field(allow_inf_nan=False)]


class Part(Given):
    """A piece of a message: text, or a picture's or sound's place."""

    type: Literal["input_text", "output_text", "input_image", "input_audio"]
    text: Text | None = None
    image_url: Text | None = None
    detail: Literal["auto", "low", "high"] | None = None
    input_audio: JsonObject | None = None

    @model_validator(mode="after")
    def _holds_what_it_is(self) -> Part:
        needed = {"input_image": "image_url", "input_audio": "input_audio"}.get(self.type, "text")
        if getattr(self, needed) is None:
            raise ValueError(f"a part of type {self.type} needs `{needed}`")
        return self


Content: TypeAlias = "Text | Part | tuple[Text | Part, ...]"


class InputMessage(Given):
    """A message with templates in it."""

    role: Literal["user", "assistant", "system", "developer"]
    content: Content
    type: Literal["message"] | None = None


Messages = Annotated[tuple[InputMessage, ...], Field(min_length=1, max_length=256)]


class SamplingParams(Given):
    """How a model that grades is sampled."""

    max_completions_tokens: Annotated[int | None, Field(ge=1)] = None
    reasoning_effort: str | None = None
    seed: int | None = None
    temperature: Annotated[float | None, Field(ge=0, le=2)] = None
    top_p: Annotated[float | None, Field(gt=0, le=1)] = None


class _Shown(Given):
    """A grader, also as OpenAI shows it in an eval, where it has an `id`."""

    @model_validator(mode="before")
    @classmethod
    def _without_id(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {key: each for key, each in value.items() if key != "id"}


class StringCheck(_Shown):
    """Compares two texts."""

    type: Literal["string_check"]
    name: Name
    input: Text
    reference: Text
    operation: Literal["eq", "ne", "like", "ilike"]


class TextSimilarity(_Shown):
    """Measures how alike two texts are."""

    type: Literal["text_similarity"]
    name: Name
    input: Text
    reference: Text
    evaluation_metric: Metric
    pass_threshold: Threshold = None


class LabelModel(_Shown):
    """Has a model choose one of the labels."""

    type: Literal["label_model"]
    name: Name
    model: Name
    input: Messages
    labels: Annotated[tuple[Name, ...], Field(min_length=1, max_length=256)]
    passing_labels: Annotated[tuple[Name, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _passing_are_labels(self) -> LabelModel:
        if unknown := [each for each in self.passing_labels if each not in self.labels]:
            raise ValueError(f"`passing_labels` must be among `labels`: {unknown[0]!r} is not")
        return self


class ScoreModel(_Shown):
    """Has a model give a number."""

    type: Literal["score_model"]
    name: Name
    model: Name
    input: Messages
    range: Annotated[tuple[float, float], Field()] = (0.0, 1.0)
    sampling_params: SamplingParams | None = None
    pass_threshold: Threshold = None

    @field_validator("range")
    @classmethod
    def _rises(cls, value: tuple[float, float]) -> tuple[float, float]:
        if not float("-inf") < value[0] < value[1] < float("inf"):
            raise ValueError("must be two numbers, the lower one first")
        return value


class Python(_Shown):
    """Runs `grade(sample, item)` of a program."""

    type: Literal["python"]
    name: Name
    source: Annotated[str, Field(min_length=1, max_length=256_000)]
    image_tag: Annotated[str | None, Field(max_length=256)] = None
    """OpenAI's choice of an image; here there is one, with Python's standard library alone."""
    pass_threshold: Threshold = None


Single: TypeAlias = StringCheck | TextSimilarity | LabelModel | ScoreModel | Python


class Multi(_Shown):
    """Reckons one score from those of several graders."""

    type: Literal["multi"]
    name: Name
    graders: Annotated[dict[str, Single], Field(min_length=1, max_length=32)]
    """By the name that the formula calls each."""
    calculate_output: Annotated[str, Field(min_length=1, max_length=2_000)]
    pass_threshold: Threshold = None

    @field_validator("graders", mode="before")
    @classmethod
    def _by_name(cls, value: Any) -> Any:
        """Take one grader alone, as the API's description has it, under its own name."""
        alone = isinstance(value, dict) and isinstance(value.get("type"), str)
        return {value.get("name"): value} if alone else value


Grader: TypeAlias = StringCheck | TextSimilarity | LabelModel | ScoreModel | Python | Multi
