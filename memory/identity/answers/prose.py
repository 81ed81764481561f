"""The value that a sentence states: `17 + 25 is 42.`, `So you'd have 14 apples left.`

Every value in the sentence is found whole. One is taken if the sentence states it (after `is`,
`has`, `costs`, in bold, as the result of an equation) and no other that it could mean as well; two
that both could be meant give none, and so does anything in it that cannot be read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from memory.identity.answers.collection import closing
from memory.identity.answers.equation import is_symbol
from memory.identity.answers.exact import UnreadableError
from memory.identity.answers.fold import MAX_VALUE_CHARS, undecorate
from memory.identity.answers.lexer import Token, lex, plain
from memory.identity.answers.moment import MONTHS
from memory.identity.answers.number_words import NUMBER_WORDS
from memory.identity.answers.relation import Side
from memory.identity.answers.sentence import main_clause
from memory.identity.answers.units import CODES, SIGNS
from memory.identity.answers.value import RELATIONS, ValueParser, parse_value
from memory.identity.answers.word_signs import with_operators
from memory.identity.answers.words import words

_BOLD = re.compile(r"\*\*([^*\n]{1,200})\*\*(?!\s?:)|\\textbf\{([^{}\n]{1,200})\}")
_NOT_ASSERTED = re.compile(
    r"\b(?:not|never|cannot|neither|nor|no|without|could|might|maybe|perhaps|possibly|either"
    r"|between|guess|unless|whether)\b|n['’]t\b|\?\s{0,3}$",
    re.IGNORECASE,
)
_COPULAS = """is are was were be been equals equal becomes become totals total makes make made gives
give yields = : comes amounts adds remain remains"""
_VERBS = """have has had having cost costs costing take takes took pay pays paid need needs needed earn
earns earned get gets got weigh weighs weighed spend spends spent travel travels traveled travelled
run runs ran leave leaves left contain contains hold holds receive receives received sell sells sold
buy buys bought eat eats ate save saves saved measure measures reach reaches reached drop drops
dropped rise rises rose find finds obtain obtains produce produces arrive arrives arrived boil boils
leaving giving last lasts walk walks walked drive drives drove read reads score scores scored collect collects owe
owes charge charges requires require use uses used see sees does jump jumps lay lays know drew draw
lose loses lost win wins won miss misses missed pick picks picked plant plants planted grow grows"""
_STATING = frozenset((*_COPULAS.split(), *_VERBS.split()))
_COPULAS_ALONE = frozenset(
    ["is", "are", "was", "were", "be", "been", "equals", "equal", "=", ":", "s"]
) - {"s"}
_FILLERS = frozenset(
    words("""a an the about approximately around roughly exactly only just now also still then
therefore thus at to with us her him them you me total of up equal simply precisely nearly
almost left over worth currently indeed already : ≈ about""")
)
_PRONOUNS = frozenset(["it", "that", "there", "he", "she", "here", "what", "answer", "this"])
_ARTICLES = frozenset({"the", "a", "an", "total", "each", "his", "her", "their"})
"""Before a word that is a verb elsewhere: `the cost of 5 shirts`."""
_BOUNDS = frozenset({"least", "most", "than", "under", "below", "above", "over", "until", "up"})
_CHANGES = frozenset(
    words("""increased increases increase decreased decreases decrease rose rises rise fell falls fall
grew grows dropped drops drop declined declines changed""")
)
_DESCRIBES = frozenset(
    words("""a an prime even odd divisible greater less larger smaller positive negative irrational
rational bigger higher lower composite""")
)
_LABELS = frozenset(
    words("""step question problem part option case example figure table chapter page equation method
