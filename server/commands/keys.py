"""`whet keys`: API keys, each bound to a tenant and a role."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from server.commands.common import (
    Subparsers,
    add_folder_arguments,
    add_tenant_argument,
    command_parser,
    open_tables,
    tenant_name,
)
from server.terminal import complain, plain, print_json, print_table

if TYPE_CHECKING:
    from memory.memory import LongTermMemory

ROLES = ("user", "reviewer", "admin", "gateway")
COLUMNS = (
    "id", "tenant", "role", "name", "key", "state", "created", "expires", "last used",
)  # fmt: skip
EXAMPLES = """\
  whet keys create --tenant acme                       a key for an app: asks, and gives feedback
  whet keys create --tenant acme --role admin --name ops
  whet keys create --role gateway --name litellm       a gateway that names tenants in a header
  whet keys list --tenant acme
  whet keys rotate key_0123456789ab --grace-s 3600     a new one; the old one opens for an hour more
  whet keys revoke key_0123456789ab                    at once; a running server follows in seconds
"""
ROLES_SAY = """\
what each role may do:
  user      ask, and say whether an answer was right
  reviewer  see what the tenant's memory holds, and decide about records as well
  admin     import, export, promote adapters and make keys of its tenant as well;
            of the tenant `default`: everything of all tenants, and the server's own routes
  gateway   ask for the tenants that the header of --trusted-header names, as a user of theirs;
            without the header nothing
"""


def add_parser(subparsers: Subparsers) -> None:
    """Describe `whet keys` and its sub-commands."""
    summary = "create, list, revoke and rotate API keys, each of a tenant and a role"
    parser = command_parser(subparsers, "keys", summary, f"{EXAMPLES}\n{ROLES_SAY}")
    below = parser.add_subparsers(metavar="ACTION", required=True)
    create = _action(below, "create", "make a key, and show it this once", _create)
    add_tenant_argument(create, "whose key")
    create.add_argument("--role", choices=ROLES, default="user", help="(default: user)")
    create.add_argument("--name", default="", help="what it is for, for the list of keys")
    create.add_argument(
        "--days", type=_days, metavar="N", help="days for which the key is valid (default: no end)"
    )
    listed = _action(below, "list", "list keys", _list)
    listed.add_argument("--tenant", type=tenant_name, help="keys of one tenant (default: of all)")
    revoke = _action(below, "revoke", "let a key open nothing any more", _revoke)
    rotate = _action(below, "rotate", "make a key in the place of another", _rotate)
    for action in (revoke, rotate):
        action.add_argument("id", metavar="ID")
    rotate.add_argument(
        "--grace-s",
        type=_seconds,
        default=86_400.0,
        metavar="S",
        help="seconds for which the old one goes on to open what it opened (default: a day)",
    )


def _action(below: Subparsers, name: str, summary: str, run: Any) -> argparse.ArgumentParser:
    examples = "".join(f"{line}\n" for line in EXAMPLES.splitlines() if f"keys {name}" in line)
    action = command_parser(below, name, summary, examples)
    add_folder_arguments(action)
    action.set_defaults(run=run, shown_by="whet keys list")
    return action


def _create(args: argparse.Namespace) -> int:
    from server.tenancy.issuing import make
    from server.tenancy.principal import Role

    with open_tables(args, create=True) as memory:
        secret = _secret(memory)
        key = make(memory.keys, secret, args.tenant, Role(args.role), args.name, args.days)
    _show_new(args, key)
    return 0


def _list(args: argparse.Namespace) -> int:
    from server.tenancy.issuing import key_object

    with open_tables(args) as memory:
        keys = [key_object(key) for key in memory.keys.list(args.tenant)]
    if args.json:
        print_json({"data": keys})
    elif not keys:
        print("no keys: the server listens on loopback only; `whet keys create` makes one")
    else:
        print_table(COLUMNS, [_row(key) for key in keys])
    return 0


def _revoke(args: argparse.Namespace) -> int:
    from server.tenancy.issuing import key_object

    with open_tables(args) as memory:
        key = key_object(memory.keys.revoke(args.id))
    if args.json:
        print_json(key)
    else:
        print(f"{key['id']} of tenant {key['tenant']} opens nothing any more")
    return 0


def _rotate(args: argparse.Namespace) -> int:
    from server.tenancy.issuing import replace

    with open_tables(args) as memory:
        key = replace(memory.keys, _secret(memory), args.id, args.grace_s)
    _show_new(args, key)
    if not args.json:
        complain(f"{args.id} opens what it opened for {args.grace_s:,.0f} s more")
    return 0


def _secret(memory: LongTermMemory) -> Any:
    from server.tenancy.secret import Secret

    return Secret.of_folder(memory.data_dir)


def _show_new(args: argparse.Namespace, key: Mapping[str, Any]) -> None:
    if args.json:
        print_json(key)
        return
    print(key["key"])
    complain(f"{key['id']} of tenant {key['tenant']}, role {key['role']}: shown this once, keep it")


def _row(key: Mapping[str, Any]) -> tuple[object, ...]:
    shown = (key["id"], key["tenant"], key["role"], plain(key["name"]), f"…{key['hint']}")
    times = (_day(key[at]) for at in ("created_at", "expires_at", "last_used_at"))
    return (*shown, _state(key), *times)


def _state(key: Mapping[str, Any]) -> str:
    if key["revoked_at"]:
        return "revoked"
    if key["replaced_by"]:
        return "replaced"  # also while both open
    return "valid" if key["is_valid"] else "expired"


def _day(at: int | None) -> str:
    return "" if at is None else time.strftime("%Y-%m-%d %H:%M", time.localtime(at))


def _days(text: str) -> float:
    return _number(text, 36_500)


def _seconds(text: str) -> float:
    return _number(text, 90 * 86_400) if text != "0" else 0.0


def _number(text: str, most: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value <= most:
        raise argparse.ArgumentTypeError(f"must be a number above 0, at most {most:,.0f}")
    return value
