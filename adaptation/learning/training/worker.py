"""The trainer's own process: `python -m adaptation.learning.training.worker --model PATH`.

Loads the base once, says it is ready, then answers requests, one JSON object a line on stdin and
stdout. Jobs train at once, a step of all of them at a time; what else is asked is answered between
two steps. A failed request is answered and forgotten; the end of stdin ends the process, so it
never outlives its parent.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import gc
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from adaptation.learning.training.chat import Template
from adaptation.learning.training.messages import (
    Align,
    Check,
    Done,
    Failed,
    Generate,
    Measure,
    Ready,
    Step,
    Train,
)
from adaptation.learning.training.trainer import TrainingResult
from adaptation.learning.training.wire import Inbox, Wire

if TYPE_CHECKING:
    from adaptation.learning.service.watch import Descent

IDLE_S = 5.0
"""Without a request, after which what was freed is returned to the system."""


def main() -> None:
    """Load the model and serve until stdin ends."""
    options = _parse()
    wire = Wire()
    try:
        worker = Worker(wire, options)
    except Exception as error:  # noqa: BLE001  the process boundary: the parent reports it
        wire.say(Failed(id=None, error=describe(error)))
        sys.exit(1)
    worker.serve()


class Worker:
    """The resident model and what can be asked of it."""

    def __init__(self, wire: Inbox, options: argparse.Namespace) -> None:
        check_folder(options.model)
        # transformers imports them for one way of sampling and one loss that we do not use: nearly
        # half of the time that a start takes. None reads as not installed.
        sys.modules.update(dict.fromkeys(("sklearn", "scipy")))  # type: ignore[arg-type]
        gc.disable()  # a third of the time that the imports take
        import torch

        from adaptation.learning.service.base import Base
        from adaptation.learning.service.scheduler import Scheduler

        gc.freeze()  # what was imported stays
        gc.enable()
        if options.threads:
            torch.set_num_threads(options.threads)
        torch.set_flush_denormal(True)  # a CPU takes a hundred times as long for such a number
        self._wire = wire
        self._base = Base.load(options.model, read_template(options.template), options.device)
        self._scheduler = Scheduler(self._base)

    def serve(self) -> None:
        """Answer requests for ever."""
        base = self._base
        held = base.device_bytes
        self._wire.say(
            Ready(parameters=base.n_parameters, device=str(base.device), device_bytes=held)
        )
        while True:
            is_idle = self._scheduler.is_idle
            if is_idle and not self._wire.comes_within(IDLE_S):
                give_memory_back()
            for request, given in self._wire.take(wait=is_idle):
                if isinstance(request, Train):
                    self._train(request, given)
                else:
                    self._answer(request)
            try:
                self._scheduler.step()
            except Exception as error:  # noqa: BLE001  of no job: nothing can be trained any more
                print(f"training is broken: {describe(error)}", file=sys.stderr)
                os._exit(1)

    def _train(self, request: Train, given: float) -> None:
        from adaptation.learning.service.job import Control

        def on_step(descent: Descent) -> None:
            self._wire.say(
                Step(
                    id=request.id,
                    done=descent.steps,
                    total=request.job.recipe.steps,
                    loss=descent.losses[-1],
                    tokens=descent.tokens,
                )
            )

        def on_end(end: TrainingResult | Exception) -> None:
            if isinstance(end, Exception):
                self._end(Failed(id=request.id, error=describe(end)))
            else:
                self._end(Done(id=request.id, result=end))

        control = Control(self._wire.cancelled(request.id), request.soft_s, on_step, given)
        self._scheduler.submit(request.job, control, on_end)

    def _answer(self, request: Generate | Check | Measure | Align) -> None:
        reply: Done | Failed
        try:
            if isinstance(request, Generate):
                reply = self._generate(request)
            elif isinstance(request, Measure):
                reply = self._measure(request)
            elif isinstance(request, Align):
                reply = self._align(request)
            else:
                reply = self._check(request)
        except Exception as error:  # noqa: BLE001  the process boundary: the next one may work
            reply = Failed(id=request.id, error=describe(error))
            self._recover(error)
        self._end(reply)

    def _end(self, reply: Done | Failed) -> None:
        assert reply.id is not None
        self._wire.forget(reply.id)
        self._wire.say(reply)

    def _generate(self, request: Generate) -> Done:
        from adaptation.learning.service.decoding import generate

        generated = generate(
            self._base,
            request.conversations,
            request.adapter,
            request.max_new_tokens,
            self._wire.cancelled(request.id),
            lambda done, total: self._wire.say(Step(id=request.id, done=done, total=total)),
            request.draw,
        )
        return Done(id=request.id, generated=generated)

    def _measure(self, request: Measure) -> Done:
        from adaptation.learning.service.measuring import measure

        cancelled, limit = self._wire.cancelled(request.id), request.max_tokens
        found = measure(self._base, request.conversations, request.adapter, limit, cancelled)
        return Done(id=request.id, measured=found)

    def _align(self, request: Align) -> Done:
        from adaptation.learning.service.aligning import align

        cancelled, limit = self._wire.cancelled(request.id), request.max_tokens
        found = align(self._base, request.conversations, request.reference, limit, cancelled)
        return Done(id=request.id, aligned=found)

    def _check(self, request: Check) -> Done:
        from adaptation.learning.training.sequences import obstacle

        found = (obstacle(self._base.chat, each) for each in request.conversations)
        return Done(id=request.id, obstacles=tuple(found))

    def _recover(self, error: Exception) -> None:
        """Give memory back; a broken CUDA context is beyond repair and ends the process."""
        import torch

        if isinstance(error, torch.AcceleratorError):
            print(f"the accelerator failed: {error}", file=sys.stderr)
            os._exit(1)
        if isinstance(error, torch.OutOfMemoryError):
            torch.cuda.empty_cache()


def give_memory_back() -> None:
    """Return what was freed to the system; the C library keeps it otherwise, see `link`."""
    with contextlib.suppress(OSError, AttributeError):  # another C library than GNU's
        ctypes.CDLL(None).malloc_trim(0)


def check_folder(model: str) -> None:
    """Tell of a folder that is not there before seconds go into imports."""
    if Path(model).is_absolute() and not Path(model).is_dir():
        raise ValueError(f"there is no folder {model}: give the folder of a model")


def read_template(option: str) -> Template:
    """A template's source is a file or, as vLLM allows, its own text."""
    template = Template.model_validate_json(option)
    if template.source is None or "{" in template.source:
        return template
    return template.model_copy(update={"source": Path(template.source).read_text()})


def describe(error: Exception) -> str:
    from adaptation.errors import AdaptationError

    if isinstance(error, AdaptationError | ValueError):
        return str(error)
    return f"{type(error).__name__}: {error}"


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m adaptation.learning.training.worker")
    parser.add_argument("--model", required=True, help="folder of the base model")
    parser.add_argument("--template", default="{}", help="a `Template` as JSON")
    parser.add_argument("--threads", type=int, help="CPU threads")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, …")
    return parser.parse_args()


if __name__ == "__main__":
    main()
