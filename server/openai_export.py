"""What OpenAI lets its users take along, as lines that memory can read.

Fine-tuning files (supervised, preference, reinforcement), and evals with their items. Which of an
item's fields is the question and which the answer is told by the eval itself, by name otherwise.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adaptation.grading.errors import GradingError
from adaptation.grading.templates import render, value_at
from memory.errors import InvalidImportError

QUESTIONS = ("messages", "input", "question", "prompt", "query", "instruction")
ANSWERS = (
    "ideal", "answer", "reference_answer", "correct_answer", "expected", "expected_output",
    "ground_truth", "reference", "label", "target",
)  # fmt: skip
"""Fields that are taken where the eval does not say, the first there is."""
ITEMS = ("items", "data", "output_items")
"""Where an exported eval holds its items."""
ITEM = frozenset({"item", "datasource_item"})
"""Keys of which an item has one."""
PREFERENCE = frozenset({"input", "preferred_output", "non_preferred_output"})
Fields = dict[str, Any]


@dataclass(frozen=True)
class Mapped:
    """Where an item's question and its answer stand."""

    question: str | None = None
    """A field's name."""
    answer: str | None = None
    template: Sequence[Mapping[str, Any]] | None = None
    """Messages with templates."""
    reference: str | None = None
    """A template of the answer."""


def eval_in(text: str) -> Fields | None:
    """Return the eval that a file is as a whole, None where it is of another kind.

    A run, a list of runs, and a page of what the API lists (`{"object": "list", "data": […]}`) are
    evals that tell less. Of a page of several evals nobody knows whose an item is.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if isinstance(value, dict) and isinstance(value.get("eval"), dict):
        value = value | value["eval"]
    is_page = isinstance(value, dict) and value.get("object") == "list"
    members = _dicts(value) if is_page else _dicts(value if isinstance(value, list) else [value])
    evals = [each for each in members if isinstance(each.get("testing_criteria"), list)]
    runs = [each for each in members if isinstance(each.get("data_source"), dict)]
    items = [each for each in members if is_page and ITEM.intersection(each)]
    if len(evals) > 1 or not (evals or runs or items):
        return None
    found = evals[0] if evals else {"testing_criteria": []}
    more = {"runs": runs, "items": items}
    return found | {name: [*_dicts(found.get(name)), *each] for name, each in more.items()}


def mapped(*evals: Mapping[str, Any]) -> Mapped:
    """Return where items hold questions and answers, as far as evals, or parts of one, tell."""
    found = {
        "testing_criteria": [each for part in evals for each in part["testing_criteria"]],
        "runs": [each for part in evals for each in _dicts(part.get("runs"))],
    }
    references = [each.get("reference") for each in found["testing_criteria"] if _is_of_item(each)]
    for run in _dicts(found.get("runs")):
        asked = _dict(_dict(run.get("data_source")).get("input_messages"))
        if isinstance(asked.get("template"), list):
            return Mapped(template=asked["template"], reference=next(iter(references), None))
        if isinstance(asked.get("item_reference"), str):
            name = asked["item_reference"].removeprefix("item.")
            return Mapped(question=name, reference=next(iter(references), None))
    return Mapped(reference=next(iter(references), None))


def items_of(found: Mapping[str, Any]) -> Iterator[Fields]:
    """Yield the items that an eval brings along, its runs' included."""
    for holder in (found, *_dicts(found.get("runs"))):
        for name in ITEMS:
            yield from _dicts(holder.get(name))
        source = _dict(_dict(holder.get("data_source")).get("source"))
        yield from _dicts(source.get("content"))


def line_of(fields: Fields, where: Mapped, *, takes_preferred: bool) -> Fields:
    """Return a line that memory reads; raises `InvalidImportError`, which says what is wrong."""
    if fields.keys() >= PREFERENCE:
        return _preferred(fields, takes_preferred=takes_preferred)
    item = fields.get("item", fields.get("datasource_item"))
    if isinstance(item, dict):
        return _solved(item, where, _dict(fields.get("sample")).get("input"))
    messages = fields.get("messages")
    if isinstance(messages, list) and messages and _dict(messages[-1]).get("role") == "user":
        return _solved(fields, Mapped(answer=where.answer, reference=where.reference))
    return fields


def _preferred(fields: Fields, *, takes_preferred: bool) -> Fields:
    if not takes_preferred:
        raise InvalidImportError(
            "the line is a preference: give --preferred to learn its preferred output as a solution"
        )
    asked, said = _dict(fields["input"]), fields["preferred_output"]
    if not isinstance(asked.get("messages"), list) or not isinstance(said, list):
        raise InvalidImportError(
            '"input.messages" and "preferred_output" are not lists of messages'
        )
    return asked | {"messages": [*asked["messages"], *said]}


def _solved(item: Fields, where: Mapped, asked: Any = None) -> Fields:
    """Return an item as a conversation that ends in its answer; `asked` is what a run asked."""
    said = {"role": "assistant", "content": _answer(item, where)}
    shaping = {key: item[key] for key in ("tools", "response_format") if item.get(key)}
    return {"messages": [*_question(item, where, asked), said], **shaping}


def _question(item: Fields, where: Mapped, asked: Any) -> list[Any]:
    if where.template is not None:
        return [_filled(message, item) for message in where.template]
    if where.question is None and isinstance(asked, list) and asked:
        return asked
    given = _field(item, where.question, QUESTIONS, "question")
    if isinstance(given, list):
        return given
    return [{"role": "user", "content": _as_text(given)}]


def _filled(message: Any, item: Fields) -> Fields:
    found = _dict(message)
    content = found.get("content")
    if isinstance(content, dict):
        content = content.get("text")
    if not isinstance(content, str):
        raise InvalidImportError("the eval's messages are not texts: name the field by --question")
    return {"role": found.get("role"), "content": _render(content, item)}


def _answer(item: Fields, where: Mapped) -> str:
    if where.answer is None and where.reference is not None:
        return _render(where.reference, item)
    return _as_text(_field(item, where.answer, ANSWERS, "answer"))


def _field(item: Fields, name: str | None, known: Sequence[str], what: str) -> Any:
    if name is not None:
        try:
            return value_at(f"item.{name}", {"item": item})
        except GradingError as error:
            raise InvalidImportError(f"the item has no {what}: {error}") from error
    found = next((key for key in known if item.get(key) not in (None, "", [])), None)
    if found is None:
        there = ", ".join(sorted(item)[:8]) or "none"
        told = f"the item has the fields {there}: name the {what}'s by --{what}"
        raise InvalidImportError(told)
    return item[found]


def _render(template: str, item: Fields) -> str:
    try:
        return render(template, {"item": item})
    except GradingError as error:
        raise InvalidImportError(f"the item does not fit its eval: {error}") from error


def _is_of_item(criterion: Any) -> bool:
    """Whether a criterion holds the output against something of the item."""
    found = _dict(criterion)
    is_equal = found.get("type") == "text_similarity" or found.get("operation") in ("eq", "ilike")
    of_output = "sample.output_text" in str(found.get("input"))
    return is_equal and of_output and "item." in str(found.get("reference"))


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _dict(value: Any) -> Fields:
    return value if isinstance(value, dict) else {}


def _dicts(value: Any) -> list[Fields]:
    """Return the objects of a list, or of a page that has them as `data`."""
    if isinstance(value, dict):
        value = value.get("data")
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
