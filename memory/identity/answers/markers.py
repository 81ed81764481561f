"""Where a text says "this is my answer": `\\boxed{}`, `#### x`, `<answer>`, `the answer is x`.

Owns finding the marked value, not reading it. The last mark counts, never the first: a model that
corrects itself does so later. All patterns have bounded repetition, so finding is linear.
"""

from __future__ import annotations

import re

from memory.identity.answers.boxes import last_boxed
from memory.identity.answers.denial import is_denied, is_taken_back
from memory.identity.answers.factorial import before_full_stop
from memory.identity.answers.fold import MAX_VALUE_CHARS, undecorate

_HASHES = re.compile(r"^[ \t]*####[ \t]*(\S[^\n]*)", re.MULTILINE)
_TAG = "(?:final_?)?answer|final(?:_?result)?"
_ANSWER_BEGINS = re.compile(rf"<(?:{_TAG})>|\[(?:final_?)?answer\]", re.IGNORECASE)
_ANSWER_ENDS = re.compile(rf"</(?:{_TAG})>|\[/(?:final_?)?answer\]", re.IGNORECASE)
_LEFT_OPEN = re.compile(
    rf"(?:\A|[\n.!?:>]\s{{0,3}})<(?:{_TAG})>\s{{0,3}}([^\n<>]{{1,80}})\s*\Z", re.I
)
"""A caller may stop a reply at the tag that would close it."""
_WORD = re.compile(r"[^\W\d_]{2}")
_ANSWER_IS = re.compile(
    r"\banswers?\b[*_]{0,3}"
    r"(?:[ ](?:to|for)[ ][^\n.:]{1,120}?)?"
    r"(?:[ \t]{0,3}(?::|：|=>|->|[→⇒]|=|≈"
    r"|\b(?:should[ ]be|would[ ]be|must[ ]be|is|was)\b)[ \t*_]{0,4}){1,2}"
    r"(?::[ \t*_]{0,4})?"
    r"(?:(?:therefore|thus|hence|simply|just|indeed|then|that)\b[,:]?[ \t]{0,3})?"
    r"\n{0,3}[ \t]{0,8}",
    re.IGNORECASE,
)
_OPTION_IS = re.compile(
    r"\b(?:correct|right|best) (?:option|choice)[*_]{0,3} ?(?::|\bis\b:?) ?(?=[*_]{0,3}\(?[A-J]\b)",
    re.IGNORECASE,
)
_ABROAD = re.compile(
    r"(?:\b(?:réponse|antwort|lösung|ergebnis|respuesta|resultado|resposta|risposta|antwoord|ответ)"
    r"(?: (?:finale?|correcta|correta|corretta))?[*_]{0,3} ?"
    r"(?::|=|\b(?:est|ist|lautet|es|é|è|is|равен)(?= ))"
    r"(?! (?:pas|nicht|kein|no|não|non|niet|не)\b)"
    r"|(?:答案|答え|正解|答|정답|답)[*_]{0,3} ?(?:[:：]|(?:是|为|為|は|은|는)[:：]?))[ *_]{0,4}",
    re.IGNORECASE,
)
"""The same in German, French, Spanish, Portuguese, Italian, Dutch, Russian, Chinese, Japanese and
Korean."""
_HEADING = re.compile(
    r"^[ \t]{0,3}(?:(?:#{1,6}[ ]|\*\*)[^\n]{0,40}?\b|(?:final[ ])?)answer[ :*_]{0,5}\n\s{0,8}",
    re.IGNORECASE | re.MULTILINE,
)
_DASHED = re.compile(r"^[*_# ]{0,6}(?:final[ ])?answer[*_]{0,2}[ ][-–—][ ]", re.I | re.M)
_OF_A_PART = re.compile(r"\((?:[b-h]|ii|iii|iv)\)|\bpart[ ](?:[b-h]|[2-9])\b")
"""It is one of several answers."""
_AND_A_PART = re.compile(r"\A[^()]{0,20}[0-9][^()]{0,60}\s\((?:[b-h]|ii|iii|iv)\)[^()]{0,60}[0-9]")
"""`5 and to (b) is 6`."""
_IN_PARTS = re.compile(r"\s{0,3}\(?(?:a|i)\)[^\n]{1,200}\n\s{0,3}\(?(?:b|ii)\)", re.I)
_COPULA = re.compile(
    r"(?:(?<=\S)(?:です|입니다)|(?<=[0-9A-Za-z)$}])\s?(?:です|입니다|이다|だ))(?=[。.]?\s*\Z)"
)
"""After the value, in Japanese and Korean."""
_SPOKEN = (_ANSWER_IS, _OPTION_IS, _ABROAD, _HEADING, _DASHED)
_SENTENCE_END = re.compile(r"[.!?](?=[*_$)]{0,4}\s+[\"'(\[*$\\A-Z])")
_REASON = re.compile(
    r",?[ ]+(?:because|since)\b"
    r"|,[ ]+(?:which|who|whose|with(?![ ](?:a[ ])?remainder)|so|as|where|given|and[ ]not|not)\b"
    r"|,[ ]+(?:i\.e\.|that[ ]is\b)|[ ]as[ ](?=[0-9(])"
    r"|[ ]\((?:and[ ])?not\b"
    r"|(?:;|[ ][-–—])[ ](?=[A-Za-z]{2})(?!(?:or|alternatively|maybe|perhaps|possibly)\b)"
)
_AS_WHICH = re.compile(
    r"\Athe\s[^,\n]{3,80},\swhich\s(?:is|equals|gives|makes|comes\sto)\s(?=[-−$\\0-9])"
)
"""`The sum of 9 and 5, which is 14`."""
_FENCE = re.compile(r"(?:`{3,}|~{3,})[^`]*")
_BLOCK = re.compile(
    r"#{1,6}[ ]|>[ ]|[*_]{0,3}(?:[-*+•]|1[.)])[ \t]|([-*_=])[ \t]{0,2}(?:\1[ \t]{0,2}){2,}$"
)
_TABLE_RULE = re.compile(r"[ \t]*\|?[ \t]*:?-")
_ENVIRONMENT = re.compile(r"\s*\\begin\{([a-z]{1,20}\*?)\}")
_ROW_ENDS = re.compile(r"\\\\|\n")
_DISPLAYS = {"\\[": "\\]", "\\(": "\\)", "$$": "$$"}
_ABBREVIATION = re.compile(r"(?:^|[\s.])(?:[A-Z]|Mrs?|Ms|Dr|St|Jr|Sr|Prof|Mt|vs)$")


