"""The process of the answer: defines what the answer's code defines and obeys calls from the tests.

Runs inside the sandbox. It never sees the tests, only the arguments of the calls; whatever the
answer's code does to this process it does to itself, and a forged reply is just a return value.
"""

from __future__ import annotations

import builtins
import operator
import os
import sys
from types import ModuleType
from typing import Any, BinaryIO

from adaptation.verifiers.crossing import decode, encode, receive, send

_OPERATORS = "add sub mul truediv floordiv mod matmul and_ or_ xor neg getitem eq lt le gt ge"
_BUILTINS = "len iter next repr str bool isinstance getattr setattr hash"
OPERATIONS: dict[str, Any] = {
    **{name: getattr(operator, name) for name in _OPERATORS.split()},
    **{name: getattr(builtins, name) for name in _BUILTINS.split()},
    "setitem": operator.setitem,
    "delitem": operator.delitem,
}


class Held:
    """The objects the tests hold handles to."""

    def __init__(self) -> None:
        self.objects: list[Any] = []

    def hold(self, value: Any) -> list[Any]:
        """File `value` under a new handle."""
        self.objects.append(value)
        return ["handle", len(self.objects) - 1]


def main(code: str, calls: BinaryIO, replies: BinaryIO) -> None:
    """Define, announce the names, then serve until the tests are done."""
    module, held = ModuleType("solution"), Held()
    sys.modules["solution"] = module  # dataclasses look themselves up here
    namespace = vars(module)
    try:
        exec(compile(code, "solution.py", "exec"), namespace)
    except Exception as error:  # noqa: BLE001  (the answer may raise whatever it likes)
        send(replies, ["error", type(error).__name__, str(error)[:500]])
        return
    names = [name for name in namespace if not name.startswith("__")]
    send(replies, ["names", [[name, encode(namespace[name], held.hold)] for name in names]])
    while (message := receive(calls)) is not None:
        send(replies, obey(message, held))


def obey(message: list[Any], held: Held) -> list[Any]:
    """Do one call: `["call", function, args, kwargs]` or `[operation, args]`.

    The reply carries the positional arguments as the call left them, as functions may sort in
    place.
    """
    try:
        fetch = held.objects.__getitem__
        if message[0] == "call":
            function = decode(message[1], fetch)
            args, kwargs = decode(message[2], fetch), decode(message[3], fetch)
        else:
            function, args, kwargs = OPERATIONS[message[0]], decode(message[1], fetch), {}
        result = function(*args, **kwargs)
        return ["value", encode(result, held.hold), encode(args, held.hold)]
    except Exception as error:  # noqa: BLE001  (what the answer's code raises is the reply)
        return ["error", type(error).__name__, str(error)[:500]]


def serve(incoming: int, outgoing: int) -> None:
    """Entry point: the code is on stdin; what it prints goes to stderr."""
    code = sys.stdin.buffer.read().decode("utf-8", "surrogatepass")
    os.dup2(2, 1)
    main(code, os.fdopen(incoming, "rb"), os.fdopen(outgoing, "wb"))
