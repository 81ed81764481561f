"""Parsers of what is learned from and graded by: training files, graders, models, certificates."""

from __future__ import annotations

import asyncio
import json
import math
import struct
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from types import MappingProxyType
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import TypeAdapter, ValidationError

from adaptation.conversion.header import read_header
from adaptation.errors import ConversionError
from adaptation.grading.errors import GradingError, UngradableError
from adaptation.grading.examine import examine
from adaptation.grading.formula import Formula
from adaptation.grading.specs import Grader
from adaptation.grading.templates import names_in, render
from adaptation.learning.preference.examples import read_graded, read_pair
from adaptation.learning.training import refusals as refusing
from loadtests.fuzz.target import Broken, Target, a_folder, text_of
from memory.errors import InvalidImportError
from memory.lines import parse_line
from server.erasure.certificate import ALGORITHM, KIND, _message, signer_of
from server.erasure.signing import SigningKey
from server.finetuning.examples import (
    MOST_CHARACTERS,
    MOST_FAULTS,
    InvalidFileError,
    read_conversations,
    read_file,
)
from server.jobs.cron import check_cron, next_moment
from server.openai_export import Mapped, eval_in, items_of, line_of, mapped
from server.refusals.errors import ApiError
from server.refusals.soundness import sound_object

READERS: tuple[Callable[[dict[str, Any]], Any], ...] = (read_conversations, read_pair, read_graded)
MOST_TOLD = MOST_FAULTS * (MOST_CHARACTERS + 40)
SCORES = (0.0, 0.5, -1.0, 1e308)
_DRAWN = TypeAdapter[Any](Grader)


def training(data: bytes) -> None:
    """A training file is examples, or its faults are told by line in bounded words."""
    parts = [data[start : start + 13] for start in range(0, len(data), 13)]
    for read in READERS:
        try:
            found = read_file(parts, read, least=1)
        except InvalidFileError as error:
            if len(str(error).encode()) > 4 * MOST_TOLD:
                raise Broken("a refusal is longer than its file deserves") from error
            continue
        for line in found:
            each = line.example if isinstance(line.example, tuple) else (line.example,)
            for example in each:
                example.model_dump_json()


def grader(data: bytes) -> None:
    """A grader is refused, or can be written as JSON again."""
    try:
        found = _DRAWN.validate_python(sound_object(data))
    except (ApiError, ValidationError):
        return
    json.dumps(found.model_dump(mode="json"), allow_nan=False).encode()
    if "python" not in (
        found.type,
        *(each.type for each in getattr(found, "graders", {}).values()),
    ):
        with suppress(UngradableError):
            asyncio.run(examine(found, "grader"))


def template(data: bytes) -> None:
    """A template names what there is or is refused, and a value in it is no template."""
    given, _, names = data.partition(b"\n\n")
    text, item = text_of(given), _read(names)
    with suppress(UngradableError):
        names_in(text, "input")
    with suppress(GradingError):
        render(text, {"item": item, "sample": {"output_text": "{{ item.x }}"}})
    if "{{" not in text and render(text, {}) != text:
        raise Broken("a text without a name is not what it was")


def formula(data: bytes) -> None:
    """A formula has a finite value, or none in its own words."""
    try:
        found = Formula(text_of(data))
    except GradingError:
        return
    for score in SCORES:
        with suppress(GradingError):
            if not math.isfinite(found(dict.fromkeys(found.names, score))):
                raise Broken("the value is not finite")


def export(data: bytes) -> None:
    """What OpenAI exports becomes lines, or is refused by name."""
    found = eval_in(data.decode("utf-8-sig", "replace"))
    if found is not None:
        where = mapped(found)
        for item in items_of(found):
            _line(item, where)
    for raw in data.split(b"\n"):
        line = _read(raw)
        if isinstance(line, dict):
            _line(line, Mapped())


def _line(fields: dict[str, Any], where: Mapped) -> None:
    for takes_preferred in (False, True):
        with suppress(InvalidImportError):
            told = json.dumps(line_of(fields, where, takes_preferred=takes_preferred))
            parse_line(told, "ann", trust=False)


