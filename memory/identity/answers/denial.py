"""Whether a mark is meant: `I doubt the answer is 5`, `If the answer is 5, …` and `the answer is 7,
but that is wrong` state no answer. Looks no further than the sentence, and the one after it.
"""

from __future__ import annotations

import re

_SENTENCE = re.compile(r"[.!?][\"')*_$]{0,3}\s|\n")
_CLAUSE = re.compile(
    r"[,;:()]|[ ][-–—][ ]|\b(?:then|so|but|because|since|therefore|thus|hence|and)\b", re.IGNORECASE
)
_DENIES = re.compile(
    r"n['’]t\b|\b(?:not|never|cannot|nobody|no[ ]one|none|doubt|doubts|doubtful|false|unlikely"
    r"|impossible|(?<!of[ ])(?:wrong|incorrect)|suppose|supposing|supposed|assume|assuming"
    r"|imagine|pretend|hardly|might|could|maybe|perhaps|possibly"
    r"|(?:mistake|error)\s(?:is|was|would\sbe)|misconception|tempting"
    r"|says|claims|claimed|argues|guesses|guessed)\b"
    r"|\b(?:some|many|most|others|people|students|one)\s(?:might\s|may\s|would\s|will\s|often\s)?"
    r"(?:say|think|claim|argue|guess|believe|assume)\b"
    r"|\b(?:previous|earlier)\s\Z"
    r"|\byou(?:['’]d|\swould)?\s(?:need|want|like|prefer)\b"
    r"|\b(?:if|whether|unless)\b(?:\s+\w+){0,2}\s*\Z",
    re.IGNORECASE,
)
_DENIES_BOX = re.compile(
    r"(?:n['’]t|\bnot)\s(?:think|believe|say)\b|\b(?:doubt|unlikely|nobody|false[ ]that|suppose"
    r"|supposing|assuming)\b|\bnot\W{0,4}\Z",
    re.IGNORECASE,
)
_IS_WRONG = (
    r"(?:['’]s|\s?\b(?:is|was|seems|looks|would[ ]be|turned[ ]out[ ]to[ ]be))\s"
    r"(?:\w{2,12}ly\s|of[ ]course\s|also\s|just\s)?"
    r"(?:wrong|incorrect|false|mistaken|an?[ ](?:mistake|error)|impossible"
    r"|not\s(?:right|correct|true|possible))\b|(?:is|was)n['’]t\s(?:right|correct|true|possible)\b"
    r"|\s?(?:cannot|can['’]t)\sbe\s(?:right|correct|true)\b"
)
_VALUE_IS_WRONG = re.compile(rf"[^\s,;:!?]{{1,40}}(?:{_IS_WRONG})", re.IGNORECASE)
"""`The claim that the answer is 5 is false.`"""
_THIS = r"\b(?:that|this|it|which|my[ ]answer|the[ ]answer)"
_LATER = re.compile(
    rf"(?:\b(?:but|however|though|although|yet|and)\b,?\s{_THIS}|,\s?which)(?:{_IS_WRONG})"
    r"|(?:[,;…]|\.\.\.|[ ][-–—])\s?(?:(?:no|wait|sorry)(?:[,.:…!]|\s?[-–—$]|\s[0-9]|\s?\Z"
    r"|\s(?:it|that|this|wait|i)\b)|(?:oops|i\smean|or\srather|(?:strike|scratch)\sthat"
    r"|make\sthat(?=\s[-−$]?[0-9]))\b"
    r"|actually,?\s(?:it(?:['’]s|\sis)\s)?(?:[-−$\\(]{0,2}[0-9]|(?-i:\(?[B-HJ]\b)))"
    r"|\bbut\s(?:it|that)(?:['’]s|\sis)\s(?:actually|really|now)\b|\s\(?edit:"
    r"|(?:では|じゃ)(?:ありません|な[いく])|아닙니다|아니",
    re.IGNORECASE,
)
_NEXT = re.compile(
    rf"\s{{0,3}}(?:(?:but|however|wait|no|hmm|oops|actually),?\s){{0,2}}{_THIS}(?:{_IS_WRONG})",
    re.IGNORECASE,
)
_CORRECTS = re.compile(
    r"\s{0,3}[\"'(*_]{0,3}(?:(?:oh|but|hmm+|no)[,.]?\s)?(?:"
    r"(?:wait(?=\W{0,3}\Z|[,.!:…]|\s[-–—]|\s(?:no|that|this|it|i|let|actually)\b)|oops|correction"
    r"|(?:scratch|strike|make)\sthat|on\s(?:second\sthought|reflection)|rather(?=,)"
    r"|(?:up)?on\s(?:closer|further)\s[a-z]{4,12}|let\sme\s(?:correct|fix)"
    r"|i\smis(?:read|count|calculat|took|understood)(?:ed)?)(?![A-Za-z])"
    r"|(?:my\s)?apologies[,;:.—-]{0,2}\s(?:it|that|the\s(?:\w+\s)?answer)\b"
    r"|i\sapologi[sz]e[,;:.—-]{1,2}\s(?:it|that|the\s(?:\w+\s)?answer)\b"
    r"|(?:actually|sorry|hmm+|no),?\.{0,3}\s(?:it['’]s|(?:it|that|this)\s(?:is|was|should|must)\b"
    r"|that['’]s|should\sbe|make\sthat|the\s(?:\w+\s)?answer|my\s(?:mistake|bad)|wait|no\b"
    r"|i\s(?:made|meant|mean|mis\w+|was|forgot)\b|let\sme\s(?:correct|fix|re\w+)"
    r"|[-$]?[0-9][0-9.,]{0,20}\W{0,3}\Z|(?-i:\(?[B-HJ]\b)\W{0,3}\Z))",
    re.IGNORECASE,
)
"""What begins a sentence that takes back the one before it."""
_AT_ONCE = re.compile(rf"[\s$*)\\]{{0,4}},?(?:{_IS_WRONG})", re.IGNORECASE)
_NOT_ASSERTED = re.compile(
    r"\b(?:not|never|cannot|neither|nor|no|without|could|might|maybe|perhaps|possibly|either"
    r"|(?:is|are|was|were|be|lies?|costs?|takes?|has|have|had|somewhere|anywhere)\s"
    r"(?:\w+\s)?between|guess|unless|whether|doubt|unlikely|nobody|suppose|supposing|assume|assuming)\b"
    r"|(?:\b(?:is|was|are)|['’]s)\s(?:\w{2,12}ly\s)?(?:the\s|an?\s)?"
    r"(?:wrong|incorrect|mistaken|false)\b"
    r"|\b(?:hardly|impossible|mistake|tempting|thought|used\sto\sbe|should\shave|(?<!you\s)(?-i:may))\b"
    r"|\bexceed(?:s|ed)?\b|\bwould(?:['’]ve|\shave)\sbeen\b"
    r"|\b(?:fails?\sto|says?|claims?|claimed)\s(?:be|that|it)\b"
    r"|\A\W{0,4}if\b(?!.{0,200}\bthen\b)"
    r"|\A\W{0,4}(?:let(?!['’]s|\sus|\sme)|given)\b|\blet['’]s\s(?:say|assume|suppose)\b"
    r"|n['’]t\b|\b(?:nicht|keine?|pas|não|niet|не|non(?=\s))\b|\?\s{0,3}$",
    re.IGNORECASE,
)
_ONE_OF_SEVERAL = re.compile(r"\b(?:initial|original|first|second|third)\s\Z", re.IGNORECASE)
_STRUCK_OUT = re.compile(r"(?<!~)~~(?=[^\s~])[^~\n]{1,200}~~(?!~)")
_BEFORE, _AFTER = 120, 200


