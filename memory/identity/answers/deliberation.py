"""What a reply concludes: the part after its deliberation, whatever marks that with.

Reasoning models think aloud before they answer, between tags of their own family or in a channel.
What they considered is no answer. Every kind of answer is read out of the conclusion alone.
"""

from __future__ import annotations

import json
import re
from itertools import islice

_NAMES = (
    r"(?:think|thinking|thought|thoughts|reasoning|reflection|analysis|scratch_?pad|rationale|reason"
    r"|cot|chain_of_thought|monologue|deliberation|workings?|思考)"
)
_TAGS = rf"(?:[a-z0-9]{{1,20}}[:_-])?{_NAMES}(?:_[a-z]{{1,20}})?\s{{0,3}}"
"""With what a family puts before it: `seed:think`, `longcat_think`, `inner_monologue`."""
_CLOSING = re.compile(
    rf"[<＜]\|?/{_TAGS}\|?[>＞]|\[/{_NAMES}\]|\{{/think\}}|<\|end_of_thought\|>"
    r"|<\|begin_of_solution\|>|◁/think▷|<\|END_THINKING\|>|<(?:unused|ctrl)95>"
    r"|<\|START_RESPONSE\|>|\[BEGIN FINAL RESPONSE\]",
    re.IGNORECASE,
)
_BEGINS = (
    rf"(?:[<＜]\|?{_TAGS}\|?[>＞]|\[THINK(?:ING)?\]|<\|(?:begin|start)_of_thought\|>|◁think▷"
    r"|<\|START_THINKING\|>|<(?:unused|ctrl)94>|Here are my reasoning steps:)"
)
_OPENING = re.compile(rf"\s{{0,999}}{_BEGINS}", re.IGNORECASE)
_OPENING_LATER = re.compile(rf"(?<=\S)\s{{0,9}}\n\s{{0,9}}{_BEGINS}", re.IGNORECASE)
"""After what was said, and on a line of its own, as a reply may speak of the tag."""
_ASIDE = re.compile(
    r"\s{0,99}(?:```(?:think|thinking|thoughts?|reasoning)\n.*?\n```|<details(?=[^>]{0,99}reasoning"
    r"|[^>]{0,99}>\s{0,9}<summary>[^<]{0,40}(?:think|thought|reason)).*?</details>)(?=\s{0,99}\S)",
    re.IGNORECASE | re.DOTALL,
)
"""A deliberation that is folded away at the beginning, in a fence or as HTML."""
_FINAL = re.compile(r"<\|channel\|>final(?: [^<]{0,80})?<\|message\|>|assistantfinal")
_CHANNEL = re.compile(
    r"\s{0,99}(?:<\|start\|>assistant)?(?:<\|channel\|>(?:analysis|commentary)|analysis(?=[^\sa-z.,:]))"
)
"""OpenAI's harmony format, with its special tokens and without, as a server may strip them."""
_SAYS_NOTHING = re.compile(r"(?:\s|</[\w:-]{1,30}>)*")
"""What may follow a closing that is no conclusion: the end of what it stands in."""
_STARTS_STRIPPED = re.compile(r"\s{0,99}(?:analysis|commentary)")
_END = re.compile(
    r"(?:(?:<\|(?:return|end|im_end|eot_id|end_?of_?text|end_of_solution|END_RESPONSE)\|>|</s>|<eos>"
    r"|<end_of_turn>|\[END FINAL RESPONSE\])\s{0,9}){1,3}\Z"
)
_OPENS_DOCUMENT = re.compile(r"\s{0,99}[{\[]")
_DECODER = json.JSONDecoder()
_SIGNS = ("</", "＜/", "[/", "{/", "<|", "◁", "[BEGIN", "<unused", "<ctrl", "<eos>", "<end_of")
"""What a closing or an end begins with."""


def conclusion(text: str) -> str:
    """What follows the last deliberation; empty where the text breaks off in one.

    An opening counts only at the beginning, as a reply may speak of the tag, and a closing only if
    something follows: a model may close what it had closed. A JSON document has no deliberation,
    whatever its texts hold.
    """
    if _CHANNEL.match(text) or "<|channel|>final" in text or _is_stripped(text):
        ends = [found.end() for found in _FINAL.finditer(text)]
        return _END.sub("", text[ends[-1] :]) if ends else ""
    if aside := _ASIDE.match(text):
        text = text[aside.end() :]
    if any(sign in text for sign in _SIGNS):
        text = _END.sub("", text[-200:]).join((text[:-200], ""))
        if document := _document(text):
            return document
        start, end, seen = 0, len(text), len(text)
        for found in [*_CLOSING.finditer(text)][::-1]:
            if not _SAYS_NOTHING.fullmatch(text, found.end(), seen):
                start = found.end()
                break
            if end == seen and not text[found.end() : end].strip():
                end = found.start()
            seen = found.start()  # what follows says nothing
        ends_deliberating = end < len(text)
        text = text[start:end]
        if ends_deliberating and (later := _OPENING_LATER.search(text)):
            text = text[: later.start()]
    return "" if _OPENING.match(text) else text


def _is_stripped(text: str) -> bool:
    """Whether it is in channels whose special tokens were removed."""
    return "assistantfinal" in text and _STARTS_STRIPPED.match(text) is not None


def _document(text: str) -> str:
    """The JSON document that a text is, or that all of it after a deliberation is; else empty."""
    closings = islice(_CLOSING.finditer(text), 4)  # each attempt costs what is before it
    for begins in (0, *(found.end() for found in closings)):
        opening = _OPENS_DOCUMENT.match(text, begins)
        if opening is None:
            continue
        try:
            _, end = _DECODER.raw_decode(text, opening.end() - 1)
        except (ValueError, RecursionError):
            continue
        if not text[end:].strip():
            return text[begins:]
    return ""
