"""Nothing holds the event loop for long, whatever a request's body looks like.

Measured is the processor time of the loop's thread between two rounds of the loop, beside that of a
fixed piece of work: other load on the machine does not count, nor how fast the machine is.
"""

from __future__ import annotations

import asyncio
import gc
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.server.composed import ASK, MODEL, Composed, Reply, composed

pytestmark = pytest.mark.filterwarnings("ignore:max_tokens is deprecated:DeprecationWarning")
MOST = 1.5
"""Pieces of work. One takes some 60 ms."""
TRIES = 3
"""Whatever else the machine does can only add to what is measured."""
CHAT, COMPLETIONS, RESPONSES = "/v1/chat/completions", "/v1/completions", "/v1/responses"
FILES = "/v1/files"
MIB = 2**20


@contextmanager
def rounds() -> Iterator[list[float]]:
    """Note the processor seconds of every round of the running loop."""
    loop: Any = asyncio.get_running_loop()
    once, spent = loop._run_once, [0.0]

    def timed() -> None:
        begun = time.thread_time()
        once()
        spent.append(time.thread_time() - begun)

    loop._run_once = timed
    try:
        yield spent
    finally:
        del loop._run_once


def piece_s() -> float:
    """Return the processor seconds of a fixed piece of work, here and now."""
    begun = time.thread_time()
    sum(number * number for number in range(1_000_000))
    return time.thread_time() - begun


def conversation(*contents: str) -> str:
    messages = [{"role": "user", "content": content} for content in contents]
    return json.dumps({**ASK, "max_tokens": 2, "messages": messages})


def many(what: str, count: int) -> str:
    return ", ".join([what] * count)


def form(content: str) -> str:
    """Return the upload of a file."""
    purpose = 'content-disposition: form-data; name="purpose"\r\n\r\nbatch'
    file = f'content-disposition: form-data; name="file"; filename="a"\r\n\r\n{content}'
    return f"--x\r\n{purpose}\r\n--x\r\n{file}\r\n--x--\r\n"


def verified(kind: str, **given: object) -> str:
    return json.dumps({**ASK, "adaptation": {"verifiers": [{"type": kind, **given}]}})


NOTHING = '{"type": "message"}'
TINY = '{"role": "user", "content": "x"}'
HOSTILE = {
    "a million tiny messages": (CHAT, f'{{"messages": [{many(TINY, 500_000)}]}}'),
    "a million empty lists": (CHAT, f'{{"messages": [{many("[]", 1_000_000)}]}}'),
    "two million numbers": (COMPLETIONS, f'{{"prompt": [{many("7", 2_000_000)}]}}'),
    "a million prompts": (COMPLETIONS, f'{{"prompt": [{many(chr(34) * 2, 1_000_000)}]}}'),
    "many properties": (
        CHAT,
        json.dumps({"response_format": {"type": "json_schema", "json_schema": {
            "name": "s", "schema": {"type": "object", "properties": {
                f"p{number}": {"type": "string"} for number in range(100_000)
            }}}}, **ASK}),
    ),
    "deep nesting": (CHAT, '{"messages": ' + "[" * 5_000 + "]" * 5_000 + "}"),
    "a long text": (CHAT, conversation("a " * MIB)),
    "as many messages as are allowed": (CHAT, conversation(*["x"] * 1024)),
    "a verifier's schema of many parts": (CHAT, verified("json_schema", schema={
        "allOf": [{}] * 15_000
    })),
    "a verifier's schema that is too long": (CHAT, verified("json_schema", schema={
        "properties": {f"p{number}": {"type": "string"} for number in range(30_000)}
    })),
    "a verifier's tests of many lines": (CHAT, verified("python", tests="a\n" * 50_000)),
    "a text with many escapes": (
        CHAT, '{"messages": [{"role": "user", "content": "' + "\\\\" * (MIB - 10_000) + '"}]}'
    ),
    "a text with many quotes": (
        CHAT, '{"messages": [{"role": "user", "content": "' + '\\"x' * 600_000 + '"}]}'
    ),
    "a text longer than any context": (CHAT, conversation("a " * (15 * MIB))),
    "backslashes that stop before the end of a block": (
        CHAT, '{"messages": [{"role": "user", "content": "' + "\\\\" * 30_000 + 'x"}]}'
    ),
    "tiny messages that call themselves a form": (
        CHAT, f'{{"messages": [{many(TINY, 100_000)}]}}'
    ),
    "long words that are forbidden": (CHAT, json.dumps({**ASK, "bad_words": ["a " * 30_000]})),
    "many choices": (
        CHAT, json.dumps({**ASK, "structured_outputs": {"choice": ["a " * 500_000]}})
    ),
    "a long name of a model": (CHAT, json.dumps({**ASK, "model": "a " * (MIB - 1_000)})),
    "as many prompts as are allowed": (
        COMPLETIONS, json.dumps({"prompt": ["x"] * 500, "max_tokens": 1, "model": MODEL})
    ),
    "items of no kind": (RESPONSES, f'{{"input": [{many("{}", 1000)}]}}'),
    "items that say nothing": (RESPONSES, f'{{"input": [{many(NOTHING, 1000)}]}}'),
    "parts of no kind": (RESPONSES, json.dumps(
        {"input": [{"role": "user", "content": [{"type": "nosuch"}] * 6000}]}
    )),
    "white space": (CHAT, " " * (16 * MIB) + "{}"),
    "a long file": (FILES, form("a" * (30 * MIB))),
    "a file of line ends": (FILES, form("\r\n" * (15 * MIB))),
    "a file of beginnings of its end": (FILES, form("\r\n--" * (7 * MIB))),
    "a form of many fields": (FILES, 'content-disposition: form-data; name="a"\r\n\r\n\r\n--x'
        .join(["--x\r\n"] + ["\r\n"] * 500_000)),
}  # fmt: skip

