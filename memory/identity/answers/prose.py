"""The value that a sentence states: `17 + 25 is 42.`, `So you'd have 14 apples left.`

Every value in the sentence is found whole. One is taken if the sentence states it (after `is`,
`has`, `costs`, in bold, as the result of an equation) and no other that it could mean as well; two
that both could be meant give none, and so does anything in it that cannot be read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from memory.identity.answers.bounds import bounds
from memory.identity.answers.exact import UnreadableError
from memory.identity.answers.fold import MAX_VALUE_CHARS, undecorate
from memory.identity.answers.keys import parts
from memory.identity.answers.lexer import Token, lex, plain
from memory.identity.answers.number_words import NUMBER_WORDS
from memory.identity.answers.quotient import in_sentence
from memory.identity.answers.sentence import main_clause
from memory.identity.answers.spans import Span, spans
from memory.identity.answers.value import parse_value
from memory.identity.answers.verbs import NOUNS_TOO, RESULTS, STATING
from memory.identity.answers.word_signs import with_operators
from memory.identity.answers.words import words

_BOLD = re.compile(r"\*\*([^*\n]{1,200})\*\*(?!\s?:)|\\textbf\{([^{}\n]{1,200})\}")
_NOT_ASSERTED = re.compile(
    r"\b(?:not|never|cannot|neither|nor|no|without|could|might|maybe|perhaps|possibly|either"
    r"|between|guess|unless|whether|doubt|unlikely|nobody|suppose|supposing|assume|assuming)\b"
    r"|\b(?:is|was|are)\s(?:\w{2,12}ly\s)?(?:wrong|incorrect|mistaken|false)\b"
    r"|n['’]t\b|\b(?:nicht|keine?|pas|não|niet|не)\b|\?\s{0,3}$",
    re.IGNORECASE,
)
_FILLERS = frozenset(
    words(
        """a an the about approximately around roughly exactly only just now also still then
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
_DIGIT = re.compile("[0-9]")
_BULLET = re.compile(r"[-–][ ][0-9$]")
_COMPUTED = re.compile(
    r"(?<![0-9.])\\(?:lim|i{1,3}nt|sum|prod|angle|overline|triangle|det|max|min|lcm)(?![a-z])|[∠∑∫△∏]"
)
_ADDING = frozenset(words("add adds adding sum sums"))
"""`17 and 25 add up to 42`, but not `add 5`."""
_DETERMINERS = frozenset(words("the these those both all other his her their its our my"))
_WITH_NAMES = frozenset(words("takes took take costs cost leaves left gives gave makes earns"))
_CORRECTED = re.compile(
    r"\b(?:is|was|are)(?:n['’]t|\snot)\s(?:[^,;.0-9]{0,20}[0-9][^,;]{0,20}),?;?\s"
    r"(?:but(?:\srather)?|it['’]s|it\sis|rather)\s(?=[-$\\0-9])"
)
_REMARK = re.compile(r"\s\(([0-9 .+*/×÷−-]{3,40})\)[.!]?\s{0,3}\Z")
_THEREFORE = re.compile(r"\W{0,4}(?:so|thus|therefore|hence)\b", re.IGNORECASE)
_CONTRASTED = re.compile(r", (?:and )?not [^,;.0-9]{0,20}[0-9][^,;.]{0,20}(?=[.!]?\s{0,3}\Z)")
_ARE = re.compile(
    r"\b(?:solutions?|roots?|zeroe?s|factors|primes|numbers|values|integers|divisors|answers)\b"
    r"[^.:0-9]{0,80}?\bare:?\s{1,3}(?=[-−–$\\0-9])"
)
_IS_THE_ANSWER = re.compile(
    r"(.{1,60}?) (?:is|would be|was) (?:the|my|our|your)(?: final| correct| right)? "
    r"(?:answer|result|solution)\W{0,5}"
)
_OPEN_BOX = re.compile(r"\\(?:boxed|fbox)\s{0,9}\{")
_JSON = re.compile(r"[{\[]\s{0,9}[\"'{]|[\"']\s{0,9}:\s")
_REMAINS = re.compile(
    r"\b(?:remain|remains|remaining|left|in total|altogether|in all)\b", re.IGNORECASE
)


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
    if corrected := _CORRECTED.search(sentence):
        sentence = f"It is {sentence[corrected.end() :]}"
    sentence = in_sentence(sentence)
    if (contrast := _CONTRASTED.search(sentence)) and _DIGIT.search(sentence[: contrast.start()]):
        sentence = sentence[: contrast.start()]
    if remark := _REMARK.search(sentence):
        said = stated(sentence[: remark.start()], lax=lax)
        return said if said and _is_worth(remark[1], said.key) else None
    if _BULLET.match(sentence):
        return None  # or a minus
    if _OPEN_BOX.search(sentence) or _JSON.search(sentence):
        return None  # a box that is not closed, or a document that is not one value
    bold = _bold(sentence)
    clause = main_clause(sentence)
    text = plain(clause)
    if _NOT_ASSERTED.search(text):
        return None
    if bold is not None:
        return bold
    if _COMPUTED.search(sentence):
        return _result(sentence)
    if whole := _said_whole(text):
        return whole
    tokens = with_operators(lex(text))
    try:
        found = spans(tokens, text)
    except UnreadableError:
        return None
    found = [span for span in found if not _is_determined(tokens, span)] or found
    lax = lax or _THEREFORE.match(sentence) is not None
    chosen = _chosen(found, tokens, text, lax=lax) if found else None
    if chosen is None or _is_modified(tokens, chosen, text):
        return None
    return Stated(chosen.text, chosen.key)


