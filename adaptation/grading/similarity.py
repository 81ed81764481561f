"""How alike two texts are: the metrics of OpenAI's `text_similarity`, each from 0 to 1.

`cosine` is of embeddings and stands with what asks the server; `meteor` is refused, for it needs a
dictionary of synonyms that would have to be downloaded.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType

from adaptation.grading.overlap import common_length, f1, ngrams, shared

NO_METEOR = (
    "must not be meteor, whose dictionary of synonyms this server does not have: use gleu or "
    "rouge_l"
)
LONGEST_RUN = 4
"""Tokens, of BLEU and GLEU."""
_SPLIT = re.compile(r"[^a-z0-9]+")
_13A: Sequence[tuple[re.Pattern[str], str]] = (
    (re.compile(r"([\{-\~\[-\` -\&\(-\+\:-\@\/])"), r" \1 "),
    (re.compile(r"([^0-9])([\.,])"), r"\1 \2 "),
    (re.compile(r"([\.,])([^0-9])"), r" \1 \2"),
    (re.compile(r"([0-9])(-)"), r"\1 \2 "),
)
"""The tokenizer mteval-v13a of WMT."""


def fuzzy_match(text: str, reference: str) -> float:
    """Return the share of characters that need no insertion or deletion, as RapidFuzz's `ratio`."""
    length = len(text) + len(reference)
    return 2 * common_length(text, reference) / length if length else 1.0


def bleu(text: str, reference: str) -> float:
    """Return a sentence's BLEU with exponential smoothing, as SacreBLEU has it (W18-6319).

    BLEU = BP · exp(mean log p_n), n up to 4 and to the length of the text.
    """
    said, meant = _tokens_13a(text), _tokens_13a(reference)
    orders = min(LONGEST_RUN, len(said))
    if not orders or not meant:
        return float(said == meant)
    logs, missing = 0.0, 1
    for n in range(1, orders + 1):
        runs = ngrams(said, n)
        matches = shared(runs, ngrams(meant, n))
        if n == 1 and not matches:
            return 0.0
        if not matches:
            missing *= 2
        logs += math.log((matches or 1 / missing) / runs.total())
    brevity = min(0.0, 1 - len(meant) / len(said))
    return min(1.0, math.exp(logs / orders + brevity))


def gleu(text: str, reference: str) -> float:
    """Return Google's BLEU, min(precision, recall) over runs of 1 to 4 tokens (1609.08144)."""
    said, meant = text.split(), reference.split()
    matches = most = 0
    for n in range(1, LONGEST_RUN + 1):
        ours, theirs = ngrams(said, n), ngrams(meant, n)
        matches += shared(ours, theirs)
        most += max(ours.total(), theirs.total())
    return matches / most if most else 1.0


def rouge_n(n: int, text: str, reference: str) -> float:
    """Return the F1 of runs of `n` tokens (W04-1013)."""
    said, meant = ngrams(_words(text), n), ngrams(_words(reference), n)
    return f1(shared(said, meant), said.total(), meant.total())


def rouge_l(text: str, reference: str) -> float:
    """Return the F1 of the longest common subsequence of words (W04-1013)."""
    said, meant = _words(text), _words(reference)
    return f1(common_length(said, meant), len(said), len(meant))


METRICS: Mapping[str, Callable[[str, str], float]] = MappingProxyType(
    {
        "fuzzy_match": fuzzy_match,
        "bleu": bleu,
        "gleu": gleu,
        **{f"rouge_{n}": partial(rouge_n, n) for n in range(1, 6)},
        "rouge_l": rouge_l,
    }
)


def cosine(a: Sequence[float], b: Sequence[float]) -> float:
    """Return the cosine of the angle between two vectors, 0 where it points away."""
    lengths = math.hypot(*a) * math.hypot(*b)
    dot = sum(x * y for x, y in zip(a, b, strict=True))
    return min(1.0, max(0.0, dot / lengths)) if lengths else 0.0


def _words(text: str) -> list[str]:
    return [word for word in _SPLIT.split(text.lower()) if word]


def _tokens_13a(text: str) -> list[str]:
    text = text.replace("<skipped>", "").replace("-\n", "").replace("\n", " ")
    if "&" in text:
        for entity, sign in (("quot", '"'), ("amp", "&"), ("lt", "<"), ("gt", ">")):
            text = text.replace(f"&{entity};", sign)
    text = f" {text} "
    for pattern, spaced in _13A:
        text = pattern.sub(spaced, text)
    return text.split()
