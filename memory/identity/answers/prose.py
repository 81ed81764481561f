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
from memory.identity.answers.denial import is_unasserted
from memory.identity.answers.exact import UnreadableError
from memory.identity.answers.fold import MAX_VALUE_CHARS, undecorate
from memory.identity.answers.keys import parts
from memory.identity.answers.lexer import Token, lex, plain, with_carets
from memory.identity.answers.quotient import in_sentence
from memory.identity.answers.sentence import main_clause
from memory.identity.answers.spans import Span, spans
from memory.identity.answers.stating import is_determined, is_part_of_name, stated_span
from memory.identity.answers.value import parse_value
from memory.identity.answers.word_signs import with_operators

_BOLD = re.compile(r"\*\*([^*\n]{1,200})\*\*(?!\s?:)|\\textbf\{([^{}\n]{1,200})\}")
_DIGIT = re.compile("[0-9]")
_BULLET = re.compile(r"[-–][ ][0-9$]")
_COMPUTED = re.compile(
    r"\bmod\s[^=,;]{1,20}=|(?<![0-9.])\\(?:lim|i{1,3}nt|sum|prod|angle|overline|triangle|det|max|min|lcm)(?![a-z])|[∠∑∫△∏]"
)
_CORRECTED = re.compile(
    r"\b(?:is|was|are)(?:n['’]t|\snot)\s(?:[^,;.0-9]{0,20}[0-9][^,;]{0,20}),?;?\s"
    r"(?:but(?:\srather)?|it['’]s|it\sis|rather)\s(?=[-$\\0-9])"
)
_REMARK = re.compile(r"\s\(([0-9 .+*/×÷−-]{3,40})\)[.!]?\s{0,3}\Z")
_THEREFORE = re.compile(r"\W{0,4}(?:so|thus|therefore|hence)\b", re.IGNORECASE)
_CONTRASTED = re.compile(
    r"(?:, (?:and )?not|,? (?:rather than|instead of)) "
    r"[^,;.0-9]{0,20}[0-9][^,;.]{0,20}(?=[.!]?\s{0,3}\Z)"
)
_CHAIN = re.compile(r"[^=]{1,80}(?:=[^=]{1,80}){2,7}")
"""`F = ma = 10 kg × 2 m/s² = 20 N`: what cannot be read in the middle leads to the end."""
_NO_CHAIN = re.compile(
    r"[;:]|,(?![0-9]{3})|(?:\b[A-Za-z]{3,}\s+){2}"
    r"|\b(?:and|or|since|where|when|if|for|so|but|while|with|because|given|then|at|as|is|in)\b"
)
"""What makes of two equations no chain."""
_LISTED = re.compile(r"\W{0,3}[0-9]{1,2}\)\s")
_ARE = re.compile(
    r"\b(?:solutions?|roots?|zeroe?s|factors|primes|numbers|values|integers|divisors|answers)\b"
    r"[^.:0-9]{0,80}?\bare:?\s{1,3}(?=[-−–$\\0-9])"
)
_IS_THE_ANSWER = re.compile(
    r"(.{1,60}?) (?:is|would be|was) (?:the|my|our|your)(?: final| correct| right)? "
    r"(?:answer|result|solution)\W{0,5}"
)
_MARKED = re.compile(r"[0-9]\s?(['\"′″])(?![A-Za-z0-9])")
_QUOTES = {
    "'": re.compile(r"(?<![A-Za-z])['‘]|'(?![A-Za-z])"),
    **{sign: re.compile(sign) for sign in '"′″'},
}
_OPEN_BOX = re.compile(r"\\(?:boxed|fbox)\s{0,9}\{")
_JSON = re.compile(r"[{\[]\s{0,9}[\"'{]|[\"']\s{0,9}:\s")


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
    sentence = with_carets(_without_what_it_is_not(in_sentence(sentence)))
    if remark := _REMARK.search(sentence):
        said = stated(sentence[: remark.start()], lax=lax)
        return said if said and _is_worth(remark[1], said.key) else None
    if _BULLET.match(sentence) or sentence.rstrip().endswith(":"):
        return None  # it may be a minus; what follows is introduced
    if _OPEN_BOX.search(sentence) or _JSON.search(sentence):
        return None  # a box that is not closed, or a document that is not one value
    text = plain(main_clause(sentence))
    if is_unasserted(text) or _is_marked_alone(text):
        return None  # 5' are feet or minutes
    if said := _bold(sentence):
        return said
    if _COMPUTED.search(sentence):
        return _result(sentence)
    if _CHAIN.fullmatch(text):
        return _in_clause(text, lax=lax) or _result(text)
    if _ARE.search(text) or _IS_THE_ANSWER.fullmatch(text.strip()):
        return _said_whole(text)
    lax = (lax and not _LISTED.match(sentence)) or _THEREFORE.match(sentence) is not None
    return _in_clause(text, lax=lax)


def _is_marked_alone(sentence: str) -> bool:
    """Whether a number has a sign of feet, inches or minutes, and no end of a quotation."""
    found = _MARKED.search(sentence)
    return found is not None and len(_QUOTES[found[1]].findall(sentence)) == 1


def _in_clause(text: str, *, lax: bool) -> Stated | None:
    """The one value of a clause that its verb states."""
    tokens = with_operators(lex(text))
    try:
        found = spans(tokens, text)
    except UnreadableError:
        return None
    found = [span for span in found if not is_determined(tokens, span)] or found
    span = stated_span(found, tokens, text, lax=lax) if found else None
    if span is None or is_part_of_name(tokens, span) or _is_modified(tokens, span, text):
        return None
    return Stated(span.text, span.key)


def _without_what_it_is_not(sentence: str) -> str:
    """`It isn't 5, it's 6` says 6, and so does `It is 6, not 5`."""
    if corrected := _CORRECTED.search(sentence):
        sentence = f"It is {sentence[corrected.end() :]}"
    contrast = _CONTRASTED.search(sentence)
    is_said = contrast and _DIGIT.search(sentence, 0, contrast.start())
    return sentence[: contrast.start()] if contrast and is_said else sentence


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
    if _NO_CHAIN.search(left.partition("=")[2]):
        return None
    value = undecorate(right.strip().rstrip(".").removesuffix("$").strip())
    side = parse_value(value) if left else None
    is_value = side is not None and not side.has_symbols and not side.joined
    return Stated(value, side.named.key) if side and is_value else None


def _bold(sentence: str) -> Stated | None:
    """The value in bold, if there is one and no other."""
    if is_unasserted(sentence):
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