FORM = "multipart/form-data; boundary=x"
TYPES = {
    "": "application/json",
    "tiny messages that call themselves a form": FORM,
    **{name: FORM for name, (path, _) in HOSTILE.items() if path == FILES},
}


@pytest.fixture
async def server(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    async with composed(data_dir.parent, monkeypatch, lambda request: Reply("#### 1")) as server:
        await server.chat()
        await server.post(COMPLETIONS, model=MODEL, prompt="x", max_tokens=3)
        gc.collect()
        # As vLLM does once it has started, in a part that is not run here. It stays so: all that
        # was imported is frozen already (`tests/conftest.py`).
        gc.freeze()
        yield server


@pytest.mark.parametrize("name", HOSTILE)
async def test_no_body_holds_the_loop(server: Composed, name: str) -> None:
    path, body = HOSTILE[name]
    headers = {"content-type": TYPES.get(name, TYPES[""])}
    longest = []
    for _ in range(TRIES):
        with rounds() as spent:
            await asyncio.sleep(0)  # what goes on in this round is not seen
            response = await server.http.post(path, content=body.encode(), headers=headers)
            await asyncio.sleep(0)  # the round in which the answer came has ended
        assert response.status_code < 500
        longest.append(max(spent) / piece_s())
        if longest[-1] < MOST:
            break
    assert min(longest) < MOST, longest


LONG = 4_000
"""Characters of a sample: what fits the built-in model's context, one by one."""
TEXTS = {
    "marks without an answer": ("auto", "#### "),
    "open brackets": ("json", "[1,"),
}


@pytest.mark.parametrize("name", TEXTS)
async def test_no_vote_over_long_texts_holds_the_loop(server: Composed, name: str) -> None:
    kind, part = TEXTS[name]
    texts = [(part * LONG)[: LONG - number] for number in range(8)]
    for text in texts:
        server.core.encode(text)
    order = iter(texts * 8)
    server.core.script = lambda request: Reply(next(order))
    with rounds() as spent:
        given = {"max_samples": 8, "answer": {"kind": kind}}
        report = (await server.chat(adaptation=given))["adaptation"]
        await asyncio.sleep(0)
    assert report["samples"]["finished"] >= 4
    assert max(spent) < MOST * piece_s()
