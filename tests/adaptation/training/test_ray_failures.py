"""What an error of Ray's says of the work that was asked for."""

from __future__ import annotations

import pytest

from adaptation.errors import TrainerError, TrainerLostError


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
