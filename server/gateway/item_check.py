"""Whether items could be given to a model: what a conversation takes in has to be read later."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError
from vllm.entrypoints.openai.responses.protocol import ResponsesRequest
from vllm.exceptions import VLLMError

from server.refusals.errors import ApiError
from server.refusals.validation import first_error
from server.requests.response_items import refuse_shapeless_items


def refuse_wrong_items(items: list[dict[str, Any]]) -> None:
    """Refuse what `/v1/responses` would refuse as its input; raises `ApiError` (400)."""
    refuse_shapeless_items(items, "items")
    try:
        request = ResponsesRequest.model_validate({"input": items})
        for item in request.input:  # some parts are looked at when they are read only
            item if isinstance(item, dict) else item.model_dump()
    except ValidationError as error:
        message, param = first_error(error)
        name = "items" + (param or "").removeprefix("input")
        raise ApiError(400, message.replace(f"`{param}`", f"`{name}`"), param=name) from error
    except VLLMError as error:
        raise ApiError(400, str(error), param="items") from error
