"""Where a list goes on: after the one that was shown last."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from memory.errors import NoPlaceError, NotFoundError

T = TypeVar("T")
P = ParamSpec("P")


def place_of(find: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what `find` finds, after which a list goes on; raises `NoPlaceError` without it."""
    try:
        return find(*args, **kwargs)
    except NotFoundError as error:
        raise NoPlaceError(str(error)) from error