def is_denied(text: str, start: int, end: int) -> bool:
    """Whether the `answer is` between the two places introduces what is denied or supposed."""
    clause = _clause(text, start)
    around = text[max(0, start - _AFTER) : start] + text[end : end + _AFTER]
    if _ONE_OF_SEVERAL.search(clause) and "answer" in around.lower():
        return True
    is_wrong = _VALUE_IS_WRONG.match(text[end : end + _AFTER].lstrip())
    return bool(is_wrong or _DENIES.search(clause)) or _is_recanted(text, end)


def is_box_denied(text: str, start: int, end: int) -> bool:
    """The same for a box, which stands at the end of a sentence of any form."""
    return _DENIES_BOX.search(_clause(text, start)) is not None or is_taken_back(text, end)


def is_taken_back(text: str, end: int) -> bool:
    """Whether what follows a whole value says that it is none."""
    after = text[end : end + _AFTER]
    corrects = _CORRECTS.match(after.lstrip(" \n$*)\\].!"))
    return corrects is not None or _AT_ONCE.match(after) is not None or _is_recanted(text, end)


def _clause(text: str, end: int) -> str:
    """What stands before a place in its clause."""
    before = _SENTENCE.split(text[max(0, end - _BEFORE) : end])[-1]
    return _CLAUSE.split(before)[-1]


def _is_recanted(text: str, start: int) -> bool:
    """Whether what follows takes it back, in its own sentence or at the beginning of the next."""
    after = text[start : start + _AFTER].lstrip()
    ends = _SENTENCE.search(after)
    if _LATER.search(after, 0, ends.start() if ends else len(after)):
        return True
    return ends is not None and any(each.match(after, ends.end()) for each in (_NEXT, _CORRECTS))


def is_unasserted(sentence: str) -> bool:
    """Whether a sentence denies, doubts, supposes or asks what it says."""
    return _NOT_ASSERTED.search(sentence) is not None


def standing(text: str) -> str:
    """A text without what is struck out in it: `~~5~~ 6`."""
    return _STRUCK_OUT.sub("", text) if "~~" in text else text
