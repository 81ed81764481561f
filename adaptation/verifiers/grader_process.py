"""The process of the tests: runs them against stand-ins for what the answer defined.

Runs inside a sandbox of its own. No code of the answer ever runs here: every name the answer
defines is a `Remote`, every result that comes back is of a genuine built-in type, or again a
`Remote`. A `Remote` never lets the answer's own operators see an expected value: compared or
combined with plain data it is unequal or a TypeError, so `__eq__` and `__sub__` tricks gain
nothing. The verdict is written under a nonce that only this process and the server know.
"""

from __future__ import annotations

import builtins
import importlib
import json
import os
import sys
import traceback
from collections.abc import Callable
from types import FunctionType, ModuleType
from typing import Any, BinaryIO

from adaptation.verifiers.crossing import decode, encode, receive, send


class Link:
    """The connection to the answer's process."""

    def __init__(self, calls: BinaryIO, replies: BinaryIO) -> None:
        self._calls, self._replies = calls, replies

    def names(self) -> dict[str, Any]:
        """What the answer defines; raises what its definition raised."""
        announced = self._reply("names")[1]
        # A forged reply may announce `__builtins__`, which the tests' own words are looked up in.
        return {name: decode(form, self._fetch) for name, form in announced if _is_plain(name)}

    def call(self, function: Remote, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call `function` there, and bring home what it did to its arguments."""
        message = ["call", *(encode(part, _hold) for part in (function, args, kwargs))]
        try:
            reply = self._ask(message)
        except StopIteration as error:  # it would end the loop of the tests, as in PEP 479
            raise RuntimeError("the answer raised StopIteration") from error
        result, after = decode(reply[1], self._fetch), decode(reply[2], self._fetch)
        for mine, theirs in zip(args, after, strict=True):
            _update(mine, theirs)
        return result

    def operate(self, name: str, *args: Any) -> Any:
        """Apply a named operation there."""
        return decode(self._ask([name, encode(args, _hold)])[1], self._fetch)

    def _ask(self, message: list[Any]) -> list[Any]:
        send(self._calls, message)
        return self._reply("value")

    def _reply(self, kind: str) -> list[Any]:
        reply = receive(self._replies)
        if reply is None:
            raise EOFError("the answer's process ended")
        if reply[0] == "error":
            raise _exception(str(reply[1]), str(reply[2]))
        if reply[0] != kind:
            raise ValueError("the answer's process broke the protocol")
        return reply

    def _fetch(self, handle: int) -> Remote:
        return Remote(self, handle)


def _is_plain(name: object) -> bool:
    return isinstance(name, str) and name.isidentifier() and not name.startswith("__")


def _both(name: str) -> Callable[[Remote, Any], Any]:
    """An operator between two objects of the answer; with plain data it would disclose it."""

    def operator(self: Remote, other: Any) -> Any:
        return self._do(name, self, other) if isinstance(other, Remote) else NotImplemented

    return operator


class Remote:
    """An object that stayed in the answer's process."""

    __slots__ = ("_handle", "_link")

    def __init__(self, link: Link, handle: int) -> None:
        object.__setattr__(self, "_link", link)
        object.__setattr__(self, "_handle", handle)

    def _do(self, name: str, *args: Any) -> Any:
        link: Link = object.__getattribute__(self, "_link")
        return link.operate(name, *args)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        link: Link = object.__getattribute__(self, "_link")
        return link.call(self, args, kwargs)

    def __getattr__(self, name: str) -> Any:
        return self._do("getattr", self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._do("setattr", self, name, value)

    def __getitem__(self, key: Any) -> Any:
        return self._do("getitem", self, key)

    def __setitem__(self, key: Any, value: Any) -> None:
        self._do("setitem", self, key, value)

    def __delitem__(self, key: Any) -> None:
        self._do("delitem", self, key)

    def __len__(self) -> int:
        return int(self._do("len", self))

    def __bool__(self) -> bool:
        return self._do("bool", self) is True

    def __iter__(self) -> Any:
        return self._do("iter", self)

    def __next__(self) -> Any:
        return self._do("next", self)

    def __repr__(self) -> str:
        return str(self._do("repr", self))

    def __str__(self) -> str:
        return str(self._do("str", self))

    def __hash__(self) -> int:
        return hash(self._do("hash", self))

    def __neg__(self) -> Any:
        return self._do("neg", self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Remote) and self._do("eq", self, other) is True

    def __instancecheck__(self, instance: object) -> bool:
        return isinstance(instance, Remote) and self._do("isinstance", instance, self) is True

    __lt__, __le__, __gt__, __ge__ = _both("lt"), _both("le"), _both("gt"), _both("ge")
    __add__, __sub__, __mul__ = _both("add"), _both("sub"), _both("mul")
    __truediv__, __floordiv__, __mod__ = _both("truediv"), _both("floordiv"), _both("mod")
    __matmul__, __and__, __or__, __xor__ = (
        _both("matmul"),
        _both("and_"),
        _both("or_"),
        _both("xor"),
    )


def _hold(value: Any) -> list[Any]:
    if type(value) is Remote:
        return ["handle", object.__getattribute__(value, "_handle")]
    raise TypeError(f"tests cannot hand a {type(value).__name__} to the answer: only plain data")


def _update(mine: Any, theirs: Any) -> None:
    """Make a mutable argument what the call left of it."""
    if isinstance(mine, list | bytearray) and type(mine) is type(theirs):
        mine[:] = theirs
    elif isinstance(mine, dict | set) and type(mine) is type(theirs):
        mine.clear()
        mine.update(theirs)


def _exception(name: str, message: str) -> Exception:
    """The built-in exception of that name; any other is a RuntimeError."""
    kind = getattr(builtins, name, None)
    if isinstance(kind, type) and issubclass(kind, Exception):
        try:
            return kind(message)
        except TypeError:
            pass
    return RuntimeError(f"{name}: {message}")


def namespace_of(names: dict[str, Any]) -> dict[str, Any]:
    """What the tests see: the answer's names, but never its idea of `len`, `abs` or `math`.

    Those are what tests judge with. Where the answer is meant to define such a name, the tests get
    it by `from solution import NAME`.
    """
    module = ModuleType("solution")
    vars(module).update(names)
    sys.modules["solution"] = module
    seen = {name: value for name, value in names.items() if not hasattr(builtins, name)}
    vars(module)["__all__"] = [name for name in seen if name not in sys.stdlib_module_names]
    for name in seen.keys() & sys.stdlib_module_names:
        seen[name] = importlib.import_module(name)
    return {**seen, "__name__": "tests"}


def run_tests(tests: str, link: Link) -> tuple[bool, str]:
    """Run the tests' statements, then their `test_…` functions."""
    count = 0
    try:
        namespace = namespace_of(link.names())
        exec(compile(tests, "tests.py", "exec"), namespace)
        for name, value in list(namespace.items()):
            if name.startswith("test") and type(value) is FunctionType:
                value()
                count += 1
    except BaseException as error:  # noqa: BLE001  (whatever ends the tests early is a failure)
        return False, _explain(error)
    return True, f"all tests passed ({count} functions)" if count else "all tests passed"


def _explain(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == "tests.py"]
    where = f" (line {lines[-1]} of the tests)" if lines else ""
    return f"{type(error).__name__}: {str(error)[:300]}{where}"


def grade(outgoing: int, incoming: int) -> None:
    """Entry point: nonce and tests are on stdin; what the tests print goes to stderr."""
    order = json.loads(sys.stdin.buffer.read())
    verdict = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    link = Link(os.fdopen(outgoing, "wb"), os.fdopen(incoming, "rb"))
    passed, detail = run_tests(order["tests"], link)
    verdict.write(json.dumps([order["nonce"], passed, detail]))
    verdict.flush()
    os._exit(0)
