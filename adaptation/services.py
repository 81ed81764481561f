"""What the pipeline works with, built once and passed."""

from __future__ import annotations

from dataclasses import dataclass

from adaptation.engine import Engine
from adaptation.leases import AdapterLeases
from adaptation.policy import Policy
from adaptation.training.trainer import Trainer
from memory.memory import LongTermMemory


@dataclass(frozen=True)
class Services:
    """The parts a request passes through."""

    engine: Engine
    memory: LongTermMemory
    trainer: Trainer
    leases: AdapterLeases
    policy: Policy
