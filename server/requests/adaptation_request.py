"""From the body of an OpenAI request to what adaptation needs to know of it.

The wire's one crossing point on the way in: the `adaptation` object and a strategy appended to the
model's name are taken off the body here, so that vLLM's handlers never see them.
"""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Mapping
from typing import Any

from adaptation.options import Options, Strategy
from adaptation.strategies import STRATEGIES, obstacle
from adaptation.types import Given
from server.adapters.versioned import is_own_name
from server.config import Settings
from server.refusals.dropped import is_number, refuse_dropped
from server.refusals.errors import ApiError
from server.refusals.heavy import refuse_heavy
from server.refusals.shapes import refuse_shapeless
from server.requests.conversations import conversations, prompt_shape
from server.requests.earlier_turns import Earlier
from server.requests.request_context import CHAT, COMPLETIONS, RESPONSES, RequestContext
from server.requests.request_options import (
    choices_of,
    names_strategy,
    split_model,
    take_options,
    within_limits,
    without_memory,
)

EARLIER_TURNS = frozenset({"previous_input_messages"})
"""Keys whose messages are not known here."""
ALIKE_BELOW = 1e-5
"""Temperatures below are greedy to vLLM, which then refuses `n` above 1."""
MAX_END_USER = 256
"""Characters of an end user's name that are kept."""
USE_VOTES = "use a strategy that votes, such as `consistency` or `auto`"


def take_context(
    path: str,
    body: dict[str, Any],
    settings: Settings,
    tenant: str,
    earlier: Earlier = Earlier(),  # noqa: B008 - frozen
) -> RequestContext | None:
    """Take Whet's own parts off `body` and return them; raises `ApiError` (400).

    `earlier` is what a response goes on from. None stands for a request that is vLLM's alone.
    """
    _look_over(path, body)
    can_be_reworded = _can_be_reworded(path, body)
    taken = _options_in_force(path, body, settings, can_be_reworded=can_be_reworded)
    if taken is None:
        return None
    options, asked, effort = taken
    whole = {**body, "input": earlier.before(body.get("input"))} if earlier.items else body
    return RequestContext(
        tenant=tenant,
        options=options,
        model=_fine_tuned(body),
        asked=asked is not None,
        conversations=conversations(path, whole),
        has_tools=bool(body.get("tools")) and body.get("tool_choice") != "none",
        refuses_tools=body.get("tool_choice") == "none",
        json_output=_asks_for_json(body),
        form=_form(body),
        request=prompt_shape(path, whole),
        can_be_reworded=can_be_reworded,
        effort=effort,
        end_user=_end_user(body),
        metadata=_metadata(body),
        route=path,
        opens_late=path == CHAT and not body.get("echo") and not body.get("return_prompt_text"),
        deadline=time.monotonic() + (options.budget.wall_s or math.inf),
    )


def _options_in_force(
    path: str, body: dict[str, Any], settings: Settings, *, can_be_reworded: bool
) -> tuple[Options, Strategy | None, str | None] | None:
    """Take the options off `body`, and refuse what they cannot mean there: see `take_options`."""
    is_named = names_strategy(body)
    options, asked, effort = take_options(body, settings)
    if body.get("use_beam_search") and asked in (None, Strategy.PLAIN):
        return None  # one search of many engine requests: vLLM's own, without a report
    _refuse_meaningless(body, options, effort)
    _refuse_unseen_progress(path, body, options)
    options = within_limits(options, settings)
    if is_named:  # what the server chooses falls back, and says why
        _refuse_unmet(body, options, can_be_reworded=can_be_reworded)
    _let_choices_differ(body, options)
    if path == RESPONSES and _given(body, EARLIER_TURNS):
        options = without_memory(options)
    return options, asked, effort


def take_nothing(path: str, body: dict[str, Any]) -> None:
    """Refuse adaptation on routes that have none, where it would be ignored without a word."""
    _look_over(path, body)
    asked = body.get("adaptation") is not None
    if isinstance(body.get("model"), str):
        body["model"], suffix = split_model(body["model"])
        asked = asked or suffix not in (None, Strategy.PLAIN)
    if asked:
        raise ApiError(
            400,
            f"adaptation is available on {CHAT}, {COMPLETIONS} and {RESPONSES} only",
            param="adaptation",
        )


def _fine_tuned(body: Mapping[str, Any]) -> str | None:
    """Return the name of the fine-tuned model, or generation, that a body asks for."""
    model = body.get("model")
    return model if isinstance(model, str) and is_own_name(model) else None


