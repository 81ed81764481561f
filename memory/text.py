"""Texts as a database and an embedder can take them.

What makes two of them the same is `identity`'s to say. Here texts are folded, for what may look
past a spelling: a similarity, and an erasure, which takes too much rather than too little.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from typing import Any


def clean(text: str) -> str:
    """Return `text` with lone surrogates, which no database can store, replaced by '?'."""
    return text.encode("utf-8", "replace").decode("utf-8")


def clean_json(value: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return a JSON object with its texts cleaned, and null for numbers that are none.

    PostgreSQL and a response take neither NaN nor infinities.
    """
    if value is None:
        return None
    text = clean(json.dumps(value, ensure_ascii=False))
    cleaned: dict[str, Any] = json.loads(text, parse_constant=lambda _: None)
    return cleaned


def folded(text: str) -> str:
    """Fold compatibility forms (NFKC), case and runs of white space."""
    return " ".join(unicodedata.normalize("NFKC", clean(text)).casefold().split())


def trace(question: str) -> str:
    """Return the hash by which an erasure finds a question, whatever was said before it."""
    return digest(["asked", folded(question)])


def digest(value: object) -> str:
    """Return the SHA-256 of a JSON value, in hex; the order of an object's keys is nothing."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
