"""Full text: which records hold the rare words of a question, such as codes, names and numbers.

An inverted file as an ordinary table, alike in every dialect. SQLite's FTS5 was measured and is not
used: a question in everyday words took 240 ms at 100,000 records, since bm25 scores every record
with a common word (here 5 ms, as common words are passed over); its statistics are of all tenants
together; and before SQLite 3.42 an erased record's words stay in the file until all is rewritten.
Rows of a table are overwritten one by one (`PRAGMA secure_delete`).
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select, text

from memory.store.bulk import insert_many
from memory.store.chunks import chunks
from memory.store.prepared import Prepared
from memory.store.schema import record, word
from memory.text import folded

MAX_WORDS = 128
"""Most words of a record; what follows in a long question rarely finds it."""
MAX_ASKED = 16
"""Most words of a question that are looked for, the longest first: they are the rarest."""
MAX_LENGTH = 64
"""Characters of a word."""
RARE_SHARE, RARE_LEAST, RARE_MOST = 0.02, 4, 200
"""A word says something where so many of a tenant's records have it: a share, within bounds."""

# Ranges are spelt out, so that the words of a text do not depend on the release of Unicode.
_WORD = re.compile(
    r"[^\s\x00-/:-@\[-^`{-\xbf\u2000-\u206f\u2190-\u2bff\u3000-\u303f\ufe10-\ufe6f\uff00-\uff0f]+"
)
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]+")
"""Scripts that put no space between words."""


def words_of(question: str) -> list[str]:
    """Return the different words of a text in their order; of unspaced scripts pairs of signs."""
    found: dict[str, None] = {}
    for run in _WORD.findall(folded(question)):
        found.update(dict.fromkeys(_parts(run)))
    return list(found)


def _parts(run: str) -> Iterator[str]:
    if run.isascii():
        yield run[:MAX_LENGTH]
        return
    for unspaced in _UNSPACED.findall(run):
        yield from (unspaced[n : n + 2] for n in range(max(len(unspaced) - 1, 1)))
    yield from (spaced[:MAX_LENGTH] for spaced in _UNSPACED.split(run) if spaced)


def add_words(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Note the words of new records: rows with `id`, `tenant` and `question`."""
    for each_chunk in chunks(rows):
        some = {row["id"]: row for row in each_chunk}
        query = select(record.c.id, record.c.number).where(record.c.id.in_(list(some)))
        found = connection.execute(query).all()
        entries = [
            {"tenant": some[record_id]["tenant"], "word": each, "number": number}
            for record_id, number in found
            for each in words_of(some[record_id]["question"])[:MAX_WORDS]
        ]
        # In the table's order: neighbouring pages are written once.
        insert_many(connection, word, sorted(entries, key=itemgetter("word")))


def remove_words(connection: Connection, row: Mapping[str, Any]) -> None:
    """Forget the words of a record that is erased; the row still has its question."""
    own = words_of(row["question"])[:MAX_WORDS]
    here = (word.c.tenant == row["tenant"], word.c.number == row["number"])
    connection.execute(delete(word).where(*here, word.c.word.in_(own)))


def with_rare_words(
    connection: Connection, tenant: str, question: str, *, most: int, of: int
) -> list[int]:
    """Return up to `most` record numbers that share rare words with the question, best first.

    Of the tenant's `of` records. The score is BM25 (Robertson and Zaragoza, "The Probabilistic
    Relevance Framework", 2009) with b = 0, as a word counts once in a short question:
    Σ ln(1 + (N − n + ½) / (n + ½)) over shared words, n of N records having the word.
    """
    rare = min(max(RARE_LEAST, int(RARE_SHARE * of)), RARE_MOST)
    asked = sorted(words_of(question), key=len, reverse=True)[:MAX_ASKED]
    scores: dict[int, float] = defaultdict(float)
    for numbers in _postings(connection, tenant, _rare(connection, tenant, asked, rare)):
        weight = math.log1p(max(of - len(numbers) + 0.5, 0.5) / (len(numbers) + 0.5))
        for number in numbers:
            scores[number] += weight
    return sorted(scores, key=lambda number: (-scores[number], -number))[:most]


WORDS = tuple(f"w{place}" for place in range(MAX_ASKED))
"""The parameters that are words; null where a question has fewer."""

_COMMON = Prepared(
    text(
        " UNION ALL ".join(
            f"SELECT {place}, (SELECT 1 FROM word "
            f"WHERE tenant = :tenant AND word = :{each} LIMIT 1 OFFSET :most)"
            for place, each in enumerate(WORDS)
        )
    )
)
"""Which of `MAX_ASKED` words more than `most` records have: a word of every day costs no more than
one that is just too common."""


_HAVING = Prepared(
    select(word.c.word, word.c.number).where(
        word.c.tenant == bindparam("tenant"), word.c.word.in_(list(map(bindparam, WORDS)))
    )
)


def _rare(connection: Connection, tenant: str, words: Sequence[str], most: int) -> list[str]:
    """Return which of the words at most `most` records have."""
    common = dict(_COMMON.rows(connection, tenant=tenant, most=most, **_bound(words)))
    return [each for place, each in enumerate(words) if not common[place]]


def _postings(connection: Connection, tenant: str, words: Sequence[str]) -> Iterable[list[int]]:
    """Return the numbers of the records that have each of these words."""
    found: dict[str, list[int]] = defaultdict(list)
    if words:
        for each, number in _HAVING.rows(connection, tenant=tenant, **_bound(words)):
            found[each].append(number)
    return found.values()


def _bound(words: Sequence[str]) -> dict[str, str | None]:
    return dict(zip_longest(WORDS, words))
