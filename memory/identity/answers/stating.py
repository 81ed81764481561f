"""Which of the values of a sentence it states: the object of its verb, the result of its equation.

Owns the words that stand between a verb and its value, and those that make a value a bound, a date
or a description.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from memory.identity.answers.lexer import Token
from memory.identity.answers.number_words import NUMBER_WORDS
from memory.identity.answers.spans import Span
from memory.identity.answers.verbs import NOUNS_TOO, RESULTS, STATING, WITH_NAMES
from memory.identity.answers.words import words

_FILLERS = frozenset(
    words(
        """a an the out about approximately around roughly exactly only just now also still then
        therefore thus at to with us her him them you me total of up equal simply precisely
        nearly almost left over worth point points currently indeed already : ≈ about"""
    )
)
_PRONOUNS = frozenset(["it", "that", "there", "he", "she", "here", "what", "answer", "this"])
_ARTICLES = frozenset({"the", "a", "an", "total", "each", "his", "her", "their"})
"""Before a word that is a verb elsewhere: `the cost of 5 shirts`."""
_BOUNDS = frozenset(
    {"least", "most", "than", "under", "below", "above", "over", "until", "up"}
    | {"except", "but", "besides"}
)
_CHANGES = frozenset(
    words(
        """increased increases increase decreased decreases decrease rose rises rise fell falls
        fall grew grows dropped drops drop declined declines changed"""
    )
)
_DESCRIBES = frozenset(
    words(
        """a an prime even odd divisible greater less larger smaller positive negative
        irrational rational bigger higher lower composite too wrong incorrect impossible"""
    )
)
_DETERMINERS = frozenset(words("the these those both all other his her their its our my"))
_NO_NAMES = STATING.union(
    words(
        """total answer sum result cost value exactly approximately about around only roughly nearly
        just sure yes so therefore thus hence then and but also altogether final correct"""
    )
)
_ADDING = frozenset(words("add adds adding sum sums"))
"""`17 and 25 add up to 42`, but not `add 5`."""
_WHEN = frozenset(words("in since by until from during"))
_AT_LAST = re.compile(
    r"(?: [a-z]+)? (?:left(?: over)?|remaining|in total|altogether|in all)\W{0,4}\Z"
)
_REMAINS = re.compile(
    r"\b(?:remain|remains|remaining|left|in total|altogether|in all)\b", re.IGNORECASE
)


def stated_span(
    found: Sequence[Span], tokens: Sequence[Token], text: str, *, lax: bool
) -> Span | None:
    """The value that is stated, of all there are."""
    if any(_is_bounded(tokens, span) or _is_described(tokens, span) for span in found):
        return None
    chains = [span for span in found if span.side.joined in ("=", "<", "==", "in", "or", ";")]
    stating = [span for span in found if span in chains or _verb_before(tokens, span)]
    if len({span.key for span in stating}) == 1:
        rest = [span for span in found if span.start > stating[-1].start]
        rest = [span for span in rest if not _is_year(tokens, span)]
        if not all(span.key == stating[-1].key for span in rest):
            return None
        return None if _is_one_of_several(found, stating[0], chains, tokens) else stating[-1]
    last = stating[-1] if stating else None
    if last is not None and last is found[-1] and _AT_LAST.match(text[tokens[last.end - 1].end :]):
        return last
    if stating:
        return None
    if len({span.key for span in found}) == 1 and (lax or _REMAINS.search(text)):
        return found[0]
    return None


def _is_one_of_several(
    found: Sequence[Span], span: Span, chains: Sequence[Span], tokens: Sequence[Token]
) -> bool:
    """Whether a verb before it says another value as well: `baked 18 muffins and ate 3`."""
    if span in chains or _verb_before(tokens, span) in RESULTS:
        return False
    earlier = [each for each in found if each.start < span.start and each.key != span.key]
    between = tokens[earlier[0].end : span.start] if earlier else []
    return any(token.text in ("and", "but", "while") for token in between)


def _is_bounded(tokens: Sequence[Token], span: Span) -> bool:
    before = tokens[span.start - 1].text.lower() if span.start else ""
    earlier = [token.text.lower() for token in tokens[max(0, span.start - 4) : span.start]]
    if earlier[-1:] == ["by"] and _CHANGES.intersection(earlier):
        return True  # by how much, but not whither
    if earlier[-2:] == ["up", "to"] and not {"adds", "add", "sums", "adding", "sum"} & set(earlier):
        return True
    return before in _BOUNDS and not (before == "over" and span.start < 2)


def _is_described(tokens: Sequence[Token], span: Span) -> bool:
    """Whether something is said of a number: `7 is a prime`."""
    after = [token.text.lower() for token in tokens[span.end : span.end + 2]]
    return len(after) == 2 and after[0] in ("is", "are", "was") and after[1] in _DESCRIBES


def is_part_of_name(tokens: Sequence[Token], span: Span) -> bool:
    """Whether a number rather belongs to a name: `Apollo 11`, `World War 2`."""
    if not span.start or tokens[span.start].kind != "number":
        return False
    word = tokens[span.start - 1]
    before = tokens[span.start - 2].text if span.start > 1 else ""
    is_title = word.kind == "word" and len(word.text) > 2 and word.text.istitle()
    return is_title and before not in WITH_NAMES and word.text.lower() not in _NO_NAMES


def is_determined(tokens: Sequence[Token], span: Span) -> bool:
    """Whether a number only says which things: `the two scales`."""
    is_word = tokens[span.start].text.lower() in NUMBER_WORDS
    return is_word and span.start > 0 and tokens[span.start - 1].text.lower() in _DETERMINERS


def _is_year(tokens: Sequence[Token], span: Span) -> bool:
    """Whether a number only says when: `It had 5 million in 2020`."""
    before = tokens[span.start - 1].text.lower() if span.start else ""
    is_year = len(span.text) == 4 and span.text.isdigit() and "1000" <= span.text < "2100"
    return is_year and before in _WHEN


def _verb_before(tokens: Sequence[Token], span: Span) -> str:
    """The verb that states a value, with nothing but fillers between; empty without one."""
    place, passed = span.start - 1, set[str]()
    while place >= 0 and span.start - place < 7:
        word = tokens[place].text.lower()
        before = tokens[place - 1].text.lower() if place else ""
        if word in _ADDING and "to" not in passed:
            return ""
        if word in STATING and not (word in NOUNS_TOO and before in _ARTICLES):
            return word
        if word == "in" and before in ("results", "result", "resulting"):
            return "results"
        if word == "s" and before == "'":
            is_verb = place > 1 and tokens[place - 2].text.lower() in _PRONOUNS
            return "is" if is_verb else ""
        is_name = tokens[place].text.istitle() and before in WITH_NAMES
        if not (is_name or word in _FILLERS) or (word == "of" and before != "total"):
            return ""
        passed.add(word)
        place -= 1
    return ""
