"""Multiple choice: the letter, A to J, however it is said."""

from __future__ import annotations

import re

from memory.identity.answers.answer import Answer
from memory.identity.answers.deliberation import conclusion
from memory.identity.answers.denial import standing
from memory.identity.answers.excluded import judged, without_excluded
from memory.identity.answers.fold import MAX_VALUE_CHARS, fold_expression, undecorate
from memory.identity.answers.json_value import parse_json, whole_container
from memory.identity.answers.lexer import plain
from memory.identity.answers.markers import marked_values
from memory.identity.answers.options import AnswerOptions

_DECORATION = re.compile(r"[*_`$✅✓✔☑]+")
_LETTER_ONLY = re.compile(r"(?:(?:option|choice) ?)?[(\[]?([A-J])[)\].:]?", re.IGNORECASE)
_LETTER_THEN_TEXT = re.compile(
    r"(?:(?:option|choice)[ ])?"
    r"(?:\(([A-J])\)|([A-J])\)|([A-J])[.:](?=[ ](?![A-Z]\.)[A-Z0-9$\\\"'(]))[ ]{0,9}.*",
    re.DOTALL,
)
_NAMED = re.compile(
    r"\b(?:option|choice|choose|select|pick|answer(?:[ ]is)?|is|be)[ ]{0,2}:?[ ]{0,2}"
    r"(?:\(([A-J])\)|([B-HJ])(?=[).,:;!]|\s(?!=)|$)|([AI])(?=[).,:;!]|$|\s(?![a-z])|\s(?:is|as|because|since)\b))",
    re.IGNORECASE,
)
"""`A` and `I` are words as well."""
_AND_ANOTHER = re.compile(
    r"\)?(?:[ ]?[,;]|,?[ ]\(?(?:and|or|&)|[ ]?[/&+]|[ ]?(?=\(?[A-J]\)?(?:[.\s]|\Z)))[ ]?"
    r"(?:(?:possibly|maybe|perhaps|also|probably|even)[ ])?\(?"
    r"(?:[B-HJ](?![A-Za-z'])|[AI](?![A-Za-z']|[ ][a-z])|I{2,3}\b|IV\b)"
)
_SEVERAL = re.compile(r"\(?[A-J]" + _AND_ANOTHER.pattern)
_PARENTHESISED = re.compile(r"\(([A-J])\)")
_IS_RIGHT = re.compile(
    r"\(?\b([A-J])\)?[ ](?:is|seems)[ ](?:the[ ])?(?:only[ ])?(?:correct|right|best|answer|one)\b"
)
_EXPLAINED = re.compile(
    r"(?:option|choice) \(?([A-J])\)?|\(?([A-J])\) \S.*"
    r"|([A-J]) [-–—] [A-Z][a-z].*|([B-HJ]), I (?:think|believe|guess)\b.*"
    r"|([A-J]),? (?:[-–—] )?(?:(?<=[A-J], )|(?<=[-–—] )|(?<=[B-HJ] ))(?:because|since|as)\b.*",
    re.IGNORECASE,
)
_ARRIVED = re.compile(
    r"(?:(?:^|[.,;!]\s)(?:so|thus|hence|therefore|solution|correct|probably|definitely|certainly)[,:]?"
    r"|\bit['’]s|\bgo(?:ing)?\swith|\bthink|\bwould\ssay|\bleaves)\s\(?([A-HJ])\)?[.!]?\Z",
    re.IGNORECASE,
)
_ASKED = re.compile(
    r"(?:^|(?<=[.!?,;:])\s|\b(?:so|and|but|or|now|(?<!only )then)\s)"
    r"(?:(?:would|will|do|did|can|could)\s(?:you|i|we)|(?:should|shall)\s(?:i|we))\s"
    r"[^.!?]{0,200}(?:\?|\Z)",
    re.IGNORECASE,
)
"""A question to somebody, whole or cut off: what it names is not chosen."""
_OPTION = re.compile(r"[-*•\s]{0,5}\(?([A-J])(?:[).:]|[ ][-–—][ ]|\Z)")
_JUDGES = re.compile(r"\b(?:answer|correct|right|true|wrong|false|incorrect)\b", re.IGNORECASE)
_NAME_OF_ANSWER = re.compile(
    r"(?:(?:final|correct)[ _]?)?(?:answer|choice|option|letter)", re.IGNORECASE
)
_LEADING = re.compile(r"\(?([A-J])[).:](?:\s|$)")


