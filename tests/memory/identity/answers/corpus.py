"""How well answers are read and compared: `python -m tests.memory.identity.answers.corpus`.

The corpus has replies in the style of several model families, each with the value it gives or
`none`, and pairs of answers. Every third reply was held back while the extractor was written.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import get_args

from memory.identity.answers import Answer, canonical, extract, joined
from memory.identity.answers.options import AnswerKind, AnswerOptions
from memory.identity.answers.tool_call import called
from tests.formats import said
from tests.memory.identity.answers.pairs import Pair, equal_pairs, unequal_pairs
from tests.memory.identity.answers.styles import styled

REPLIES = Path(__file__).with_name("replies")
BOTH: tuple[AnswerKind, ...] = ("auto", "math")
"""Kinds in which a reply that is of no other kind is read."""


@dataclass(frozen=True)
class Reply:
    """A reply and the value a person reads in it."""

    family: str
    number: int
    kind: str
    """An answer kind, `code`, `tool/` and a format, or empty: then the reply is read in `auto` and
    in `math`."""
    value: str
    """`none` where it gives no value."""
    text: str

    @property
    def is_held_out(self) -> bool:
        """Whether it was kept aside while the extractor was written."""
        return self.number % 3 == 2


@dataclass(frozen=True)
class Verdict:
    """What was made of one reply in one kind."""

    reply: Reply
    kind: str
    found: str | None
    is_right: bool

    @property
    def is_wrong(self) -> bool:
        """Whether another value was read, where there is one or not; none at all is no error."""
        return not self.is_right and self.found is not None

    @property
    def has_value(self) -> bool:
        """Whether the reply gives a value."""
        return self.reply.value != "none"


@dataclass(frozen=True)
class Score:
    """Shares of a set of verdicts."""

    verdicts: tuple[Verdict, ...]

    @property
    def wrong(self) -> float:
        """Share of all readings that are a value the reply does not give."""
        return sum(v.is_wrong for v in self.verdicts) / len(self.verdicts)

    @property
    def found(self) -> float:
        """Share of the values that were read."""
        valued = [v for v in self.verdicts if v.has_value]
        return sum(v.is_right for v in valued) / len(valued)

    def line(self, name: str) -> str:
        """Return the score as a line of a table."""
        total = len(self.verdicts)
        return f"{name:10} {total:6} readings   wrong {self.wrong:7.2%}   found {self.found:7.2%}"


@cache
def replies() -> tuple[Reply, ...]:
    """Every reply of the corpus, in a fixed order."""
    written = [*_written(), *styled()]
    return tuple(_reply(number, *each) for number, each in enumerate(written))


def score(of: Iterable[Reply]) -> Score:
    """Read every reply."""
    return Score(tuple(verdict for reply in of for verdict in judged(reply)))


def judged(reply: Reply) -> Iterator[Verdict]:
    """Read one reply in the kinds it is meant for."""
    for kind in (reply.kind,) if reply.kind else BOTH:
        found = _read(reply.text, kind)
        if found is not None and not found.structured and kind != "code":
            found = None
        yield Verdict(reply, kind, found.text if found else None, _is_right(found, reply))


def _read(text: str, kind: str) -> Answer | None:
    if kind.startswith("tool/"):  # in whose format calls are written
        return called(said(kind.removeprefix("tool/"), text).calls)
    return extract(text, AnswerOptions.model_validate({"kind": kind if kind != "code" else "auto"}))


def false_merges(pairs: Iterable[Pair]) -> list[Pair]:
    """Of unequal pairs, those with one key."""
    return [pair for pair in pairs if canonical(pair[0]) == canonical(pair[1])]


def false_splits(pairs: Iterable[Pair]) -> list[Pair]:
    """Of equal pairs, those with two keys."""
    return [pair for pair in pairs if canonical(pair[0]) != canonical(pair[1])]


def _is_right(found: Answer | None, reply: Reply) -> bool:
    if found is None or reply.value == "none":
        return found is None and reply.value == "none"
    if reply.kind == "code":
        wanted = extract(f"```\n{reply.value}\n```", AnswerOptions())
        return wanted is not None and found.key == wanted.key
    kind = reply.kind.partition("/")[0]
    if kind in ("json", "tool", "choice"):
        options = AnswerOptions.model_validate({"kind": kind})
        wanted = extract(reply.value, options)
        return wanted is not None and found.key == wanted.key
    return len(set(joined([found.key, canonical(reply.value)]).values())) == 1


def _written() -> Iterator[tuple[str, str, str]]:
    for file in sorted(REPLIES.glob("*.txt")):
        for line in file.read_text("utf-8").splitlines():
            value, _, text = line.replace("⏎", "\n").partition(" ⇒ ")
            yield file.stem, value, text


def _reply(number: int, family: str, value: str, text: str) -> Reply:
    kind, colon, rest = value.partition(":")
    if colon and (kind in (*get_args(AnswerKind), "code") or kind.startswith("tool/")):
        return Reply(family, number, kind, rest, text)
    return Reply(family, number, "", value, text)


def main() -> None:
    """Print the scores, and with `--errors` what went wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--errors", action="store_true", help="list what was read wrongly")
    parser.add_argument("--part", choices=("all", "seen", "held-out"), default="all")
    args = parser.parse_args()
    parts = {"seen": [r for r in replies() if not r.is_held_out],
             "held-out": [r for r in replies() if r.is_held_out],
             "all": replies()}  # fmt: skip
    for name in parts if args.part == "all" else [args.part]:
        print(score(parts[name]).line(name))
    for verdict in score(parts[args.part]).verdicts if args.errors else ():
        if not verdict.is_right:
            mark = "WRONG" if verdict.is_wrong else "none "
            print(f"{mark} {verdict.kind:6} {verdict.reply.value!r} got {verdict.found!r}"
                  f" in {verdict.reply.text[-160:]!r}")  # fmt: skip
    unequal, equal = unequal_pairs(6000), equal_pairs(3000)
    merges, splits = false_merges(unequal), false_splits(equal)
    print(
        f"false merges {len(merges)} of {len(unequal)}; false splits {len(splits)} of {len(equal)}"
    )
    for pair in [*merges, *splits] if args.errors else ():
        print("pair ", pair)


if __name__ == "__main__":
    main()
