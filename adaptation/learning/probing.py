"""Whether an adapter that was loaded is applied, and does not break the model.

An adapter that is silently never sampled is the commonest fault of such systems.
"""

from __future__ import annotations

import math

from adaptation.engine import Engine
from adaptation.errors import EngineError
from adaptation.types import Adapter

PROBE_TOKENS = (1, 2, 3, 4, 5, 6, 7, 8)
"""Any short prompt does: an adapter that moves nothing here was never applied."""


async def check_applied(engine: Engine, adapter: Adapter, base: Adapter | None) -> None:
    """Raise `EngineError` where the next token is as likely as under `base`, or is not a number."""
    # One after the other: a probe still running when the other fails would outlive the adapter.
    with_it = await engine.probe(PROBE_TOKENS, adapter)
    if not math.isfinite(with_it):
        raise EngineError("its log-probabilities are no numbers: its weights are broken")
    if with_it == await engine.probe(PROBE_TOKENS, base):
        raise EngineError("its log-probabilities are those of the model without it")
