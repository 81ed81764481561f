"""The process that has TRL: `python -m adaptation.learning.preference.worker`.

One order comes on stdin, and then the grades that it asks for; what it says goes to stdout, one
JSON object a line. It ends when it is done, and with its parent.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from adaptation.learning.preference.messages import (
    ORDER,
    Answered,
    Grades,
    Order,
    Refused,
    Reply,
    Trained,
)


class Wire:
    """Stdin and the real stdout; what libraries print goes to stderr."""

    def __init__(self) -> None:
        self._out = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
        os.dup2(2, 1)

    def order(self) -> Order:
        """Return what is to be trained."""
        return ORDER.validate_json(sys.stdin.readline())

    def say(self, reply: Reply) -> None:
        """Send one reply."""
        self._out.write(reply.model_dump_json() + "\n")
        self._out.flush()

    def ask(self, answered: Answered) -> Sequence[float]:
        """Have the parent grade answers, and wait for it."""
        self.say(answered)
        line = sys.stdin.readline()
        if not line:
            os._exit(0)  # the parent has given it up
        return Grades.model_validate_json(line).scores


def main() -> None:
    """Train what is ordered."""
    wire = Wire()
    try:
        order = wire.order()
        _prepare(order.device)
        wire.say(_train(order, wire))
    except ValueError as error:
        wire.say(Refused(error=str(error)))


def _prepare(device: str) -> None:
    """See one device at most, as TRL does not share; and leave vLLM out: TRL would import it."""
    os.environ["CUDA_VISIBLE_DEVICES"] = only(device, os.environ.get("CUDA_VISIBLE_DEVICES"))
    sys.modules["vllm"] = None  # type: ignore[assignment]  # reads as not installed


def only(device: str, visible: str | None) -> str:
    """Return what `CUDA_VISIBLE_DEVICES` has to be for one device, numbered among the visible.

    Raises `ValueError` where it is not among them.
    """
    number = int(device.partition(":")[2] or 0)
    if visible is None:
        return str(number)
    names = visible.split(",")
    if device.startswith("cuda") and number >= len(names):
        raise ValueError(f"there is no device {device}: CUDA_VISIBLE_DEVICES is {visible!r}")
    return names[number]


def _train(order: Order, wire: Wire) -> Trained:
    if order.method == "dpo":
        from adaptation.learning.preference import dpo

        return dpo.train(order, wire.say)
    from adaptation.learning.preference import grpo

    return grpo.train(order, wire.say, wire.ask)


if __name__ == "__main__":
    main()