def extract_choice(text: str, options: AnswerOptions) -> Answer | None:
    """Take the marked letter, else the last line's letter, else the one the text begins with."""
    del options
    text = standing(conclusion(text))
    for value in marked_values(text):
        if not value or _SEVERAL.match(_DECORATION.sub("", value)):
            return None
        letter = letter_of(value) or _named(value) or _arrived(value)
        if letter:
            return _answer(letter)
    if document := whole_container(text):
        return _in_document(document.text)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        return None
    first, *last = (_DECORATION.sub("", line) for line in (lines[0][:500], *lines[-10:]))
    are_judged, letter = judged(last)
    if not are_judged:
        letter = None if _lists_options(last) else _concluded(first, last[-1])
    return _answer(letter) if letter else None


def _in_document(text: str) -> Answer | None:
    """The letter that a JSON object gives under one of the names of an answer."""
    document = parse_json(text)
    named = document.items() if isinstance(document, dict) else ()
    values = [value for name, value in named if _NAME_OF_ANSWER.fullmatch(name)]
    letter = letter_of(values[0]) if len(values) == 1 and isinstance(values[0], str) else None
    return _answer(letter) if letter else None


def _lists_options(lines: list[str]) -> bool:
    """Whether the last lines only repeat the choices, one after the other."""
    if any(_JUDGES.search(line) for line in lines[-2:]):
        return False
    begun = [_OPTION.match(line) for line in lines[-2:]]
    letters = [found[1] for found in begun if found]
    return len(letters) == 2 and ord(letters[1]) == ord(letters[0]) + 1


def _concluded(first: str, last: str) -> str | None:
    """The letter that the last line arrives at, else the one that the first begins with."""
    said, excluded = without_excluded(_ASKED.sub("", last))
    right = [found[1] for found in _IS_RIGHT.finditer(said)]
    letter = letter_of(said) or _named(said) or _arrived(said) or _only(right)
    letter = letter or _only(_PARENTHESISED.findall(said))
    letter = letter or leading_choice(last) or _leading(without_excluded(first)[0]) or _alone(first)
    return None if letter in excluded else letter


def letter_of(value: str) -> str | None:
    """The letter if `value` is one, alone (`B`, `(b)`, `B.`) or before its text (`B) Paris`)."""
    value = plain(value) if "\\" in value and len(value) <= MAX_VALUE_CHARS else value
    bare = _DECORATION.sub("", undecorate(value)).strip()
    if len(bare) <= 40:
        only = _LETTER_ONLY.fullmatch(fold_expression(bare).strip())
        if only:
            return only[1].upper()
    found = _LETTER_THEN_TEXT.fullmatch(bare)
    letter = (found[1] or found[2] or found[3]) if found else None
    return letter if set(_PARENTHESISED.findall(bare)) <= {letter} else None


def leading_choice(value: str) -> str | None:
    """The letter of a line that names it as a choice: `Option B`, `B) Paris`, `B, because …`."""
    found = _EXPLAINED.fullmatch(value[:MAX_VALUE_CHARS])
    letter = next(filter(None, found.groups()), "") if found else ""
    is_alone = set(_PARENTHESISED.findall(value)) <= {letter}
    return letter if letter.isupper() and is_alone else None


def _named(line: str) -> str | None:
    """The letter that "option", "choose", "is" and the like point at, if all agree on one."""
    matches = list(_NAMED.finditer(line))
    if any(_AND_ANOTHER.match(line, match.end()) for match in matches):
        return None
    found = [match[1] or match[2] or match[3] for match in matches]
    return _only([letter for letter in found if letter.isupper()])


def _leading(line: str) -> str | None:
    found = _LEADING.match(line)
    return found[1] if found and set(_PARENTHESISED.findall(line)) <= {found[1]} else None


def _arrived(line: str) -> str | None:
    """The letter that a line ends in: `Hence D.`, `I would go with (D)`."""
    found = _ARRIVED.search(line)
    return found[1] if found and found[1].isupper() else None


def _alone(line: str) -> str | None:
    """The letter that is a whole line."""
    return line if len(line) == 1 and _LETTER_ONLY.fullmatch(line) and line.isupper() else None


def _only(letters: list[str]) -> str | None:
    return letters[0] if len(set(letters)) == 1 else None


def _answer(letter: str) -> Answer:
    return Answer(letter, letter.lower(), structured=True)
