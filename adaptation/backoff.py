"""How long to wait before what failed is tried again."""

from __future__ import annotations

MOST_DOUBLINGS = 32
"""Past any pause: a number that doubles with every failure would have no end."""


def pause_s(failures: int, first_s: float, longest_s: float) -> float:
    """Return the seconds after so many failures in a row: none after the first.

    After the second it is `first_s`, and twice as much after every further one.
    """
    if failures < 2:
        return 0.0
    return float(min(first_s * 2 ** min(failures - 2, MOST_DOUBLINGS), longest_s))