def marked_values(text: str) -> list[str]:
    """The explicitly marked values, most trustworthy first.

    The last `\\boxed{}` or `####` (whichever comes later), then the last "answer is". An empty one
    says that it is denied, or one of several: nothing else in the text is the answer.
    """
    found = (last_boxed(text), _last_hashes(text), _last_tagged(text))
    strong = [each for each in found if each is not None]
    values = [value for _, value in sorted(strong, reverse=True)]
    place, spoken = _last_spoken(text) or (-1, None)
    if values and not values[0]:  # only what is said later can be the answer
        values = [] if spoken and place > max(strong)[0] else [""]
    return values if spoken is None or "" in values else [*values, spoken]


def _last_tagged(text: str) -> tuple[int, str] | None:
    """The last `<answer>`, as models are taught to end; its value is empty where it is denied."""
    if left_open := _LEFT_OPEN.search(text, max(0, len(text) - 120)):
        return left_open.start(1), undecorate(left_open[1])
    ends = [*_ANSWER_ENDS.finditer(text)]
    if not ends:
        return None
    last = ends[-1].start()
    openings = [*_ANSWER_BEGINS.finditer(text, max(0, last - MAX_VALUE_CHARS), last)]
    value = undecorate(text[openings[-1].end() : last]) if openings else ""
    if not value:
        return None
    return openings[-1].start(), "" if is_taken_back(text, ends[-1].end()) else value


def _last_hashes(text: str) -> tuple[int, str] | None:
    """The last `####` that is no heading: with words above other text, it is one."""
    text = text.rstrip()
    last = None
    for found in _HASHES.finditer(text):
        if found.end() == len(text) or not _WORD.search(found[1]):
            last = found
    value = undecorate(last[1]) if last else ""
    if last is None or not value:
        return None
    return last.start(), "" if is_taken_back(text, last.end()) else value


def _last_spoken(text: str) -> tuple[int, str] | None:
    """The last "answer is", and where; its value is empty where it is denied."""
    marks = [found for mark in _SPOKEN for found in mark.finditer(text)]
    for found in sorted(marks, key=lambda mark: mark.end(), reverse=True):
        said = text[found.end() : found.end() + MAX_VALUE_CHARS]
        is_part = _OF_A_PART.search(found[0]) or _IN_PARTS.match(said)
        if is_part or is_denied(text, found.start(), found.end()):
            return found.start(), ""
        if _opens_block(said, begins_line="\n" in found[0]):
            return None
        line = said.split("\n", 1)[0]
        if line.strip() in _DISPLAYS or _ENVIRONMENT.match(line):
            displayed = _displayed(said.lstrip())
            return (found.start(), displayed) if displayed else None
        value = undecorate(_COPULA.sub("", undecorate(_first_clause(line)).strip("*_")))
        if value:
            return found.start(), "" if _AND_A_PART.search(value) else value
    return None


def _opens_block(said: str, *, begins_line: bool) -> bool:
    """Whether a fence, heading, list, table or rule follows: its first line is not the value."""
    first, _, below = said.partition("\n")
    if _FENCE.fullmatch(first):
        return True
    is_table = "|" in first and _TABLE_RULE.match(below) is not None
    return begins_line and (is_table or _BLOCK.match(first) is not None)


def _displayed(said: str) -> str:
    """What stands between the opening that `said` begins with and its closing; may be empty.

    A matrix is taken with both; of equations below each other, the last.
    """
    if environment := _ENVIRONMENT.match(said):
        name = environment[1]
        inner, closing, _ = said[environment.end() :].partition(f"\\end{{{name}}}")
        if "matrix" in name:
            return " ".join(said[: environment.end()].split() + inner.split()) + closing
        rows = [row.replace("&", " ").strip() for row in _ROW_ENDS.split(inner) if row.strip()]
        return undecorate(rows[-1].lstrip("= ")) if closing and rows else ""
    inner, closing, _ = said[2:].partition(_DISPLAYS[said[:2]])
    return undecorate(inner) if closing else ""


def _first_clause(line: str) -> str:
    """Cut `line` where its sentence ends or starts to explain itself."""
    line = _AS_WHICH.sub("", line, count=1)
    reason = _REASON.search(line)
    line = before_full_stop(line[: reason.start()]) if reason else line
    for end in _SENTENCE_END.finditer(line):
        if not _ABBREVIATION.search(line[: end.start()][-8:]):
            return line[: end.end()]
    return line
