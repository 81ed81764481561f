"""Parsers of what a model or an answer's code says."""

from __future__ import annotations

import contextlib
import io
import secrets

from pydantic import ValidationError

from adaptation.verifiers.grader_process import Link, run_tests
from adaptation.verifiers.python_tests import code_of
from loadtests.fuzz.target import Broken, text_of
from memory.identity.answers import EXTRACTORS, Answer, extract
from memory.identity.answers.options import AnswerOptions

KINDS = ("auto", *(kind for kind in EXTRACTORS if kind != "regex"))


def answers(data: bytes) -> None:
    """Every kind reads every text, and reads what it found the same way again."""
    text = text_of(data)
    for kind in KINDS:
        found = extract(text, AnswerOptions.model_validate({"kind": kind}))
        if isinstance(found, Answer) and not found.key:
            raise Broken(f"an answer of kind {kind} has no key")
    extract(text, AnswerOptions(), json_output=True)
    code_of(text)


def pattern(data: bytes) -> None:
    """A pattern is taken and has an end, or is refused."""
    written, _, text = text_of(data).partition("\n")
    try:
        options = AnswerOptions(kind="regex", pattern=written)
    except ValidationError:
        return
    extract(text[:200], options)


def replies(data: bytes) -> None:
    """No reply of an answer's process passes tests that ask for what it cannot know."""
    expected = secrets.token_hex(8)
    tests = f"assert add(1, 2) == {expected!r}\nassert abs(add(2, 3)) == {expected!r}"
    link = Link(io.BytesIO(), io.BytesIO(data))
    with contextlib.redirect_stdout(io.StringIO()):
        passed, _ = run_tests(tests, link)
    if passed:
        raise Broken("a reply passed the tests")
