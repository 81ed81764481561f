"""`whet ledger`: what each strategy helped and hurt, and at what price."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from server.commands.common import (
    Subparsers,
    add_memory_arguments,
    command_parser,
    open_memory,
    settings_of,
)
from server.terminal import print_json, print_table

EXAMPLES = """\
  whet ledger                  what the default tenant's strategies were worth
  whet ledger --tenant acme
  whet ledger --price-per-million 2     in money too, as a server that was given it says
  whet ledger --json           for programs; also at GET /v1/ledger
"""
COLUMNS = (
    "strategy", "asked", "right", "helped", "hurt", "tied", "gain, points", "tokens", "trained",
    "seconds", "tokens per right answer more", "price",
)  # fmt: skip


def add_parser(subparsers: Subparsers) -> None:
    """Describe `whet ledger`."""
    summary = "show what each strategy helped and hurt, at what price"
    parser = command_parser(subparsers, "ledger", summary, EXAMPLES)
    add_memory_arguments(parser, settings={"price_per_million", "price_per_million_trained"})
    parser.set_defaults(run=_show)


def _show(args: argparse.Namespace) -> int:
    from adaptation.prices import accounts
    from server.policy import prices_of

    with open_memory(args) as memory:
        rows = accounts(memory.ledger.count(args.tenant), prices_of(settings_of(args)))
        recent = memory.windows.of(args.tenant)
    if args.json:
        print_json({"data": rows, "recent": recent.as_json()})
    elif not rows:
        print("nothing yet: voted answers are noted as they are given, unless memory.write is off")
    else:
        print_table(COLUMNS, [_row(row) for row in rows])
        print(
            f"of late: {recent.trend}, agreement {recent.now.agreement:.2f} "
            f"in {recent.now.voted} votes"
        )
    return 0


def _row(row: Mapping[str, Any]) -> tuple[object, ...]:
    right, gain, more = row["right"], row["gain"], row["per_additional_right"]
    return (
        row["strategy"],
        row["asked"],
        f"{right['value']:.0%} of {row['judged']}" if right else "",
        row["helped"],
        row["hurt"],
        row["tied"],
        _points(gain) if gain else "",
        _number(row["tokens"]),
        _number(row["trained_tokens"]),
        f"{row['seconds']:.2f}",
        _number(more["tokens"]),
        "" if more["price"] is None else f"{more['price']:.4g}",
    )


def _points(gain: Mapping[str, float]) -> str:
    value, low, high = (100 * gain[name] for name in ("value", "low", "high"))
    return f"{value:+.1f} ({low:+.1f} to {high:+.1f})"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}"
