"""The items of a run, one after the other, from the request or from a file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from pydantic import ValidationError

from server.batches.requests import numbered_lines
from server.evals.specs import MOST_ITEMS, Item
from server.refusals.errors import ApiError
from server.refusals.soundness import sound_object
from server.refusals.validation import first_error


class FaultyItemsError(Exception):
    """The source of a run holds no items, or something else."""


def items_in(content: Iterable[bytes], most_bytes: int) -> Iterator[tuple[int, Item]]:
    """Yield the items of a file with their lines; raises `FaultyItemsError`, which names one."""
    count = 0
    for line, text in numbered_lines(content):
        count += 1
        if count > MOST_ITEMS:
            raise FaultyItemsError(f"line {line}: there are more than {MOST_ITEMS} items")
        yield line, _item(line, text, most_bytes)
    if not count:
        raise FaultyItemsError("the file holds no items")


def _item(line: int, text: bytes, most_bytes: int) -> Item:
    if len(text) > most_bytes:
        raise FaultyItemsError(f"line {line}: it has more than {most_bytes} bytes")
    try:
        found = sound_object(text)
        if found is None:
            raise FaultyItemsError(f"line {line}: it is no JSON object")
        return Item.model_validate(found)
    except ApiError as error:
        raise FaultyItemsError(f"line {line}: {error.message}") from error
    except ValidationError as error:
        told = f'{first_error(error)[0]}: a line is {{"item": {{…}}}}'
        raise FaultyItemsError(f"line {line}: {told}") from error


def text_of(item: Item) -> str:
    """Return the item alone as JSON."""
    return json.dumps(item.item, ensure_ascii=False)
