"""Mathematical answers: marked values first, then what the last sentence states.

Never the first number in the text: that is usually copied from the question.
"""

from __future__ import annotations

import re

from memory.identity.answers.answer import Answer
from memory.identity.answers.bounds import is_bounded
from memory.identity.answers.canonical import canonical, read_value
from memory.identity.answers.deliberation import conclusion
from memory.identity.answers.denial import standing
from memory.identity.answers.equation import is_bare
from memory.identity.answers.fold import MAX_VALUE_CHARS, undecorate
from memory.identity.answers.lexer import plain
from memory.identity.answers.markers import marked_values
from memory.identity.answers.options import AnswerOptions
from memory.identity.answers.prose import stated
from memory.identity.answers.sentence import (
    closing_sentences,
    concludes,
    is_courtesy,
    sentences,
)

SHORT = 200
"""Characters of a reply that is read as a statement of its value, in kind `auto`."""
_ARROW = re.compile(r"\A(?:(?:=>|[∴⇒⟹→])\s?|A:\s(?=[-−–$(\\]{0,3}[0-9]))")
_CHOSEN = re.compile(r"\s{0,3}(?:\([A-E]\)|[A-E]\))\s{1,3}(?=\S)")
_PROSE = re.compile(r"[A-Za-z]{2,}[^A-Za-z]+[A-Za-z]{2,}|^[A-Za-z]{2,}[ ]")
_EXPLAINS = re.compile(
    r"\s{0,9}[*_#]{0,4}\s?(?:explanation|reasoning|because|reason|working"
    r"|here['’]?s? (?:is )?why)\b",
    re.IGNORECASE,
)
_OF_A_PART = re.compile(
    r"\W{0,4}(?:\(?(?:[b-h]|ii|iii|iv)\)"
    r"|(?:answer|part|question|problem|exercise|q)[ ]?\(?(?:[2-9]|[b-h])\)?[*_]{0,2}:)",
    re.IGNORECASE,
)
"""It is one of several answers: `(b) 6`, `Part 2: 6`."""
_LABELLED = re.compile(
    r"[-*•\s]{0,4}[A-Za-z][A-Za-z '()_-]{0,40}[*_]{0,2}:[*_]{0,2}\s{0,3}"
    r"[-−–$€£(\\*]{0,3}[0-9][^:\n]{0,40}"
)
_CONCLUDING = re.compile(
    r"\b(?:totals?|sum|answer|result|final|left|remain|remaining|overall|altogether|difference|net"
    r"|therefore|thus|hence|so|solution|conclusion|ans)\b",
    re.IGNORECASE,
)
"""Of the labels of a list, one that says that its value comes of the others."""
_SAYS_SOMETHING = re.compile(r"[^\s?.!_…-]")
_NO_ANSWER = re.compile(
    r"(?:(?:(?:definitely |certainly |clearly |probably |surely )?(?:not|never)"
    r"|neither|no longer|anything but|other than|nowhere near|unknown|unclear|helpful|correct"
    r"|incorrect|right|wrong|clear|useful"
    r"|here|below|above|as follows|based|i don['’]?t|i do not|i['’]m not|i am not|unsure|given"
    r"|found|also|going|in the|too|really|quite|obvious|simple)\b|\.{2,})",
    re.IGNORECASE,
)


def extract_math(text: str, options: AnswerOptions) -> Answer | None:
    """Take the last mark, else the value that the last sentence states."""
    del options
    text = standing(conclusion(text))
    for value in marked_values(text):
        if not value:
            return None
        answer = _behind_letter(value) or read_marked(value)
        if answer is not None:
            return answer
    return bare_value(text) or closing_answer(text, lax=True)


def _behind_letter(value: str) -> Answer | None:
    """The value of a choice that is marked with its letter: `(C) 14`."""
    shown = plain(value) if len(value) <= MAX_VALUE_CHARS else ""
    letter = _CHOSEN.match(shown)
    return bare_value(shown[letter.end() :]) if letter else None


def alone(body: str) -> str:
    """What a reply says, without decoration, and without what only introduces it."""
    return undecorate(_ARROW.sub("", body.strip(), count=1))


def bare_value(body: str) -> Answer | None:
    """A reply that is nothing but a value; one word at most says what is counted, as `2 men left`
    and `2 dogs died` are sentences."""
    value = alone(body)
    if len(value) > 60 or "\n" in value or value.startswith("- "):  # a bullet, or a minus
        return None
    side = read_value(value, max_words=1)
    return None if side is None else Answer(value, side.named.key, structured=True)


def read_marked(value: str) -> Answer | None:
    """Read a value that is marked as the answer: as a whole, as a sentence, else as words.

    None where it says that there is no answer, or only what bounds it.
    """
    value = undecorate(value)
    if not _SAYS_SOMETHING.search(value):
        return None
    is_asked = value.endswith("?") and read_value(value.rstrip("? ")) is not None
    if (
        is_asked
        or _NO_ANSWER.match(value)
        or (len(value) <= MAX_VALUE_CHARS and is_bounded(plain(value)))
    ):
        return None
    if len(value) <= MAX_VALUE_CHARS and read_value(value) is None:
        is_prose = ";" not in value and _PROSE.search(value) and not is_bare(plain(value))
        found = stated(value, lax=True) if is_prose else None
        if found is not None:
            return Answer(found.text, found.key, structured=True)
    key = canonical(value)
    return Answer(value, key, structured=True) if key else None


def closing_answer(text: str, *, lax: bool) -> Answer | None:
    """Read the value that the end of a reply states, or that is its first line."""
    if _lists_parts(text):
        return None
    for sentence in closing_sentences(text):
        if _OF_A_PART.match(sentence):
            return None
        found = stated(sentence, lax=lax) if lax or _may_state(text, sentence) else None
        if found is not None:
            return Answer(found.text, found.key, structured=True)
        break
    return _leading(text)


def _lists_parts(text: str) -> bool:
    """Whether it is one line for each of several values: `Width: 5`, `Height: 6`."""
    if ":" not in text or "\n" not in text or len(text) > MAX_VALUE_CHARS:
        return False
    lines = [line for line in text.splitlines() if line.strip()]
    is_list = len(lines) > 1 and all(map(_LABELLED.fullmatch, lines))
    return is_list and _CONCLUDING.search(lines[-1]) is None


def _may_state(text: str, sentence: str) -> bool:
    """Whether a reply is about its value: it is short and counts, or ends in a conclusion."""
    if concludes(sentence):
        return True
    if len(text.strip()) > SHORT:
        return False
    said = (said for line in text.splitlines() for said in sentences(line.strip()))
    others = (each for each in said if each != sentence)
    return all(map(_counts, others))


def _counts(said: str) -> bool:
    """Whether a sentence has a number, or nothing to say: `Sure!`."""
    return any(map(str.isdigit, said)) or len(said.split()) <= 3 or is_courtesy(said)


def _leading(text: str) -> Answer | None:
    """Read a first line that is nothing but a value: in bold or mathematics, explained, or with
    nothing said below it."""
    first, newline, rest = text.lstrip()[:MAX_VALUE_CHARS].partition("\n")
    if not newline:
        return None
    is_plain = first.strip()[:1] not in ("*", "$", "\\")
    if is_plain and not (_EXPLAINS.match(rest) or all(map(is_courtesy, rest.splitlines()))):
        return None
    side = read_value(undecorate(first))
    if side is None or not side.key:
        return None
    return Answer(undecorate(first), side.named.key, structured=True)