def _end_user(body: dict[str, Any]) -> str | None:
    """Return whom the client says it asks for, by OpenAI's key of today or the one before."""
    given = (body.get(key) for key in ("safety_identifier", "user"))
    named = next((each for each in given if isinstance(each, str) and each.strip()), None)
    return None if named is None else named[:MAX_END_USER]


def _metadata(body: dict[str, Any]) -> dict[str, str] | None:
    """Return what the client notes with its request."""
    given = body.get("metadata") or {}
    return {key: value for key, value in given.items() if value is not None} or None


def _look_over(path: str, body: dict[str, Any]) -> None:
    """Take off the id, and refuse what no route can serve as it was meant."""
    _take_id(body)
    refuse_shapeless(path, body)
    refuse_heavy(body)
    refuse_dropped(path, body)


def _take_id(body: dict[str, Any]) -> None:
    """Have every completion get an id of its own: feedback, and its end in the engine, go by it."""
    body.pop("request_id", None)


def _given(body: Mapping[str, Any], keys: Collection[str]) -> bool:
    return any(body.get(key) is not None for key in keys)


def _let_choices_differ(body: dict[str, Any], options: Options) -> None:
    """Let a vote with temperature 0 have several choices: its samples have one of their own."""
    n, temperature = body.get("n"), body.get("temperature")
    if options.strategy is Strategy.PLAIN or not (is_number(n) and is_number(temperature)):
        return
    if n > 1 and 0 <= temperature < ALIKE_BELOW:
        body["temperature"] = options.temperature


def _refuse_meaningless(body: Mapping[str, Any], options: Options, effort: str | None) -> None:
    """Refuse combinations that cannot keep their meaning."""
    if options.strategy is Strategy.PLAIN:
        instead = f"{USE_VOTES}; effort `{effort}` stands for `plain` here" if effort else USE_VOTES
        if options.verifiers:
            raise ApiError(
                400,
                f"`adaptation.verifiers` choose among votes: {instead}",
                param="adaptation.verifiers",
            )
        if options.budget.wall_s or options.budget.tokens:
            raise ApiError(
                400, f"`adaptation.budget` bounds votes: {instead}", param="adaptation.budget"
            )
    elif body.get("use_beam_search"):
        raise ApiError(
            400,
            "`use_beam_search` is one search, not votes: use strategy `plain`",
            param="use_beam_search",
        )


def _refuse_unmet(body: Mapping[str, Any], options: Options, *, can_be_reworded: bool) -> None:
    """Refuse a strategy that was asked for without what it needs."""
    given = Given(bool(options.verifiers), can_be_reworded, choices_of(body))
    if (why := obstacle(STRATEGIES[options.strategy], given)) is not None:
        message = f"strategy `{options.strategy}` cannot keep its meaning here: {why}"
        raise ApiError(400, message, param="adaptation.strategy")


def _can_be_reworded(path: str, body: Mapping[str, Any]) -> bool:
    """Whether the prompt is made of plain messages and nothing else."""
    turns = body.get("messages")
    is_text = isinstance(turns, list) and all(
        isinstance(turn, dict)
        and turn.keys() == {"role", "content"}
        and isinstance(turn["content"], str)
        for turn in turns
    )
    return path == CHAT and is_text and not prompt_shape(path, body)


def _refuse_unseen_progress(path: str, body: Mapping[str, Any], options: Options) -> None:
    """Refuse to show votes where nothing can be shown before the answer."""
    if not options.progress:
        return
    if path == RESPONSES:
        raise ApiError(
            400,
            f"`adaptation.progress`: {RESPONSES} shows no progress",
            param="adaptation.progress",
        )
    if not body.get("stream"):
        raise ApiError(
            400, "`adaptation.progress` needs `stream`: true", param="adaptation.progress"
        )


def _asks_for_json(body: Mapping[str, Any]) -> bool:
    wanted = body.get("response_format")
    if isinstance(body.get("text"), dict):  # the same on /v1/responses
        wanted = body["text"].get("format")
    return isinstance(wanted, dict) and wanted.get("type") in ("json_object", "json_schema")


def _form(body: Mapping[str, Any]) -> str | None:
    """Return the key that asks for a form of the output, where one does."""
    if body.get("structured_outputs"):
        return "structured_outputs"
    text = body.get("text")
    if isinstance(text, dict) and text.get("format"):
        return "text.format"
    return next((key for key in ("response_format", "tools") if body.get(key)), None)