def _read(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def cron(data: bytes) -> None:
    """A schedule is kept in one form, and names a moment that comes."""
    try:
        kept = check_cron(text_of(data))
    except ValueError:
        return
    if check_cron(kept) != kept:
        raise Broken("a schedule that was checked is another one when it is checked again")
    now = time.time()
    if next_moment(kept, now) <= now:
        raise Broken("the next moment has passed")


def certificate(data: bytes) -> None:
    """Nobody's document is signed; one of ours is, and none that was changed."""
    given = _read(data)
    if signer_of(given) is not None:
        raise Broken("a certificate was made up")
    statement = {**(given if isinstance(given, dict) else {"given": given}), "type": KIND}
    try:
        value = _key().sign(_message(statement))
    except (ValueError, RecursionError):  # nothing that is no JSON is ever signed
        return
    signature = {"algorithm": ALGORITHM, "public_key": _key().public, "value": value}
    if signer_of({"statement": statement, "signature": signature}) != _key().public:
        raise Broken("a certificate is not known again")
    changed = {**statement, "record": "another"}
    if changed != statement and signer_of({"statement": changed, "signature": signature}):
        raise Broken("a certificate was changed")


@cache
def _key() -> SigningKey:
    return SigningKey(Ed25519PrivateKey.from_private_bytes(bytes(32)))


def refusals(data: bytes) -> None:
    """A file of refusals is read, or refused in words."""
    with a_folder() as folder:
        path = folder / "refusals.jsonl"
        path.write_bytes(data)
        with suppress(ValueError):
            for each in refusing.read(path):
                each.answered(each.refusal).model_dump_json()


def gguf(data: bytes) -> None:
    """A GGUF file says what it is, or is refused by name."""
    with a_folder() as folder:
        path = folder / "model.gguf"
        for written in (data, MAGIC + data):
            path.write_bytes(written)
            try:
                read_header(path)
            except ConversionError as error:
                if str(path) not in str(error):
                    raise Broken("the refusal does not name the file") from error


MAGIC = b"GGUF" + struct.pack("<IQ", 3, 0)
"""Version 3 without tensors; the count of fields follows."""


def _field(name: bytes, kind: int, value: bytes) -> bytes:
    return struct.pack("<Q", len(name)) + name + struct.pack("<I", kind) + value


def _text(value: bytes) -> bytes:
    return struct.pack("<Q", len(value)) + value


TARGETS: Mapping[str, Target] = MappingProxyType(
    {
        "certificate": certificate,
        "cron": cron,
        "export": export,
        "formula": formula,
        "gguf": gguf,
        "grader": grader,
        "refusals": refusals,
        "template": template,
        "training": training,
    }
)
_SAID = b'"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]'
_ASKED = b'"messages": [{"role": "user", "content": "q"}]'
_CHECK = (
    b'{"type": "string_check", "name": "c", "operation": "eq", "input": "{{ sample.output_text }}",'
    b' "reference": "{{ item.answer }}"}'
)
SEEDS: Mapping[str, tuple[bytes, ...]] = MappingProxyType(
    {
        "certificate": (
            b'{"statement": {"type": "whet.erasure.v1", "record": "rec_0"}, "signature":'
            b' {"algorithm": "Ed25519", "public_key": "00", "value": "\xc3\xa9"}}',
            b'{"record": "rec_0", "removed": {"files": 1e999}}',
        ),
        "cron": (b"0 3 * * *", b"*/5 0-6 L 2 MON#1", b"0 0 30 2 *", b"0 0 * * 1-7"),
        "export": (
            b'{"testing_criteria": [' + _CHECK + b'], "runs": {"data": [{"data_source":'
            b' {"input_messages": {"template": [{"role": "user", "content": "{{ item.q }}"}]},'
            b' "source": {"content": [{"item": {"q": "1+1?", "answer": "2"}}]}}}]}}',
            b'{"item": {"question": "1+1?", "ideal": 2}}',
            b"{" + _ASKED + b', "answer": {"a": [1]}}',
            b'{"input": {' + _ASKED + b'}, "preferred_output": [{"role": "assistant", "content":'
            b' "a"}], "non_preferred_output": [{"role": "assistant", "content": "b"}]}',
        ),
        "formula": (b"0.7 * accuracy + 0.3 * max(style, 0)", b"-2 ^ 2 ** -x", b"floor(exp(9) / b)"),
        "gguf": (
            struct.pack("<Q", 2) + _field(b"general.architecture", 8, _text(b"llama"))
            + _field(b"split.count", 2, b"\1\0"),
            struct.pack("<Q", 2) + _field(b"tokenizer.ggml.model", 8, _text(b"gpt2"))
            + _field(b"tokenizer.ggml.eos_token_id", 4, struct.pack("<I", 7)),
            struct.pack("<Q", 1) + _field(b"split.count", 8, _text(b"one")),
            struct.pack("<Q", 1) + _field(b"a", 9, struct.pack("<IQ", 4, 2) + bytes(8)),
            struct.pack("<Q", 1) + _field(b"a", 9, struct.pack("<IQ", 9, 1) * 400),
        ),
        "grader": (
            _CHECK,
            b'{"type": "multi", "name": "m", "graders": {"c": ' + _CHECK + b'},'
            b' "calculate_output": "c ^ 2"}',
            b'{"type": "score_model", "name": "s", "model": "m", "range": [0, 1], "input":'
            b' [{"role": "user", "content": {"type": "input_text", "text": "{{ item.x }}"}}]}',
        ),
        "refusals": (b'{"request": "r", "refusal": "no", "compliance": "yes"}\n', b"\n\xff"),
        "template": (
            b'{{ item.a[0].b }} {{item}}\n\n{"a": [{"b": "{{ item }}"}]}',
            b"{{ item[" + b"9" * 5000 + b"] }}",
            b"{{ sample.output_json.x }}",
        ),
        "training": (
            b"{" + _SAID + b', "tools": []}\n',
            b'{"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "weight": 0,'
            b' "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "{}"}}]}]}\n',
            b'{"input": {' + _ASKED + b'}, "preferred_output": [{"role": "assistant", "content":'
            b' "a"}], "non_preferred_output": [{"role": "assistant", "content": "b"}]}',
            b"{" + _ASKED + b', "reference": 1, "tools": [{}]}',
        ),
    }
)  # fmt: skip
