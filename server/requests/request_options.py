"""The options in force for a request: what it asks for itself, else what the server does.

Asked for by the `adaptation` object, by a strategy appended to the model's name, or by an effort.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from adaptation.options import Options, Strategy
from server.config import Settings
from server.refusals.dropped import is_number
from server.refusals.errors import ApiError
from server.requests.effort import effort_of, efforts


def split_model(name: str) -> tuple[str, Strategy | None]:
    """Return the model's own name and the strategy appended to it, as in `MODEL:ttt`."""
    model, colon, suffix = name.rpartition(":")
    if colon and suffix in set(Strategy):
        return model, Strategy(suffix)
    return name, None


def take_options(
    body: dict[str, Any], settings: Settings
) -> tuple[Options, Strategy | None, str | None]:
    """Return the options in force, the strategy if the request asked for any, and the effort that
    chose it otherwise.
    """
    suffix: Strategy | None = None
    if isinstance(body.get("model"), str):
        body["model"], suffix = split_model(body["model"])
    given = body.pop("adaptation", None)
    if given is None:
        given = {}
    if not isinstance(given, Mapping):
        raise ApiError(400, "`adaptation` must be an object", param="adaptation")
    named = given.get("strategy")
    if suffix is not None and named not in (None, suffix.value):
        raise ApiError(
            400,
            f"the model's name asks for {suffix.value}, `adaptation.strategy` for {named}: say one",
            param="adaptation.strategy",
        )
    is_silent = suffix is None and named is None
    effort = effort_of(body, efforts(settings.effort)) if is_silent else None
    samples = settings.max_samples
    if effort and effort.max_samples:  # who asks for `n` so knows nothing of samples
        samples = max(effort.max_samples, choices_of(body))
    defaults = {
        "strategy": suffix or (effort.strategy if effort else settings.strategy),
        "max_samples": min(samples, settings.limit_samples),
        "confidence": settings.confidence,
    }
    if not settings.temperatures:  # else it counts as named: see `Drawer`
        defaults["temperature"] = settings.temperature
    try:
        options = Options.model_validate({**defaults, **given})
    except ValidationError as error:
        raise ApiError.invalid(error, prefix="adaptation") from error
    asked = options.strategy if given or suffix else None
    return options, asked, effort.name if effort else None


def within_limits(options: Options, settings: Settings) -> Options:
    """Refuse to spend more than the server allows; what the request leaves open is filled in."""
    if options.strategy is Strategy.PLAIN:
        return options
    budget = options.budget
    for param, asked, limit in (
        ("max_samples", options.max_samples, settings.limit_samples),
        ("budget.tokens", budget.tokens, settings.limit_tokens),
        ("budget.wall_s", budget.wall_s, settings.limit_wall_s),
    ):
        if asked is not None and limit is not None and asked > limit:
            name = f"adaptation.{param}"
            raise ApiError(400, f"`{name}`: this server allows at most {limit:g}", param=name)
    filled = {
        "tokens": budget.tokens or settings.limit_tokens,
        "wall_s": budget.wall_s or _earliest(settings.wall_s, settings.limit_wall_s),
    }
    return options.model_copy(update={"budget": budget.model_copy(update=filled)})


def without_memory(options: Options) -> Options:
    """The messages before are not known here: the question alone would be remembered."""
    memory = options.memory
    asked = [name for name in ("read", "write") if name in memory.model_fields_set]
    if wanted := [name for name in asked if getattr(memory, name)]:
        raise ApiError(
            400,
            f"`adaptation.memory.{wanted[0]}`: with `previous_input_messages` no memory is used",
            param=f"adaptation.memory.{wanted[0]}",
        )
    unused = memory.model_copy(update={"read": False, "write": False})
    return options.model_copy(update={"memory": unused})


def _earliest(*times_s: float | None) -> float | None:
    return min((time_s for time_s in times_s if time_s is not None), default=None)


def names_strategy(body: Mapping[str, Any]) -> bool:
    """Whether a request says by which strategy it wants to be answered."""
    given, model = body.get("adaptation"), body.get("model")
    in_name = isinstance(model, str) and split_model(model)[1] is not None
    return in_name or (isinstance(given, Mapping) and given.get("strategy") is not None)


def choices_of(body: Mapping[str, Any]) -> int:
    """Return how many choices a body asks for."""
    n = body.get("n")
    return int(n) if is_number(n) else 1
