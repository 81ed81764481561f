"""No test passes by doing nothing: each asserts something, or expects an error or a warning."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parent
EXPECTING = {"raises", "warns", "fail", "skip", "wait_until", "run_state_machine_as_test"}
Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions() -> Iterator[tuple[Path, Function]]:
    for path in sorted(TESTS.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, Function):
                yield path, node


def called(function: Function) -> set[str]:
    """The last names of what it calls."""
    callees = [node.func for node in ast.walk(function) if isinstance(node, ast.Call)]
    attributes = {callee.attr for callee in callees if isinstance(callee, ast.Attribute)}
    return attributes | {callee.id for callee in callees if isinstance(callee, ast.Name)}


def claims(function: Function) -> bool:
    return any(isinstance(node, ast.Assert) for node in ast.walk(function))


def test_every_test_can_fail_by_what_it_says() -> None:
    everything = list(functions())
    helpers = {one.name for _, one in everything if claims(one)} | EXPECTING
    tests = [(path, one) for path, one in everything if one.name.startswith("test_")]
    silent = [
        f"{path.relative_to(TESTS)}: {one.name}"
        for path, one in tests
        if not claims(one) and not called(one) & helpers
    ]
    assert len(tests) > 500
    assert silent == []


def test_a_test_that_says_nothing_would_be_seen() -> None:
    parsed = ast.parse("def test_nothing():\n    work()\n").body[0]
    assert isinstance(parsed, ast.FunctionDef)
    assert not claims(parsed)
    assert called(parsed) == {"work"}
