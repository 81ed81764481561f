"""The bars for one sample that `whet eval --calibrate` found: of models, and of tenants.

A model's is in a file of the data folder, as what was tuned is. A tenant's own is in the memory's
tables, apart from those of others, where every server of the memory finds it.
"""

from __future__ import annotations

import logging
from functools import partial

from pydantic import ValidationError

from adaptation.voting.calibration import Calibration
from memory.embedding.embedder import create_embedder
from memory.memory import LongTermMemory
from server.config import Settings
from server.memory_opening import memory_of
from server.tuning.by_model import ByModel, key_of

logger = logging.getLogger(__name__)

FILE = "calibration.json"
CALIBRATIONS = ByModel(FILE, Calibration, "whet eval --calibrate")


async def own_calibrations(
    memory: LongTermMemory, settings: Settings, model: str
) -> dict[str, Calibration | None]:
    """Return those of the tenants that have their own; None where it came to no bar."""
    if not settings.one_sample:
        return {}
    kept = await memory.aside.read(partial(memory.calibrations.of_model, key_of(model)))
    return {
        tenant: None if found is None else _read(tenant, found) for tenant, found in kept.items()
    }


def _read(tenant: str, found: str) -> Calibration | None:
    """Return a tenant's own; for one that cannot be read its questions are voted on.

    A vote keeps every promise, and the other tenants of the server are to have their answers.
    """
    try:
        return Calibration.model_validate_json(found)
    except ValidationError:
        logger.warning(
            "the calibration of tenant %s cannot be read: every question of it is voted on. "
            "`whet eval --calibrate --tenant %s` finds it anew; `whet tenants reset %s` drops it, "
            "and the tenant's own limits",
            *(tenant, tenant, tenant),
        )
        return None


def keep(found: Calibration | None, settings: Settings, model: str, tenant: str | None) -> str:
    """Keep what votes came to, for a tenant or for all that have none of their own; say where."""
    if tenant is None:
        return str(CALIBRATIONS.save(settings.data_dir, model, found))
    memory = memory_of(settings, embedder=create_embedder("hashing"))  # not a text is embedded
    try:
        memory.calibrations.set(tenant, key_of(model), found.model_dump() if found else None)
    finally:
        memory.close()
    return str(settings.database_url or settings.data_dir)
