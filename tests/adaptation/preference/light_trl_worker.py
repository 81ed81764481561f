"""The process that has TRL, without TRL: its own wire, and a training that does what is asked."""

from __future__ import annotations

import sys
import time

from adaptation.learning.preference.messages import (
    Answered,
    Checkpoint,
    Measured,
    Order,
    Refused,
    ReinforcementOrder,
    Trained,
)
from adaptation.learning.preference.worker import Wire


def main() -> None:
    """Train, refuse, die or hang, by the name of the model."""
    wire = Wire()
    order = wire.order()
    if order.model == "refuses":
        wire.say(Refused(error="example 1: it is too long"))
    elif order.model == "dies":
        sys.exit("no memory left")
    else:
        wire.say(_trained(order, wire))
        print("what a library prints is no reply")


def _trained(order: Order, wire: Wire) -> Trained:
    figures = {"loss": 0.5}
    if isinstance(order, ReinforcementOrder):
        numbers = tuple(range(len(order.prompts) + len(order.held_out)))
        answers = tuple(f"answer {number}" for number in numbers)
        figures["reward"] = sum(wire.ask(Answered(answers=answers, numbers=numbers)))
    wire.say(Measured(step=1, total=1, figures=figures))
    made = Checkpoint(step=1, folder=order.folder / "adapters" / "1")
    wire.say(made)
    if order.model == "hangs":
        time.sleep(600)
    return Trained(
        folder=made.folder,
        steps=1,
        tokens=7,
        parameters=3,
        hyperparameters=order.hyperparameters.resolved(8),
        learning_rate=0.1,
        checkpoints=(made,),
    )


if __name__ == "__main__":
    main()
