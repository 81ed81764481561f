"""What the operator decides for all requests: the bounds and defaults the pipeline obeys."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from adaptation.learning.training.refusals import Refusal
from adaptation.learning.training.trainer import Recipe
from adaptation.voting.calibration import Calibration
from adaptation.voting.stopping.bayesian import PRICE
from adaptation.voting.stragglers import FACTOR
from memory.types import Frozen


class Policy(Frozen):
    """Server-wide settings of adaptation."""

    stopping_rule: str = "bayesian"
    """A name of `adaptation.voting.stopping.RULES`."""
    sample_price: float = Field(default=PRICE, ge=0.0, le=1.0)
    """Accuracy that one more sample must gain for a vote to go on."""
    first_samples: int = Field(default=0, ge=0, le=64)
    """Samples of a vote drawn before all others; 0: as many as could decide it."""
    straggler_factor: float | None = Field(default=FACTOR, ge=1.0)
    """Times the tokens of the longest sample that ended after which prose is cut; None: never."""
    vote_weight: str = "count"
    """What a vote weighs: one of `adaptation.voting.weights.NAMES`."""
    instructions: tuple[str, ...] = ()
    """Instructions given in turn to the samples after the first; none: all are drawn alike."""
    temperatures: tuple[float, ...] = ()
    """Temperatures given in turn to the samples of a request that names none itself."""
    shadow_share: float = Field(default=0.0, ge=0.0, le=1.0)
    """Share of `auto`'s decided votes beside which another strategy is tried, where verifiers can
    tell which of the two is right."""
    demonstrations: int = Field(default=4, ge=1, le=64)
    """Solved neighbours shown as earlier turns, at most."""
    free_text: Literal["medoid", "ask"] = "medoid"
    """How one of several free texts is chosen: by embeddings, or by asking the model."""
    calibration: Calibration | None = None
    """When the first sample is served without a vote; None: never."""
    calibrations: dict[str, Calibration | None] = Field(default_factory=dict)
    """Bars of the tenants that have their own, in place of the model's."""
    candidates: int = Field(default=128, ge=1, le=1000)
    """Neighbours recalled, from which those to train on are selected."""
    neighbours: int = Field(default=48, ge=1, le=64)
    """Neighbours trained on, at most."""
    holdout: int = Field(default=6, ge=1, le=16)
    """Close neighbours kept back to judge the adapter by."""
    min_neighbours: int = Field(default=4, ge=2)
    """Fewer close ones, and nothing is trained."""
    min_similarity: float = Field(default=0.3, ge=-1.0, le=1.0)
    """Cosine below which a record is no neighbour."""
    recipe: Recipe = Recipe()
    """How an adapter is trained; a request's budget may allow fewer steps."""
    refusals: tuple[Refusal, ...] = ()
    """What no adapter may make the model comply with."""
    may_train: bool = True
    reuse: bool = True
    """Whether answers that were verified are served again."""
    model: str = ""
    """Name of the served model, noted in records."""
    train_timeout_s: float = Field(default=30.0, gt=0.0)
    """After this a training job is given up and the answer comes from voting."""
    expected_train_s: float = Field(default=0.0, ge=0.0)
    """What a training of all its steps takes on an idle server; 0 where that is not known."""
    train_wait_s: float = Field(default=20.0, ge=0.0)
    """A request that would wait longer for its training to begin votes at once."""
