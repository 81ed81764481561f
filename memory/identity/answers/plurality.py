"""The most frequent answer of several texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from memory.identity.answers.extract import extract
from memory.identity.answers.keys import joined
from memory.identity.answers.options import AnswerOptions


def leader(texts: Sequence[str], options: AnswerOptions) -> int:
    """Place of the first text that gives the most frequent answer; 0 where none gives any.

    Self-consistency (Wang et al. 2022, arXiv 2203.11171). As in a vote of the server, kinds `auto`
    and `text` take the whole of a text that marks no answer.
    """
    keys = [answer.key if (answer := extract(text, options)) else None for text in texts]
    groups = joined(key for key in keys if key is not None)
    votes = [groups[key] if key is not None else None for key in keys]
    counts = Counter(vote for vote in votes if vote is not None)
    return votes.index(counts.most_common(1)[0][0]) if counts else 0
