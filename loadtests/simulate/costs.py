"""What each thing costs on one machine, with its spread: what the model is calibrated with.

`calibrate.py` measures it. The file beside this one is what the tables of docs/scale.md are from.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from adaptation.statistics import Interval

FILE = Path(__file__).with_name("costs.json")


class Spread(BaseModel):
    """A median between two quartiles."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, interval: Interval) -> Spread:
        """Return an interval as it is kept."""
        return cls(value=interval.value, low=interval.low, high=interval.high)


class Measured(BaseModel):
    """When, and beside how much else."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    on: str
    load_average: float


class Costs(BaseModel):
    """One machine's unit costs; processor time is that of one core."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    machine: dict[str, Any]
    """system, processor, cores, memory"""
    measured: dict[str, Measured]
    """each part of the calibration"""
    front_voted_cpu_s: Spread
    """the front's processor time for a vote that is verified and saved"""
    front_plain_cpu_s: Spread
    """the same for one sample without memory"""
    samples: Spread
    """drawn for such a vote"""
    sample_wait_s: Spread
    """what a sample takes beyond the engine's time"""
    retrieval_s: Spread
    """from a question to its neighbours"""
    save_s: Spread
    """from a record to its commit, which holds the tenant's lock"""
    database_cpu_s: Spread
    """PostgreSQL's processor time for such a vote"""
    follow_cpu_s: Spread
    """a replica's processor time for a record that another one saved"""
    training_step_s: dict[int, Spread]
    """a training by its steps, of each of so many at once, one thread"""
    trainer_start_s: Spread
    """until a trainer takes its first job"""
    engine_step_s: dict[int, Spread]
    """the engine's time for a token of each of so many samples at once"""
    record_bytes: Spread
    """memory that a record takes in a replica"""
    record_disk_bytes: Spread
    """what a record takes in the database"""
    adapter_bytes: Spread
    """files of an adapter of the default rank"""
    server_bytes: Spread
    """resident memory of a server with its engine and its trainer, and no record"""


def load(file: Path = FILE) -> Costs:
    """Read a calibration; raises RuntimeError where there is none, or only a part of one."""
    calibrate = "python -m loadtests.simulate.calibrate"
    if not file.exists():
        raise RuntimeError(f"{file.name} is not there: run {calibrate}")
    try:
        return Costs.model_validate_json(file.read_text("utf-8"))
    except ValidationError as error:
        lacking = ", ".join(str(each["loc"][0]) for each in error.errors())
        raise RuntimeError(f"{file.name} lacks {lacking}: run {calibrate}") from error


def line(steps: Mapping[int, Spread]) -> tuple[float, float]:
    """Return what a step takes, `base_s` and `each_s` of what is in its batch: a line through what
    was measured, by least squares, neither below 0."""
    each_s, base_s = np.polyfit(list(steps), [each.value for each in steps.values()], 1)
    return max(0.0, float(base_s)), max(0.0, float(each_s))
