"""`whet tenants`: what each tenant may use, and what else it has of its own."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from server.commands.common import (
    Subparsers,
    add_folder_arguments,
    command_parser,
    open_tables,
    tenant_name,
)
from server.terminal import UsageError, plain, print_json, print_table

if TYPE_CHECKING:
    from server.tenancy.own import Own

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
    listed = "list the tenants that have limits or a calibration of their own"
    _action(below, "list", listed, _list)
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
    from server.tenancy.own import owners

    with open_tables(args) as memory:
        found = owners(memory)
    if args.json:
        print_json({"data": [own.shown() for own in found]})
    elif not found:
        print("no tenant has limits or a calibration of its own: those of the server apply")
    else:
        limits = [name.replace("_", " ") for name in type(found[0].limits).model_fields]
        print_table(("tenant", *limits, "calibrated for"), [_row(own) for own in found])
    return 0


def _set(args: argparse.Namespace) -> int:
    from pydantic import ValidationError

    from memory.tenants import Limits
    from server.tenancy.own import own_of

    given = {name: getattr(args, name) for name in Limits.model_fields if hasattr(args, name)}
    if not given:
        raise UsageError("give at least one limit: `whet tenants set --help` shows them")
    given = {name: None if value == "none" else value for name, value in given.items()}
    with open_tables(args, create=True) as memory:
        own = own_of(memory, args.name)
        try:
            limits = Limits.model_validate({**own.limits.model_dump(), **given})
        except ValidationError as error:
            first = error.errors()[0]
            flag = str(first["loc"][0]).replace("_", "-")
            raise UsageError(f"--{flag} {first['input']}: {first['msg'].lower()}") from error
        memory.tenants.set(args.name, limits)
    _show(args, replace(own, limits=limits))
    return 0


def _reset(args: argparse.Namespace) -> int:
    from memory.tenants import Limits
    from server.tenancy.own import Own

    with open_tables(args) as memory:
        memory.tenants.set(args.name, Limits())
        dropped = memory.calibrations.drop(args.name)
    _show(args, Own(args.name), dropped)
    return 0


def _show(args: argparse.Namespace, own: Own, dropped: Sequence[str] | None = None) -> None:
    if args.json:
        gone = {} if dropped is None else {"dropped_calibrations": dropped}
        print_json({**own.shown(), **gone})
        return
    limits = own.limits.model_dump(exclude_none=True).items()
    told = ", ".join(f"{name} {value:g}" for name, value in limits)
    print(f"{own.tenant}: {told or 'the limits of the server settings'}")
    if own.calibrations:
        print(f"{own.tenant}: calibrated by itself for {_listed(own.calibrations)}")
    if dropped:
        after = "from their next start servers go by the model's"
        print(f"{own.tenant}: its own calibration for {_listed(dropped)} is dropped; {after}")


def _listed(models: Sequence[str]) -> str:
    return plain(", ".join(models))


def _row(own: Own) -> tuple[object, ...]:
    limits = ("" if value is None else f"{value:g}" for value in own.limits.model_dump().values())
    return (own.tenant, *limits, ", ".join(own.calibrations))
