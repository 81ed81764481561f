"""The last thing a reply says: its closing sentence, without courtesies and without reasons."""

from __future__ import annotations

import re
from collections.abc import Iterator

from memory.identity.answers.fold import MAX_VALUE_CHARS

_END = re.compile(r"[.!?](?=[*_$)\"'’”]{0,4}\s+(?!(?:\${1,2}|\\[)\]])\s{0,9}\Z)[\"'(\[*$\\A-Z“])")
_ABBREVIATION = re.compile(r"(?:^|[\s.])(?:[A-Z]|Mrs?|Ms|Dr|St|Jr|Sr|Prof|Mt|vs|approx|No)$")
_COURTESY = re.compile(
    r"\b(?:hope|let me know|feel free|happy to help|glad to|any (?:other|more|further)? ?questions?"
    r"|anything else|need (?:any|more|further)|good luck|you'?re welcome|thanks?|thank you"
    r"|would you like|want me to|great (?:question|job)|well done|try another|enjoy"
    r"|does (?:this|that) (?:help|make sense))\b",
    re.IGNORECASE,
)
_SAYS_SOMETHING = re.compile(r"[^\W_]")
_DISPLAY_END = re.compile(r"[\s*`_$\\\]\[()}.]{0,40}|\\end\{[a-z*]{1,20}\}[\s$]{0,9}")
_LEADING = re.compile(
    r"(?:[-*•>]\s{1,3}|✅\s{0,3}|#{1,6}\s)?"
    r"(?:and |but |so,? |then,? |therefore,? |thus,? |hence,? )?"
    r"(?:if|since|because|when|whenever|after|before|as|given|with|in|at|on|for|from|by|to|once"
    r"|while|starting|[a-z]{3,15}ing)\b[^,\n]{1,200}?,\s",
    re.IGNORECASE,
)
_CONNECTIVE = re.compile(
    r"(?:^|[,;:.—-]\s{0,2}|\band )(?:so|therefore|thus|hence|which means|that means|this means"
    r"|meaning|consequently|in total|altogether|then)\b,?\s(?:that\s)?"
    r"|\b(?:which|we)\s(?=(?:leaves?|gives?|makes?|get)\b)|,\s(?=(?:leaving|giving|making)\b)"
    r"|\\(?:implies|Rightarrow|Longrightarrow|therefore)(?![A-Za-z])|[⇒⟹→∴]|=>",
    re.IGNORECASE,
)
_DIGIT = re.compile(r"[0-9½¼¾⅓⅔]|\\(?:frac|sqrt|pi)")


def closing_sentences(text: str) -> Iterator[str]:
    """The sentences of the last lines that say something, the last first; courtesies are left out.

    Bounded: what is further up is no conclusion.
    """
    lines = [line for line in text.rstrip()[-4 * MAX_VALUE_CHARS :].splitlines() if line.strip()]
    for line in lines[::-1][:6]:
        if _DISPLAY_END.fullmatch(line):
            continue
        for sentence in sentences(line.strip()[-MAX_VALUE_CHARS:])[::-1]:
            if _SAYS_SOMETHING.search(sentence) and not is_courtesy(sentence):
                yield sentence


def is_courtesy(sentence: str) -> bool:
    """Whether it says nothing of the matter, such as `I hope this helps!`."""
    return not sentence.strip() or (
        _COURTESY.search(sentence) is not None and not _DIGIT.search(sentence)
    )


def sentences(line: str) -> list[str]:
    """Cut a line into its sentences."""
    found, start = [], 0
    for end in _END.finditer(line):
        if not _ABBREVIATION.search(line[: end.start()][-8:]):
            found.append(line[start : end.end()].strip())
            start = end.end()
    return [*found, line[start:].strip()]


def main_clause(sentence: str) -> str:
    """What a sentence arrives at: without the condition before it, and what follows its `so`."""
    for end in [found.end() for found in _CONNECTIVE.finditer(sentence)][::-1]:
        if _DIGIT.search(sentence[end:]):
            sentence = sentence[end:]
            break
    for _ in range(2):
        found = _LEADING.match(sentence)
        if not found or not _DIGIT.search(sentence[found.end() :]):
            break
        if any(found[0].count(each) > found[0].count(shut) for each, shut in ("()", "[]", "{}")):
            break  # the comma of a pair
        sentence = sentence[found.end() :]
    return sentence


def concludes(sentence: str) -> bool:
    """Whether a sentence says of itself that it concludes."""
    return _CONCLUDES.search(sentence) is not None


_CONCLUDES = re.compile(
    r"^[^\w]{0,6}(?:so|therefore|thus|hence|finally|altogether|in total|consequently|as a result"
    r"|this means|that means|that leaves|this leaves|this gives|after)\b"
    r"|\b(?:in total|altogether|total|left|remain(?:s|ing)?|left over)\b|=|\*\*|, so ",
    re.IGNORECASE,
)
