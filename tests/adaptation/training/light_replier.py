"""An offline engine's process without a model: it echoes, at once or until it is given up."""

from __future__ import annotations

from adaptation.learning.training.messages import Done, Failed, Generate, Ready, Step
from adaptation.learning.training.trainer import Generated
from adaptation.learning.training.wire import Wire

FOR_EVER = "for ever"
"""What is answered only by giving it up."""


def main() -> None:
    wire = Wire()
    wire.say(Ready(parameters=1, device="none"))
    while True:
        for request, _ in wire.take(wait=True):
            assert isinstance(request, Generate)
            texts = tuple(each.messages[-1].content for each in request.conversations)
            wire.say(Step(id=request.id, done=1, total=len(texts)))
            if FOR_EVER in texts:
                wire.cancelled(request.id).wait()
                wire.say(Failed(id=request.id, error="given up"))
                continue
            said = Generated(texts=texts, whole=(True,) * len(texts), tokens=1, seconds=0.0)
            wire.say(Done(id=request.id, generated=said))


if __name__ == "__main__":
    main()
