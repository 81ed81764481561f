"""`whet tenants`: what each tenant may use."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from server.commands.common import (
    Subparsers,
    add_folder_arguments,
    command_parser,
    open_tables,
    tenant_name,
)
from server.terminal import UsageError, print_json, print_table

if TYPE_CHECKING:
    from memory.tenants import Limits

EXAMPLES = """\
  whet tenants list
  whet tenants set acme --requests-per-minute 60 --tokens-per-minute 100000
  whet tenants set acme --weight 2 --training-steps-per-day none
  whet tenants reset acme          the settings' limits and the model's calibration apply again
"""


def add_parser(subparsers: Subparsers) -> None:
    """Describe `whet tenants` and its sub-commands."""
    summary = "show and set what each tenant may use"
    parser = command_parser(subparsers, "tenants", summary, EXAMPLES)
    below = parser.add_subparsers(metavar="ACTION", required=True)
    _action(below, "list", "list the tenants that have limits of their own", _list)
    change = _action(below, "set", "set some limits, and leave the others", _set)
    own = "take a tenant's own limits and calibration away"
    _action(below, "reset", own, _reset, takes_name=True)
    change.add_argument("name", metavar="TENANT", type=tenant_name)
    from memory.tenants import Limits

    for name, field in Limits.model_fields.items():
        change.add_argument(
            f"--{name.replace('_', '-')}",
            metavar="N",
            default=argparse.SUPPRESS,
            help=f"{field.description}; `none`: the server's setting",
        )


def _action(
    below: Subparsers, name: str, summary: str, run: Any, *, takes_name: bool = False
) -> argparse.ArgumentParser:
    examples = "".join(f"{line}\n" for line in EXAMPLES.splitlines() if f"tenants {name}" in line)
    action = command_parser(below, name, summary, examples)
    add_folder_arguments(action)
    if takes_name:
        action.add_argument("name", metavar="TENANT", type=tenant_name)
    action.set_defaults(run=run)
    return action


def _list(args: argparse.Namespace) -> int:
    with open_tables(args) as memory:
        found = sorted(memory.tenants.list().items())
    if args.json:
        print_json(
            {"data": [{"id": name, "limits": limits.model_dump()} for name, limits in found]}
        )
    elif not found:
        print("no tenant has limits of its own: those of the server's settings apply")
    else:
        columns = [name.replace("_", " ") for name in type(found[0][1]).model_fields]
        print_table(("tenant", *columns), [_row(*each) for each in found])
    return 0


def _set(args: argparse.Namespace) -> int:
    from pydantic import ValidationError

    from memory.tenants import Limits

    given = {name: getattr(args, name) for name in Limits.model_fields if hasattr(args, name)}
    if not given:
        raise UsageError("give at least one limit: `whet tenants set --help` shows them")
    given = {name: None if value == "none" else value for name, value in given.items()}
    with open_tables(args, create=True) as memory:
        known = memory.tenants.list().get(args.name, Limits())
        try:
            limits = Limits.model_validate({**known.model_dump(), **given})
        except ValidationError as error:
            first = error.errors()[0]
            flag = str(first["loc"][0]).replace("_", "-")
            raise UsageError(f"--{flag} {first['input']}: {first['msg'].lower()}") from error
        memory.tenants.set(args.name, limits)
    _show(args, limits)
    return 0


def _reset(args: argparse.Namespace) -> int:
    from memory.tenants import Limits

    with open_tables(args) as memory:
        memory.tenants.set(args.name, Limits())
        memory.calibrations.drop(args.name)
    _show(args, Limits())
    return 0


def _show(args: argparse.Namespace, limits: Limits) -> None:
    if args.json:
        print_json({"id": args.name, "limits": limits.model_dump()})
        return
    own = [f"{name} {value:g}" for name, value in limits.model_dump(exclude_none=True).items()]
    print(f"{args.name}: {', '.join(own) or 'the limits of the server settings'}")


def _row(name: str, limits: Limits) -> tuple[object, ...]:
    shown = ("" if value is None else f"{value:g}" for value in limits.model_dump().values())
    return (name, *shown)
