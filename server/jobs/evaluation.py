"""What an evaluation as a job is asked, and what of it can be seen to come to nothing."""

from __future__ import annotations

from pydantic import Field

from memory.types import Frozen
from server.refusals.errors import ApiError

MOST_NAMES = 64
MOST_QUESTIONS = 10_000
EXTERNAL = "rg:"
DEFAULT_ARMS = ("one", "vote", "consistency")


class EvaluateRequest(Frozen):
    """Suites that are put to what is served, under several arms."""

    suites: tuple[str, ...] = Field(default=(), max_length=MOST_NAMES)
    """As `whet eval --suite` takes them, without groups; none: all built-in ones."""
    arms: tuple[str, ...] = Field(default=DEFAULT_ARMS, min_length=1, max_length=MOST_NAMES)
    model: str | None = Field(default=None, max_length=512)
    """A model that the server lists; None: the first."""
    questions: int = Field(default=24, ge=1, le=MOST_QUESTIONS)
    """Questions of every suite."""
    difficulty: int | None = Field(default=None, ge=1, le=100)
    """The nearest difficulty that each suite has; None: the suite's own."""
    seed: int = Field(default=0, ge=0, lt=2**63)
    examples: int = Field(default=64, ge=1, le=1024)
    """Solved, for each world."""
    worlds: int | None = Field(default=None, ge=1, le=100)
    """Worlds of every suite that has private ones; None: the suite's own number."""
    votes: int = Field(default=16, ge=2, le=64)
    temperature: float = Field(default=1.0, ge=0, le=2)
    max_tokens: int = Field(default=512, ge=1, le=1_000_000)
    development: bool = False
    """Ask the development questions."""
    teach: bool = False
    """Let arms that learn put their examples into memory for the length of the run."""
    parallel: int = Field(default=4, ge=1, le=64)
    """Requests at once."""


def check_evaluation(asked: EvaluateRequest) -> None:
    """Raise `ApiError` for suites and arms that there are not, or that a job cannot ask.

    A suite of reasoning-gym is looked for when the job is done.
    """
    from adaptation.evaluation.arms import ARMS
    from adaptation.evaluation.suites import SUITES

    for name in asked.suites:
        if name not in SUITES and not name.startswith(EXTERNAL):
            raise _unknown("suites", f"no suite {name!r}: there are {', '.join(SUITES)}")
    for name in asked.arms:
        if name not in ARMS:
            raise _unknown("arms", f"no arm {name!r}: there are {', '.join(ARMS)}")
        if ARMS[name].needs_examples and not ARMS[name].needs_whet:
            told = f"arm {name} shows examples by itself: `whet eval` without --detach asks it"
            raise _unknown("arms", told)
        if ARMS[name].needs_examples and not asked.teach:
            raise _unknown("arms", f"arm {name} learns from examples: let it by `teach`")


def _unknown(param: str, message: str) -> ApiError:
    return ApiError(400, message, param=param)