round level grade section note exercise line room type no number""")
)
_QUOTES = frozenset("\"'«»„(")
_OPEN_BOX = re.compile(r"\\(?:boxed|fbox)\s{0,9}\{")
_JSON = re.compile(r"[{\[]\s{0,9}[\"'{]|[\"']\s{0,9}:\s")
_OR_SO = frozenset({"or", "ish", "perhaps", "maybe"})
_REMAINS = re.compile(
    r"\b(?:remain|remains|remaining|left|in total|altogether|in all)\b", re.IGNORECASE
)
_ORDINALS = frozenset({"st", "nd", "rd", "th"})
_BEGINNINGS = frozenset(
    words(r"""\frac \sqrt \binom \pi \{ \pm \ln \log \sin \cos \tan \begin \infty""")
)
_JOINING = frozenset([r"+", r"*", r"/", r"^", r"<", r"<=", r">=", r"\cdot", r"\times"])
_OPERATORS = frozenset(["+", "-", "*", "/", "^", "=", "<", ">", "<=", ">="])


@dataclass(frozen=True)
class Span:
    """A value in a sentence, and the tokens it takes."""

    side: Side
    start: int
    end: int
    text: str

    @property
    def key(self) -> str:
        """Its key."""
        return self.side.named.key


@dataclass(frozen=True)
class Stated:
    """What a sentence states."""

    text: str
    key: str


def stated(sentence: str, *, lax: bool) -> Stated | None:
    """The one value a sentence states.

    `lax` takes the only value there is, wherever it stands.
    """
    if len(sentence) > MAX_VALUE_CHARS:
        return None
    if _OPEN_BOX.search(sentence) or _JSON.search(sentence):
        return None  # a box that is not closed, or a document that is not one value
    bold = _bold(sentence)
    clause = main_clause(sentence)
    text = plain(clause)
    if _NOT_ASSERTED.search(text):
        return None
    if bold is not None:
        return bold
    tokens = with_operators(lex(text))
    try:
        found = spans(tokens, text)
    except UnreadableError:
        return None
    chosen = _chosen(found, tokens, text, lax=lax) if found else None
    return Stated(chosen.text, chosen.key) if chosen else None


def _bold(sentence: str) -> Stated | None:
    """The value in bold, if there is one and no other."""
    if _NOT_ASSERTED.search(sentence):
        return None
    found: dict[str, Stated] = {}
    for match in _BOLD.finditer(sentence):
        inner = undecorate(match[1] or match[2])
        if (match[1] or match[2]).rstrip().endswith(":"):
            continue
        side = parse_value(inner)
        if side is None and any(char.isdigit() for char in inner):
            inner_stated = stated(inner, lax=True) if "**" not in inner else None
            if inner_stated is None:
                return None
            found[inner_stated.key] = inner_stated
        elif side is not None and len(inner) > 1:
            found[side.named.key] = Stated(inner, side.named.key)
    return next(iter(found.values())) if len(found) == 1 else None


def spans(tokens: Sequence[Token], text: str) -> list[Span]:
    """Every value of a sentence; raises UnreadableError where one cannot be read whole."""
    found: list[Span] = []
    at = steps = 0
    while at < len(tokens):
        steps += 1
        if skipped := _function_of_words(tokens, at):
            at = skipped
            continue
        if _is_label(tokens, at) or not _may_begin(tokens, at):
            at += 1
            continue
        parser = ValueParser(tokens, in_prose=True)
        parser.at = at
        parser.leads = at > 1 and tokens[at - 1].text == "="
        try:
            side = parser.value()
        except (UnreadableError, RecursionError, ValueError, OverflowError, ZeroDivisionError):
            if tokens[at].kind in ("number", "command") or tokens[at].text in (*SIGNS, "-"):
                raise UnreadableError("a value that cannot be read") from None
            at += 1
            continue
        if _is_compound_word(tokens, parser.at):
            at = parser.at + 1
            continue
        _check_edges(tokens, at, parser.at)
        last = tokens[parser.at - 1]
        found.append(Span(side, at, parser.at, text[tokens[at].start : last.end].strip()))
        at = parser.at
        if steps > 200:
            raise UnreadableError("too many values")
    return found


def _function_of_words(tokens: Sequence[Token], at: int) -> int:
    """The place after `gcd(12, 18)` or `apple(s)`, which begin no value; 0 elsewhere."""
    token, after = tokens[at], tokens[at + 1] if at + 1 < len(tokens) else None
    if token.kind != "word" or len(token.text) < 3 or token.text in ("sin", "cos", "tan", "log"):
        return 0
    if after is None or after.text != "(" or after.spaced:
        return 0
    end = closing(tokens, at + 1)
    return end + 1 if end is not None else 0


def _is_label(tokens: Sequence[Token], at: int) -> bool:
    """Whether a number only numbers something: `Step 3`, `#3`, `the 3rd`."""
    if tokens[at].kind != "number":
        return False
    after = tokens[at + 1] if at + 1 < len(tokens) else None
    if after and after.text in _ORDINALS and not after.spaced:
        return True
    before = tokens[at - 1] if at else None
    return before is not None and (before.text == "#" or before.text.lower() in _LABELS) and (
        at < 2 or tokens[at - 2].text.lower() not in ("the", "a", "total")
    )  # fmt: skip


def _may_begin(tokens: Sequence[Token], at: int) -> bool:
    token = tokens[at]
    after = tokens[at + 1] if at + 1 < len(tokens) else None
    if token.kind == "number":
        return True
    if token.kind == "command":
        return token.text in _BEGINNINGS
    if token.text.lower() in MONTHS:
        return after is not None and after.kind == "number"
    if token.text in SIGNS or token.text in CODES:
        return after is not None and (after.kind == "number" or after.text == "-")
    if token.text == "{":
        return after is not None and after.kind == "number"
    if token.text == "-" and after is not None and after.spaced and _is_dash(tokens, at):
        return False
    if token.text == "-" and after is not None and after.text.lower() in NUMBER_WORDS:
        return True
    if token.text in ("-", "≈"):
        return after is not None and (after.kind in ("number", "command") or after.text in SIGNS)
    if token.text in ("(", "[", "|"):
        return (after is not None and after.kind != "word") or _opens_formula(tokens, at)
    if token.kind != "word":
        return False
    if token.text.lower() in NUMBER_WORDS:
        return token.text.lower() not in ("one", "zero")
    if after is not None and token.text in ("sin", "cos", "tan", "log", "ln"):
        return after.text in ("(", "_", "^")
    if len(token.text) > 1 or after is None:
        return False
    if token.text in ("I", "a", "A"):
        return after.text in _OPERATORS and after.text != "-"
    return after.text in (*_OPERATORS, "_") or (after.text == "(" and not after.spaced)


def _is_dash(tokens: Sequence[Token], at: int) -> bool:
    """Whether a dash between spaces only separates: `Answer - 5`, but not `it is - 5`."""
    return at > 0 and tokens[at - 1].kind == "word" and tokens[at - 1].text.lower() not in _STATING


def _opens_formula(tokens: Sequence[Token], at: int) -> bool:
    texts = [token.text for token in tokens[at + 1 : at + 3]]
    return len(texts) == 2 and len(texts[0]) == 1 and texts[1] in (*_OPERATORS, ",")


def _is_compound_word(tokens: Sequence[Token], end: int) -> bool:
    """Whether what was read begins an adjective: `14-year-old`."""
    rest = tokens[end : end + 2]
    return len(rest) == 2 and rest[0].text == "-" and not rest[0].spaced and rest[1].kind == "word"


def _check_edges(tokens: Sequence[Token], start: int, end: int) -> None:
    """Raise UnreadableError where a value goes on in what was not read."""
    before = tokens[start - 1] if start else None
    if before is not None and before.text in _JOINING:
        raise UnreadableError("a value that begins earlier")
    if before is not None and not tokens[start].spaced:
        is_joined = before.kind in ("word", "number", "other") and before.text not in _QUOTES
        if is_joined or before.text in ("/", "_", "^", ".", "*"):
            raise UnreadableError("a value that begins earlier")
    if before is not None and before.text == "=" and _is_unknown(tokens, start - 2):
        raise UnreadableError("an equation that says more than its right side")
    if end < len(tokens):
        after = tokens[end]
        goes_on = after.text in (*_OPERATORS, "_", "!", "&", "%") or after.kind in (
            "number",
            "command",
        )
        if after.text == "!" and (
            end + 1 == len(tokens) or tokens[end + 1].kind in ("word", "other")
        ):
            goes_on = False
        if (
            after.text == "-"
            and after.spaced
            and end + 1 < len(tokens)
            and tokens[end + 1].kind == "word"
        ):
            goes_on = False
        if after.text in _BEGINNINGS or goes_on:
            raise UnreadableError("a value that goes on")
        if after.text in _OR_SO and end + 1 < len(tokens) and tokens[end + 1].text == "so":
            raise UnreadableError("about a value")
        if not after.spaced and after.kind == "word":
            raise UnreadableError("a word joined to a value")


def _is_unknown(tokens: Sequence[Token], at: int) -> bool:
    """Whether what is left of `=` is a product or a function, and no word: `xy = 5`."""
    if at < 0:
        return False
    if tokens[at].text == ")":  # of gcd(12, 18), but not of f(2)
        opens = next((place for place in range(at, 0, -1) if tokens[place].text == "("), 0)
        return not (opens and tokens[opens - 1].kind == "word" and len(tokens[opens - 1].text) > 2)
    if tokens[at].kind != "word":
        return True
    is_named = at > 0 and tokens[at - 1].kind == "word" and tokens[at].spaced
    return is_symbol(tokens[at].text) and not is_named


def _chosen(found: Sequence[Span], tokens: Sequence[Token], text: str, *, lax: bool) -> Span | None:
    """The value that is stated, of all there are."""
    if any(_is_bounded(tokens, span) or _is_described(tokens, span) for span in found):
        return None
    chains = [span for span in found if span.side.joined in ("=", "<", "==", "in", "or", ";")]
    stating = [span for span in found if span in chains or _is_stated(tokens, span)]
    if len({span.key for span in stating}) == 1:
        rest = [span for span in found if span.start > stating[-1].start]
        if all(span.key == stating[-1].key for span in rest):
            return stating[-1]
        return None
    if stating:
        return None
    if len({span.key for span in found}) == 1 and (lax or _REMAINS.search(text)):
        return found[0]
    return None


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
    return len(after) == 2 and after[0] in ("is", "are") and after[1] in _DESCRIBES


def _is_stated(tokens: Sequence[Token], span: Span) -> bool:
    """Whether a verb that states stands before a value, with nothing but fillers between."""
    place = span.start - 1
    while place >= 0 and span.start - place < 7:
        word = tokens[place].text.lower()
        before = tokens[place - 1].text.lower() if place else ""
        if word in _COPULAS_ALONE or (word in _STATING and before not in _ARTICLES):
            return True
        if word == "s" and before == "'":
            return place > 1 and tokens[place - 2].text.lower() in _PRONOUNS
        if word not in _FILLERS or (word == "of" and before != "total"):
            return False
        place -= 1
    return False


__all__ = ["RELATIONS", "Span", "Stated", "spans", "stated"]
