"""Moments that a line of cron names, in UTC."""

from __future__ import annotations

from datetime import UTC, datetime

from cronsim import CronSim, CronSimError

FIELDS = 5


def check_cron(text: str) -> str:
    """Return five fields of cron as they are kept; raises `ValueError` that says what is wrong."""
    fields = text.split()
    if len(fields) != FIELDS:
        raise ValueError(
            f"{text!r} is no schedule: it takes five fields, minute, hour, day, month and day of "
            'the week, such as "0 3 * * *"'
        )
    cron = " ".join(fields)
    try:
        next(CronSim(cron, datetime.now(UTC)))
    except CronSimError as error:
        raise ValueError(f"{text!r} is no schedule: {error}") from error
    except StopIteration as error:
        raise ValueError(f"{text!r} is no schedule: such a day never comes") from error
    return cron


def next_moment(cron: str, after: float) -> float:
    """Return the first moment after another, both in Unix seconds."""
    return next(CronSim(cron, datetime.fromtimestamp(after, UTC))).timestamp()
