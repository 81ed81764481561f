"""How a request is answered that says nothing of it, and what one may ask for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator

from adaptation.options import Strategy
from server.requests.effort import DEFAULT, efforts
from server.settings.group import AbsolutePath, Device, Group, Listed

Temperature = Annotated[float, Field(gt=0.0, le=2.0)]


class Voting(Group):
    """Strategies, votes, and their bounds and prices."""

    strategy: Strategy = Strategy.CONSISTENCY
    """strategy of a request that asks for none"""
    effort: str = DEFAULT
    """strategy and samples for each `reasoning_effort`, as NAME=STRATEGY[/SAMPLES], ..."""
    max_samples: int = Field(default=16, ge=1, le=64)
    """upper bound on the votes of a request that names none"""
    confidence: float = Field(default=0.95, ge=0.5, lt=1.0)
    """a request that names none stops voting when the leader is this sure to be the mode"""
    temperature: float = Field(default=0.8, gt=0.0, le=2.0)
    """temperature of the votes of a request that names none"""
    temperatures: Annotated[tuple[Temperature, ...], Listed] = Field(default=(), max_length=64)
    """temperatures given in turn to the votes of a request that names none, such as `0.6,0.8,1.0`,
    in place of one for all"""
    stopping_rule: Literal["bayesian", "beta", "certain", "esc", "fixed"] = "bayesian"
    """what ends a vote: `bayesian` learns from past votes, `fixed` draws every sample"""
    sample_price: float = Field(default=0.002, ge=0.0, le=1.0)
    """what one more sample must gain in accuracy for the rule `bayesian` to draw it"""
    first_samples: int = Field(default=0, ge=0, le=64)
    """samples of a vote that are drawn before all others: what they foretell of those is not
    generated; 0: as many as could decide it, the quickest"""
    straggler_factor: float | None = Field(default=4.0, ge=1.0, le=1000.0)
    """a sample of prose is cut at so many times the tokens of the longest that ended, once half of
    its vote has; `none` to wait for it"""
    instructions: Path | None = None
    """file with an instruction in each line, given in turn to the votes after the first"""
    vote_weight: Literal[
        "count", "mean_logprob", "group_confidence", "length_normalised", "novelty"
    ] = "count"
    """what a vote weighs; `novelty`: the share of its steps that no vote before it had"""
    free_text: Literal["medoid", "ask"] = "medoid"
    """how one of several free texts is chosen: by embeddings, or by asking the model"""
    reuse: bool = True
    """a question whose answer was verified before is answered with it, and nothing is generated"""
    one_sample: bool = True
    """no vote where `whet eval --calibrate` has shown that the first sample will do"""
    demonstrations: int = Field(default=4, ge=1, le=64)
    """solved neighbours that strategy `demonstrations` shows before the question, at most"""
    shadow_share: float = Field(default=0.0, ge=0.0, le=1.0)
    """share of the requests with verifiers whose vote needs no more, beside which `auto` tries
    another strategy all the same, to see what it is worth"""
    reward_model: AbsolutePath | None = None
    """folder of a Hugging Face sequence classifier that scores the samples of `best_of_n`; `none`
    goes by how sure they are of their own tokens"""
    reward_device: Device = "auto"
    """where that model scores: as `trainer_device`"""
    wall_s: float | None = Field(default=300.0, gt=0, le=3600)
    """seconds a voted request may take that names no deadline, more by default for a model that is
    slow on this machine; `none` for no deadline"""
    limit_samples: int = Field(default=64, ge=1, le=64)
    """most votes that a request may ask for"""
    limit_tokens: int | None = Field(default=None, ge=1)
    """most tokens that a voted request may generate, all samples together; `none` for no limit"""
    limit_wall_s: float | None = Field(default=None, gt=0, le=3600)
    """latest deadline that a voted request may ask for, in seconds; `none` for no limit"""
    price_per_million: float | None = Field(default=None, ge=0)
    """what a million generated tokens cost, in any currency, for the ledger; `none`: not known"""
    price_per_million_trained: float | None = Field(default=None, ge=0)
    """the same of tokens that adapters are trained on"""

    @field_validator("effort")
    @classmethod
    def _known_efforts(cls, text: str) -> str:
        efforts(text)
        return text
