"""When one sample is enough for a tenant: see `memory.history.calibrations`."""

from __future__ import annotations

from sqlalchemy import JSON, Column, String, Table

from memory.store.metadata import metadata

calibration = Table(
    "calibration",
    metadata,
    Column("tenant", String, primary_key=True),
    Column("model", String, primary_key=True),
    # Null where the votes came to no bar.
    Column("found", JSON(none_as_null=True)),
)