def _is_worth(remark: str, key: str) -> bool:
    """Whether the arithmetic of a remark gives the value that was said: `14 apples (19 - 5)`."""
    side, value = parse_value(remark), parts(key).value
    return side is not None and side.number is not None and str(side.number) == value


def _is_modified(tokens: Sequence[Token], span: Span, text: str) -> bool:
    return bounds(text[: tokens[span.start].start], text[tokens[span.end - 1].end :])


def _said_whole(clause: str) -> Stated | None:
    """The values of `The solutions are 3 and -3`, that of `42 is the answer`."""
    reversed_ = _IS_THE_ANSWER.fullmatch(clause.strip())
    listed = _ARE.search(clause)
    value = reversed_[1] if reversed_ else clause[listed.end() :] if listed else ""
    side = parse_value(undecorate(value)) if value else None
    is_value = side is not None and (reversed_ is None or side.number is not None)
    return Stated(undecorate(value), side.named.key) if side and is_value else None


def _result(sentence: str) -> Stated | None:
    """What is right of the last `=`, whatever was computed on its left."""
    left, _, right = sentence.rpartition("=")
    value = undecorate(right.strip().rstrip(".").removesuffix("$").strip())
    side = parse_value(value) if left else None
    is_value = side is not None and not side.has_symbols and not side.joined
    return Stated(value, side.named.key) if side and is_value else None


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


def _chosen(found: Sequence[Span], tokens: Sequence[Token], text: str, *, lax: bool) -> Span | None:
    """The value that is stated, of all there are."""
    if any(_is_bounded(tokens, span) or _is_described(tokens, span) for span in found):
        return None
    chains = [span for span in found if span.side.joined in ("=", "<", "==", "in", "or", ";")]
    stating = [span for span in found if span in chains or _verb_before(tokens, span)]
    if len({span.key for span in stating}) == 1:
        rest = [span for span in found if span.start > stating[-1].start]
        if not all(span.key == stating[-1].key for span in rest):
            return None
        return None if _is_one_of_several(found, stating[0], chains, tokens) else stating[-1]
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


def _is_determined(tokens: Sequence[Token], span: Span) -> bool:
    """Whether a number only says which things: `the two scales`."""
    is_word = tokens[span.start].text.lower() in NUMBER_WORDS
    return is_word and span.start > 0 and tokens[span.start - 1].text.lower() in _DETERMINERS


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
        is_name = tokens[place].text.istitle() and before in _WITH_NAMES
        if not (is_name or word in _FILLERS) or (word == "of" and before != "total"):
            return ""
        passed.add(word)
        place -= 1
    return ""
