"""How much of a generation may be practice: what people asked keeps its share.

Models that learn from what models wrote stay sound as long as real data stay in the mix (bounded
error, arXiv 2404.01413). Real is what was asked here or imported; practice is what a generator drew
or the model wrote, whoever judged the answer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from memory.types import Record


def mixed(records: Sequence[Record], least_real: float, most_written: float) -> list[Record]:
    """Return the records without the practice that is too much, in their order.

    Of what is kept, at least the share `least_real` is real, and no more than `most_written` are
    questions that the model wrote; those of generators go before them.
    """
    real = sum(record.source.is_real for record in records)
    practice = [place for place, record in enumerate(records) if not record.source.is_real]
    room = len(practice)
    if least_real > 0:
        room = min(room, _whole(real * (1 - least_real) / least_real))
    drawn = [p for p in practice if not records[p].source.is_written_by_model][:room]
    written = [p for p in practice if records[p].source.is_written_by_model]
    room -= len(drawn)
    if most_written < 1:
        room = min(room, _whole((real + len(drawn)) * most_written / (1 - most_written)))
    kept = {*drawn, *written[:room]}
    return [r for place, r in enumerate(records) if r.source.is_real or place in kept]


def _whole(number: float) -> int:
    """Round down, but for what a float falls short of a whole number."""
    return math.floor(number + 1e-9)
