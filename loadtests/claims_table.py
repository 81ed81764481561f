"""The claims of several models side by side, as Markdown, out of what `make claims` kept.

python -m loadtests.claims_table docs/claims.json docs/claims-smollm2.json
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MISSING = "not measured"


@dataclass(frozen=True)
class Found:
    """What was found of one model."""

    model: str
    questions: int
    claims: dict[str, dict[str, Any]]
    """By name."""
    right: dict[tuple[str, str], float]
    """Share of right answers by suite and arm."""


def main(argv: Sequence[str] | None = None) -> int:
    """Print both tables."""
    paths = sys.argv[1:] if argv is None else argv
    if not paths:
        print("give the files that `make claims` kept", file=sys.stderr)
        return 2
    print(rendered([read(Path(path)) for path in paths]))
    return 0


def read(path: Path) -> Found:
    """Return what a file of `make claims` says."""
    kept = json.loads(path.read_text("utf-8"))
    summary = kept["summary"]
    return Found(
        model=summary["header"]["model"],
        questions=summary["header"]["questions"],
        claims={claim["name"]: claim for claim in kept["claims"]},
        right={
            (suite["name"], arm["arm"]): arm["right"]["value"]
            for suite in summary["suites"]
            for arm in suite["arms"]
        },
    )


def rendered(found: Sequence[Found]) -> str:
    """Return the claims, then the shares behind them, one column a model."""
    return f"{_claims(found)}\n\n{_shares(found)}"


def _claims(found: Sequence[Found]) -> str:
    names = list(dict.fromkeys(name for each in found for name in each.claims))
    heads = [f"{each.model}, {each.questions} questions of a suite" for each in found]
    lines = [_row("claim", "target", *heads), _row(*["---"] * (2 + len(found)))]
    for name in names:
        target = next(each.claims[name]["target"] for each in found if name in each.claims)
        lines.append(_row(name, target, *(_verdict(each.claims.get(name)) for each in found)))
    return "\n".join(lines)


def _verdict(claim: dict[str, Any] | None) -> str:
    if claim is None:
        return MISSING
    return "<br>".join(["met" if claim["met"] else "**missed**", *claim["found"]])


def _shares(found: Sequence[Found]) -> str:
    suites = list(dict.fromkeys(suite for each in found for suite, _ in each.right))
    arms = list(dict.fromkeys(arm for each in found for _, arm in each.right))
    names = " / ".join(each.model for each in found)
    lines = [f"Right, %, {names}:", "", _row("suite", *arms), _row(":--", *["--:"] * len(arms))]
    lines += [_row(suite, *(_cell(found, suite, arm) for arm in arms)) for suite in suites]
    return "\n".join(lines)


def _cell(found: Sequence[Found], suite: str, arm: str) -> str:
    shares = [each.right.get((suite, arm)) for each in found]
    return " / ".join("–" if share is None else f"{100 * share:.0f}" for share in shares)


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(main())
