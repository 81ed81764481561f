"""What a client asks for, in OpenAI's form."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field

from adaptation.grading.specs import Grader
from adaptation.learning.finetuning.plan import Hyperparameters
from adaptation.learning.preference.hyperparameters import (
    DpoHyperparameters,
    ReinforcementHyperparameters,
)
from memory.types import Frozen, Given
from server.refusals.errors import ApiError
from server.requests.metadata import Metadata
from server.routes.paging import OPAQUE_ID

Chosen: TypeAlias = Hyperparameters | DpoHyperparameters | ReinforcementHyperparameters
FileId = Annotated[str, Field(pattern=OPAQUE_ID)]
SUFFIX = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
"""Form of a suffix: in a model's name it stands between colons."""


class Supervised(Given):
    """Examples are learned as they are."""

    hyperparameters: Hyperparameters | None = None


class Dpo(Given):
    """Learning from two answers, one of which is preferred."""

    hyperparameters: DpoHyperparameters | None = None


class Reinforcement(Given):
    """Answers are drawn, and graded."""

    grader: Grader
    hyperparameters: ReinforcementHyperparameters | None = None


class Method(Given):
    """How a model is tuned."""

    type: Literal["supervised", "dpo", "reinforcement"]
    supervised: Supervised | None = None
    dpo: Dpo | None = None
    reinforcement: Reinforcement | None = None


class NewFineTuning(Given):
    """A fine-tuning that is to be made."""

    model: Annotated[str, Field(min_length=1, max_length=512)]
    training_file: FileId
    validation_file: FileId | None = None
    hyperparameters: Hyperparameters | None = None
    """Where it stood before `method` came."""
    method: Method | None = None
    suffix: Annotated[str | None, Field(min_length=1, max_length=64, pattern=SUFFIX)] = None
    seed: Annotated[int | None, Field(strict=True, ge=0, lt=2**31)] = None
    metadata: Metadata | None = None
    integrations: list[Any] | None = None


class FineTuneRequest(Frozen):
    """What a job of the kind is asked."""

    model: str
    """As the client calls it."""
    folder: str
    """Folder of the base, or its name on a hub."""
    base: str
    """What adapters of it call the base."""
    template: dict[str, Any]
    max_model_len: int
    training_file: str
    validation_file: str | None
    method: Literal["supervised", "dpo", "reinforcement"] = "supervised"
    hyperparameters: Chosen
    grader: Grader | None = None
    """For reinforcement."""
    suffix: str | None
    seed: int
    metadata: dict[str, str] | None
    name: str
    """Name of the model that comes of it."""


def asked_hyperparameters(body: NewFineTuning) -> Chosen:
    """Return what was chosen; raises `ApiError` for what is not done here."""
    if body.integrations:
        raise ApiError(
            400,
            "`integrations` are not available: the job's events and its result file hold the same",
            param="integrations",
        )
    method = body.method
    if method is not None:
        _refuse_others(method)
        if method.dpo is not None or method.type == "dpo":
            return (method.dpo and method.dpo.hyperparameters) or DpoHyperparameters()
        if method.type == "reinforcement":
            if method.reinforcement is None:
                words = "`method.reinforcement` is missing: it holds the grader"
                raise ApiError(400, words, param="method.reinforcement")
            return method.reinforcement.hyperparameters or ReinforcementHyperparameters()
    given = method.supervised.hyperparameters if method and method.supervised else None
    if given is not None and body.hyperparameters not in (None, given):
        words = "`hyperparameters` are not those of `method`, which has replaced them: leave it out"
        raise ApiError(400, words, param="hyperparameters")
    return given or body.hyperparameters or Hyperparameters()


def _refuse_others(method: Method) -> None:
    """Raise `ApiError` for what is of another method, and would be passed over."""
    for other in ("supervised", "dpo", "reinforcement"):
        if other != method.type and getattr(method, other) is not None:
            words = f"`method.{other}` is of another method than {method.type}: leave it out"
            raise ApiError(400, words, param=f"method.{other}")
