"""What an error of Ray's says of the work that was asked for, and a silence of the cluster."""

from __future__ import annotations

import threading

import pytest

from adaptation.errors import TrainerError, TrainerLostError
from adaptation.learning.ray.cluster import keep_in_touch

SILENT_S = 0.2


def test_work_that_its_actor_refused_was_not_lost() -> None:
    exceptions = pytest.importorskip("ray.exceptions")
    from adaptation.learning.ray.place import failure

    def raised(cause: Exception) -> Exception:
        """What a method of an actor raised, as whoever asked receives it."""
        where = {"proctitle": "", "pid": 1, "ip": "127.0.0.1"}
        error: Exception = exceptions.RayTaskError("ask", "Traceback", cause, **where)
        return error

    full = failure(raised(TrainerError("the adapter cannot be written: no space left")))
    assert type(full) is TrainerError
    assert str(full) == "the adapter cannot be written: no space left"
    gone = exceptions.ObjectLostError("0" * 56, None, "")
    for lost in (exceptions.ActorDiedError(), exceptions.NodeDiedError("x"), gone, raised(gone)):
        assert type(failure(lost)) is TrainerLostError


async def test_a_cluster_that_is_silent_or_refuses_is_lost() -> None:
    answers, released = iter((1.0, 1.0)), threading.Event()

    def ask() -> None:
        if next(answers, None) is None:
            released.wait()

    with pytest.raises(ConnectionError, match=r"no answer in 0\.2 s"):
        await keep_in_touch(ask, 0.0, SILENT_S)
    released.set()

    def refuse() -> None:
        raise OSError("refused")

    with pytest.raises(OSError, match="refused"):
        await keep_in_touch(refuse, 0.0, SILENT_S)
