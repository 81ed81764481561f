"""What a reply concludes: the part after its deliberation, whatever marks that with.

Reasoning models think aloud before they answer, between tags of their own family or in a channel.
What they considered is no answer. Every kind of answer is read out of the conclusion alone.
"""

from __future__ import annotations

import re

_TAGS = (
    r"(?:[a-z]{1,20}[:_])?(?:think|thinking|thought|thoughts|reasoning|reflection|analysis"
    r"|scratchpad|rationale|reason|cot|monologue)(?:_[a-z]{1,20})?\s{0,3}"
)
"""With what a family puts before it: `seed:think`, `longcat_think`, `inner_monologue`."""
_CLOSING = re.compile(
    rf"</{_TAGS}>|\[/THINK\]|<\|end_of_thought\|>|<\|begin_of_solution\|>|◁/think▷"
    r"|<\|END_THINKING\|>|<unused95>|<\|START_RESPONSE\|>|\[BEGIN FINAL RESPONSE\]",
    re.IGNORECASE,
)
_OPENING = re.compile(
    rf"\s{{0,999}}(?:<{_TAGS}>|\[THINK\]|<\|begin_of_thought\|>|◁think▷"
    r"|<\|START_THINKING\|>|<unused94>|Here are my reasoning steps:)",
    re.IGNORECASE,
)
_FINAL = re.compile(r"<\|channel\|>final(?: [^<]{0,80})?<\|message\|>|assistantfinal")
_CHANNEL = re.compile(
    r"\s{0,99}(?:<\|start\|>assistant)?(?:<\|channel\|>(?:analysis|commentary)|analysis(?=[^\sa-z.,:]))"
)
"""OpenAI's harmony format, with its special tokens and without, as a server may strip them."""
_SAYS_NOTHING = re.compile(r"(?:\s|</[\w:-]{1,30}>)*")
"""What may follow a closing that is no conclusion: the end of what it stands in."""
_STARTS_STRIPPED = re.compile(r"\s{0,99}(?:analysis|commentary)")
_END = re.compile(
    r"(?:(?:<\|(?:return|end|im_end|end_of_solution|END_RESPONSE)\|>|\[END FINAL RESPONSE\])"
    r"\s{0,9}){1,3}\Z"
)


def conclusion(text: str) -> str:
    """What follows the last deliberation; empty where the text breaks off in one.

    An opening counts only at the beginning, as a reply may speak of the tag, and a closing only if
    something follows: a model may close what it had closed.
    """
    if _CHANNEL.match(text) or "<|channel|>final" in text or _is_stripped(text):
        ends = [found.end() for found in _FINAL.finditer(text)]
        return _END.sub("", text[ends[-1] :]) if ends else ""
    if any(sign in text for sign in ("</", "[/", "<|", "◁", "[BEGIN", "<unused")):
        text = _END.sub("", text[-200:]).join((text[:-200], ""))
        start, end, seen = 0, len(text), len(text)
        for found in [*_CLOSING.finditer(text)][::-1]:
            if not _SAYS_NOTHING.fullmatch(text, found.end(), seen):
                start = found.end()
                break
            if end == seen and not text[found.end() : end].strip():
                end = found.start()
            seen = found.start()  # what follows says nothing
        text = text[start:end] if start or end < len(text) else text
    return "" if _OPENING.match(text) else text


def _is_stripped(text: str) -> bool:
    """Whether it is in channels whose special tokens were removed."""
    return "assistantfinal" in text and _STARTS_STRIPPED.match(text) is not None
