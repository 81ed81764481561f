"""Words that stand for signs: `40 minus 3`, `divided by`, `negative 5`."""

from __future__ import annotations

from memory.identity.answers.lexer import Token
from memory.identity.answers.number_words import NUMBER_WORDS
from memory.identity.answers.units import SIGNS

_OPERATORS = {"plus": "+", "minus": "-", "times": "*", "equals": "="}
_BY = {"divided": "/", "multiplied": "*"}
_BEGINNINGS = frozenset((*SIGNS, r"\frac", r"\sqrt", r"\pi"))
_WORDS = frozenset({*_OPERATORS, *_BY, "negative"})


def with_operators(tokens: list[Token]) -> list[Token]:
    """Turn `plus`, `minus`, `negative` and the like into signs where they join numbers."""
    if not any(token.text.lower() in _WORDS for token in tokens):
        return tokens
    tokens, found = [*tokens], list[Token]()
    skip = False
    for place, token in enumerate(tokens):
        if skip:
            skip = False
            continue
        after = tokens[place + 1].text if place + 1 < len(tokens) else ""
        is_before_value = (
            after[:1].isdigit() or after in ("$", "(") or len(after) == 1 or after[:1] == "\\"
        )
        joins = bool(found) and (found[-1].kind == "number" or found[-1].text in (")", "}", "$"))
        if token.text in _BY and after == "by" and joins:
            token, skip = token._replace(kind="sign", text=_BY[token.text]), True
        elif token.text.lower() in ("minus", "negative") and (
            after[:1].isdigit() or after.lower() in NUMBER_WORDS or after in _BEGINNINGS
        ):
            token = token._replace(kind="sign", text="-")
            tokens[place + 1] = tokens[place + 1]._replace(spaced=False)  # no dash
        elif token.text in _OPERATORS and is_before_value and joins:
            token = token._replace(kind="sign", text=_OPERATORS[token.text])
        found.append(token)
    return found
