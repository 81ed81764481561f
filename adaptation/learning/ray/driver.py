"""Ray's driver, in a process of its own: `python -m adaptation.learning.ray.driver --model PATH`.

Speaks as the trainer's own process does (`training/worker.py`), one JSON object a line, and has the
work done by actors. A process apart, since Ray ends a driver whose cluster is gone: the server goes
on, and `training/resident.py` starts the next driver. The end of stdin ends this one.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from adaptation.errors import TrainerError, TrainerLostError
from adaptation.learning.ray.actor import BUILT_IN, Outcome, Seat, TrainerActor, given_to
from adaptation.learning.ray.cluster import cluster_gpus, connect, in_short
from adaptation.learning.ray.files import read_adapter, write_adapter
from adaptation.learning.ray.placement import Placement, options
from adaptation.learning.training.messages import Cancel, Done, Failed, Train, Work
from adaptation.learning.training.wire import Wire
from adaptation.learning.training.worker import describe, read_template
from adaptation.pebble import model_path

Make = Callable[[], Any]
"""Makes an actor."""
Maker = Callable[[str, str, Placement, str | None], Make]


def main(maker: Maker | None = None) -> None:
    """Join the cluster, place the actors and serve until stdin ends."""
    asked, maker = _parse(), maker or trainers
    placement = Placement.model_validate_json(asked.placement)
    wire = DriverWire()
    try:
        connect(placement.address, asked.folder)
        make = maker(asked.model, asked.template, placement, asked.replier)
    except Exception as error:  # noqa: BLE001  the process boundary: the parent reports it
        wire.say(Failed(id=None, error=describe(error)))
        sys.exit(1)
    asyncio.run(Driver(wire, placement, make).serve())


class DriverWire(Wire):
    """Stdin and stdout; what comes is put into a queue of the driver's loop."""

    def __init__(self) -> None:
        self.requests: asyncio.Queue[Work | Cancel] = asyncio.Queue()
        self.loop: asyncio.AbstractEventLoop | None = None
        super().__init__()

    def put(self, request: Work | Cancel) -> None:
        """Take a request in; none comes before the driver is ready."""
        assert self.loop is not None
        self.loop.call_soon_threadsafe(self.requests.put_nowait, request)


class Driver:
    """Takes requests in, and answers each once."""

    def __init__(self, wire: DriverWire, placement: Placement, make: Callable[[], Any]) -> None:
        self._wire, self._placement, self._make = wire, placement, make
        self._tasks: dict[int, asyncio.Task[None]] = {}
        """What is under way, by the request's id."""

    async def serve(self) -> None:
        """Answer until the way to the cluster is lost, or a task fails by what nobody foresaw: that
        ends the process. The parent starts the next driver, which says what is wrong.
        """
        try:
            async with asyncio.TaskGroup() as tasks:
                await self._serve(tasks)
        except ExceptionGroup as ended:
            print(f"Ray's driver ended: {in_short(describe(ended.exceptions[0]))}", file=sys.stderr)
            os._exit(1)  # at once: Ray's own end can wait for what is lost

    async def _serve(self, tasks: asyncio.TaskGroup) -> None:
        from adaptation.learning.ray.pool import Pool  # Ray, which reads its environment once

        wire, wire.loop = self._wire, asyncio.get_running_loop()
        self._pool = Pool(self._placement, self._make, wire.say, wire.say, tasks)
        try:
            wire.say(await self._pool.ready())
        except TrainerError as error:
            wire.say(Failed(id=None, error=str(error)))
            sys.exit(1)
        while True:
            request = await wire.requests.get()
            if isinstance(request, Cancel):
                tasks.create_task(self._cancel(request.id))
            else:
                self._tasks[request.id] = tasks.create_task(self._do(request))

    async def _do(self, work: Work) -> None:
        reply: Done | Failed
        try:
            reply = await self._done(work)
        except Exception as error:  # noqa: BLE001  the process boundary: the next one may work
            is_lost = isinstance(error, TrainerLostError)
            reply = Failed(id=work.id, error=describe(error), is_lost=is_lost)
        finally:
            del self._tasks[work.id]
        self._wire.say(reply)

    async def _done(self, work: Work) -> Done | Failed:
        folder = given_to(work)
        files = None if folder is None else await asyncio.to_thread(read_adapter, Path(folder))
        outcome = await self._pool.do(work, files)
        if outcome.step is not None:
            self._wire.say(outcome.step)
        return await asyncio.to_thread(received, work, outcome)

    async def _cancel(self, request_id: int) -> None:
        """Have a request given up; it is answered here where it is with no actor."""
        task = self._tasks.get(request_id)
        if task is not None and not await self._pool.cancel(request_id) and task.cancel():
            self._wire.say(Failed(id=request_id, error="the job was cancelled"))


def trainers(model: str, template: str, placement: Placement, replier: str | None = None) -> Make:
    """Return what makes a trainer in the cluster that was joined; `template` is JSON, `replier` a
    module (see `Seat`).
    """
    import ray

    gpus = cluster_gpus() if placement.gpus is None else placement.gpus
    if placement.device == "cpu":
        gpus = 0.0
    elif placement.gpus is None:
        gpus = min(gpus, 1.0)
    seat = Seat(
        model=BUILT_IN if Path(model) == model_path() else model,
        template=read_template(template),
        threads=placement.cpus,
        device=placement.device if gpus else "cpu",
        replier=replier,
    )
    actor = ray.remote(TrainerActor).options(**options(placement, gpus))
    return lambda: actor.remote(seat)


def received(work: Work, outcome: Outcome) -> Done | Failed:
    """Return the reply on this host, and write what was trained to where it was asked for."""
    reply = outcome.reply
    if not isinstance(work, Train) or isinstance(reply, Failed) or reply.result is None:
        return reply
    assert outcome.files is not None, "an actor sends what it trained"
    write_adapter(outcome.files, Path(work.job.output_dir))
    result = reply.result.model_copy(update={"path": work.job.output_dir})
    return reply.model_copy(update={"result": result})


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m adaptation.learning.ray.driver")
    parser.add_argument("--model", required=True, help="folder of the base model")
    parser.add_argument("--template", default="{}", help="a `Template` as JSON")
    parser.add_argument("--placement", default="{}", help="a `Placement` as JSON")
    parser.add_argument("--replier", help="a module whose process replies beside each actor's base")
    parser.add_argument("--folder", required=True, help="for the files of a cluster of one's own")
    return parser.parse_args()


if __name__ == "__main__":
    main()
