"""What the groups of settings have in common: how a value is spelt, and what it may be."""

from __future__ import annotations

import re
from pathlib import Path
from types import NoneType
from typing import Annotated, get_args

from pydantic import AfterValidator, BeforeValidator, ConfigDict, ValidationInfo, field_validator

from memory.types import Frozen

DEVICE = re.compile(r"auto|cpu|cuda(:\d{1,3})?")


class Group(Frozen):
    """Some of the settings; the docstring under a field is also its help text."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    @field_validator("*", mode="before")
    @classmethod
    def _none_spelt_out(cls, value: object, info: ValidationInfo) -> object:
        kind = cls.model_fields[str(info.field_name)].annotation
        return None if value == "none" and NoneType in get_args(kind) else value


def _named(value: object) -> object:
    if value == "":  # which Path takes for the working directory
        raise ValueError("it is empty: give a path")
    return value


def _absolute(path: Path) -> Path:
    return path.expanduser().absolute()


def _device(name: str) -> str:
    if not DEVICE.fullmatch(name):
        raise ValueError("it is none of auto, cpu, cuda and cuda:N, N counted from 0")
    return name


def _listed(value: object) -> object:
    if not isinstance(value, str):
        return value
    return () if value in ("", "none") else tuple(value.split(","))


AbsolutePath = Annotated[Path, BeforeValidator(_named), AfterValidator(_absolute)]
Device = Annotated[str, AfterValidator(_device)]
Listed = BeforeValidator(_listed)
"""Reads a tuple that flags and variables write with commas."""
