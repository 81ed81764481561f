"""Graders grade, and what keeps one from a score is told by OpenAI's flag."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from pydantic import TypeAdapter

from adaptation.grading.errors import Fault, GradingError, UngradableError
from adaptation.grading.examine import examine
from adaptation.grading.grade import Graded, grade
from adaptation.grading.outcome import Grade, sample_of
from adaptation.grading.specs import Grader
from adaptation.grading.templates import names_in, render

SPEC: TypeAdapter[Any] = TypeAdapter(Grader)
BOTH = {"name": "g", "input": "{{ sample.output_text }}", "reference": "{{ item.answer }}"}
JUDGE = {"name": "g", "model": "m", "input": [{"role": "user", "content": "{{item.answer}}"}]}


class Scripted:
    """A model that answers one text, and remembers what it was asked."""

    def __init__(self, text: str = "", finish_reason: str = "stop", refusal: str | None = None):
        message = {"content": text, "refusal": refusal}
        self.choice = {"message": message, "finish_reason": finish_reason}
        self.asked: list[dict[str, Any]] = []

    async def chat(self, body: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(body)
        used = {"prompt_tokens": 3, "completion_tokens": 2}
        return {"choices": [self.choice], "usage": used}

    async def embeddings(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        return [[float(len(text)), 1.0] for text in texts]


async def graded(
    spec: dict[str, Any], text: str = "Paris", model: Scripted | None = None, **item: Any
) -> Grade:
    names = Graded(sample_of(text), {"answer": "paris", **item}, model or Scripted())
    return await grade(SPEC.validate_python(spec), names)


@pytest.mark.parametrize(
    ("operation", "answer", "score"),
    [
        ("eq", "Paris", 1), ("eq", "paris", 0), ("ne", "paris", 1), ("like", "ari", 1),
        ("like", "PAR", 0), ("ilike", "PAR", 1), ("ilike", "London", 0),
    ],
)  # fmt: skip
async def test_strings_are_compared(operation: str, answer: str, score: float) -> None:
    found = await graded({"type": "string_check", "operation": operation, **BOTH}, answer=answer)
    assert (found.score, found.passed, found.faults) == (score, bool(score), {})


async def test_likeness_passes_above_its_threshold() -> None:
    spec = {"type": "text_similarity", "evaluation_metric": "fuzzy_match", **BOTH}
    found = await graded(spec | {"pass_threshold": 0.8})
    assert (found.score, found.passed) == (0.8, True)
    assert not (await graded(spec | {"pass_threshold": 0.81})).passed
    cosine = await graded(spec | {"evaluation_metric": "cosine"}, answer="Paris")
    assert cosine.score == pytest.approx(1)


async def test_a_model_scores_within_its_range() -> None:
    spec = {"type": "score_model", "range": [1, 5], **JUDGE}
    model = Scripted('{"result": 4}')
    found = await graded(spec, model=model)
    assert (found.score, found.passed, found.usage[0].total_tokens) == (4.0, True, 5)
    (asked,) = model.asked
    assert asked["messages"] == [{"role": "user", "content": "paris"}]
    assert asked["response_format"]["json_schema"]["strict"] is True
    assert asked["adaptation"]["memory"]["write"] is False
    assert not (await graded(spec, model=Scripted('{"result": 2.9}'))).passed


@pytest.mark.parametrize(
    ("model", "fault"),
    [
        (Scripted('{"result": 6}'), Fault.MODEL_PARSE),
        (Scripted('{"result": true}'), Fault.MODEL_PARSE),
        (Scripted('{"result": "4"}'), Fault.MODEL_PARSE),
        (Scripted('{"result": NaN}'), Fault.MODEL_PARSE),
        (Scripted('{"result": 4, "more": 1}'), Fault.MODEL_PARSE),
        (Scripted("4"), Fault.MODEL_PARSE),
        (Scripted('{"resu', finish_reason="length"), Fault.MODEL_PARSE),
        (Scripted("", refusal="No."), Fault.MODEL_REFUSAL),
    ],
)
async def test_a_model_is_believed_only_to_the_letter(model: Scripted, fault: Fault) -> None:
    found = await graded({"type": "score_model", "range": [1, 5], **JUDGE}, model=model)
    assert (found.score, found.passed, [*found.faults]) == (0, False, [fault])


async def test_a_model_labels() -> None:
    spec = {"type": "label_model", "labels": ["good", "bad"], "passing_labels": ["good"], **JUDGE}
    good, bad = Scripted('{"result": "good"}'), Scripted('{"result": "bad"}')
    assert (await graded(spec, model=good)).passed
    assert (await graded(spec, model=bad)).score == 0
    assert [*(await graded(spec, model=Scripted('{"result": "so"}'))).faults] == [Fault.MODEL_PARSE]


@pytest.mark.parametrize(
    ("source", "score", "told"),
    [
        ("def grade(sample, item):\n    return sample['output_text'].lower() == item['answer']",
         1.0, None),
        ("import sys\ndef grade(sample, item):\n    print('x'); return 0.25", 0.25, None),
        ("def grade(sample, item):\n    return item['nothing']", 0, "KeyError: 'nothing'"),
        ("def grade(sample, item):\n    return 'good'", 0, "not a number"),
        ("import os\ndef grade(sample, item):\n    os._exit(0)", 0, "without a score"),
        ("import os\ndef grade(sample, item):\n    os.write(3, b'[\"\", \"score\", 1.0]');"
         " os._exit(0)", 0, "score"),
        ("import socket\ndef grade(sample, item):\n    socket.socket(); return 1", 0, "Error"),
        ("def grade(sample, item):\n    return open('/etc/passwd') and 1", 0, "No such file"),
    ],
)  # fmt: skip
async def test_python_grades_in_the_sandbox(source: str, score: float, told: str | None) -> None:
    found = await graded({"type": "python", "name": "g", "source": source})
    assert found.score == score
    assert (found.faults == {}) is (told is None)
    if told is not None:
        assert told in found.faults[Fault.PYTHON_RUNTIME]


async def test_several_graders_make_one_score() -> None:
    same = {"type": "string_check", "operation": "ilike", **BOTH}
    spec = {
        "type": "multi", "name": "all", "calculate_output": "0.75*a + b/4",
        "graders": {"a": same, "b": {"type": "score_model", **JUDGE}},
    }  # fmt: skip
    found = await graded(spec, model=Scripted('{"result": 0.5}'))
    assert (found.score, found.passed) == (0.875, True)
    assert [part.score for part in found.parts] == [1, 0.5]
    broken = await graded(spec, model=Scripted("no"))
    assert (broken.score, [*broken.faults]) == (0, [Fault.MODEL_PARSE])


def test_templates_are_filled_in_and_what_they_name_must_be_there() -> None:
    names = {"item": {"a": {"b": ["x", 2]}, "t": "{{ item.a }}"}, "sample": sample_of('{"y": 1}')}
    assert render("{{item.a.b[0]}}-{{ item.a.b[1] }}-{{ item.a }}", names) == 'x-2-{"b": ["x", 2]}'
    assert render("{{ item.t }}", names) == "{{ item.a }}", "what is filled in is no template"
    assert render("{{ sample.choices[0].message.content }}", names) == '{"y": 1}'
    assert render("{{ sample.output_json.y }} { } }}", names) == "1 { } }}"
    for name in ("item.b", "item.a.b[2]", "item.a.b.x", "sample.output_json.z", "item.t.x"):
        with pytest.raises(GradingError, match=rf"`{name}`".replace("[", r"\[")):
            render("{{" + name + "}}", names)
    with pytest.raises(UngradableError, match=r"`p` names `system`"):
        names_in("{{ system }}", "p")
    with pytest.raises(UngradableError, match="must begin with"):
        names_in("{{ item[" + "9" * 5000 + "] }}", "p")


@pytest.mark.parametrize(
    ("spec", "param"),
    [
        ({"type": "text_similarity", "evaluation_metric": "meteor", **BOTH}, "g.evaluation_metric"),
        ({"type": "python", "name": "g", "source": "def f(): pass"}, "g.source"),
        ({"type": "python", "name": "g", "source": "def grade("}, "g.source"),
        ({"type": "multi", "name": "m", "calculate_output": "a +", "graders": {
            "a": {"type": "string_check", "operation": "eq", **BOTH}}}, "g.calculate_output"),
        ({"type": "multi", "name": "m", "calculate_output": "b", "graders": {
            "a": {"type": "string_check", "operation": "eq", **BOTH}}}, "g.calculate_output"),
        ({"type": "string_check", "operation": "eq", **BOTH, "reference": "{{item.x}}"},
         "g.reference"),
    ],
)  # fmt: skip
async def test_what_can_never_grade_is_refused(spec: dict[str, Any], param: str) -> None:
    schema = {"properties": {"answer": {"type": "string"}}}
    with pytest.raises(UngradableError) as refused:
        await examine(SPEC.validate_python(spec), "g", schema)
    assert refused.value.param == param
    json.dumps(str(refused.value))
