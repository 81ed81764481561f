"""`whet adapters`: the distilled adapters of a tenant, and which of them is served."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from server.adapters.aliases import aliases_of
from server.adapters.releasing import first_stage
from server.commands.adapters_tree import trees_of
from server.commands.adapters_warm import add_warm
from server.commands.common import (
    Subparsers,
    add_memory_arguments,
    command_parser,
    open_memory,
    settings_of,
)
from server.commands.told_choice import worth_rows
from server.terminal import plain, print_fields, print_json, print_table, print_tree

if TYPE_CHECKING:
    from memory.memory import LongTermMemory
    from memory.types import AdapterVersion

EXAMPLES = """\
  whet adapters list
  whet adapters promote ad_0123456789ab
  whet adapters offer ad_0123456789ab    try it on a share of the requests (champion_share)
  whet adapters approve ad_0123456789ab  begin the release of one that passed the gate
  whet adapters reject ad_0123456789ab   end its trial; it is never served to everybody
  whet adapters lineage                  which version grew from which
  whet adapters policies                 what each way to choose records gained
  whet adapters rollback                 serve the previous champion again
  whet adapters reset                    serve the bare base model
  whet adapters warm                     train now for what requests had no time for
"""


def add_parser(subparsers: Subparsers) -> None:
    """Describe `whet adapters` and its sub-commands."""
    summary = "list, show, promote, try or roll back distilled adapters; warm per-request ones"
    parser = command_parser(subparsers, "adapters", summary, EXAMPLES)
    below = parser.add_subparsers(metavar="ACTION", required=True)
    for name, (what, run, takes_id) in _ACTIONS.items():
        example = f"  whet adapters {name}{' ad_0123456789ab' if takes_id else ''}\n"
        action = command_parser(below, name, what, example)
        add_memory_arguments(action)
        if takes_id:
            action.add_argument("id", metavar="ID", help="its id, or a fine-tuned model's name")
        if name == "list":
            told = "retired checkpoints and models of fine-tuning, too; --json has them always"
            action.add_argument("--all", action="store_true", help=told)
        if name in ("promote", "offer"):
            told = "though a fine-tuned model lost what it knew before"
            action.add_argument("--anyway", action="store_true", help=told)
        action.set_defaults(run=run, shown_by="whet adapters list")
    add_warm(below)


def _list(args: argparse.Namespace) -> int:
    with open_memory(args) as memory:
        versions = memory.adapters.list(args.tenant)
        aliases = aliases_of(memory.adapters, args.tenant)
    if args.json:
        print_json({"data": [_fields(v) for v in versions], "aliases": aliases})
    elif not versions:
        print("no adapters; `whet distill` makes one from memory")
    else:
        columns = ("id", "alias", "base model", "parent", "rank", "records", "created", "why not")
        shown = [version for version in versions if args.all or not _is_spent(version)]
        print_table(columns, [_row(version, aliases) for version in shown])
        if left := len(versions) - len(shown):
            print(f"of fine-tuning, retired: {left} more (`whet adapters list --all`)")
    return 0


def _show(args: argparse.Namespace) -> int:
    with open_memory(args) as memory:
        version = memory.adapters.show(args.tenant, _id(memory, args))
        steps = memory.releases.of(args.tenant, version.id)
    fields = _fields(version) | {"release": [step.model_dump(mode="json") for step in steps]}
    if args.json:
        print_json(fields)
    else:
        print_fields(fields | {"release": [f"{step.stage}: {step.reason}" for step in steps]})
    return 0


def _promote(args: argparse.Namespace) -> int:
    with open_memory(args) as memory:
        version = memory.adapters.promote(args.tenant, _id(memory, args), anyway=args.anyway)
    return _say(args, version, f"champion: {version.id}")


def _offer(args: argparse.Namespace) -> int:
    with open_memory(args) as memory:
        version = memory.adapters.offer(args.tenant, _id(memory, args), anyway=args.anyway)
    if args.json:
        print_json({"candidate": _fields(version)})
    else:
        print(f"candidate: {version.id}, tried where `champion_share` is above 0")
    return 0


def _rollback(args: argparse.Namespace) -> int:
    with open_memory(args) as memory:
        version = memory.adapters.rollback(args.tenant)
    return _say(args, version, f"champion: {version.id}")


def _approve(args: argparse.Namespace) -> int:
    stage = first_stage(settings_of(args))
    with open_memory(args) as memory:
        version = memory.adapters.approve(args.tenant, _id(memory, args), stage)
    if args.json:
        print_json({"approved": _fields(version), "stage": stage})
    else:
        print(f"approved: {version.id} is at the stage `{stage}`")
    return 0


def _reject(args: argparse.Namespace) -> int:
    with open_memory(args) as memory:
        version = memory.adapters.record_reject(args.tenant, _id(memory, args))
    if args.json:
        print_json({"rejected": _fields(version)})
    else:
        named = "" if version.number else "; as a model of its own it answers to its name still"
        print(f"rejected: {version.id} cannot be promoted any more{named}")
    return 0


def _lineage(args: argparse.Namespace) -> int:
    with open_memory(args) as memory:
        versions = memory.adapters.list(args.tenant)
        aliases = aliases_of(memory.adapters, args.tenant)
    if args.json:
        print_json({"data": [_fields(version) for version in versions]})
    elif not versions:
        print("no adapters; `whet distill` makes one from memory")
    for tree in () if args.json else trees_of(versions, aliases):
        print_tree(tree)
    return 0


def _reset(args: argparse.Namespace) -> int:
    with open_memory(args) as memory:
        memory.adapters.reset(args.tenant)
    return _say(args, None, "champion: none, the base model is served")


def _policies(args: argparse.Namespace) -> int:
    from adaptation.learning.candidates.bandit import worths

    with open_memory(args) as memory:
        kept, tenant = memory.candidates, args.tenant
        logs = {base: kept.selections(tenant, base) for base in kept.bases(tenant)}
    found = {base: worths(log) for base, log in logs.items()}
    if args.json:
        of_base = {base: [each.model_dump() for each in past] for base, past in found.items()}
        print_json({"data": of_base})
    elif not found:
        print("no generation has chosen yet; `whet distill` makes one from memory")
    else:
        rows = [(plain(base, 40), *row) for base, past in found.items() for row in worth_rows(past)]
        print_table(("base model", "policy", "generations", "mean gain", "gain if always"), rows)
    return 0


def _id(memory: LongTermMemory, args: argparse.Namespace) -> str:
    """Return the id of the version that a command names by it, or by a fine-tuned model's name."""
    version = memory.models.find(args.tenant, args.id)
    return args.id if version is None else version.id


def _is_spent(version: AdapterVersion) -> bool:
    """Whether it is a fine-tuned model that was deleted, or a checkpoint that later ones ousted."""
    from memory.versions.standing import FINE_TUNED

    return version.retired is not None and version.metrics.get("decision") == FINE_TUNED


def _say(args: argparse.Namespace, champion: AdapterVersion | None, words: str) -> int:
    if args.json:
        print_json({"champion": _fields(champion) if champion else None})
    else:
        print(words)
    return 0


def _fields(version: AdapterVersion) -> dict[str, Any]:
    return version.model_dump(mode="json")


def _row(version: AdapterVersion, aliases: dict[str, str]) -> tuple[object, ...]:
    named = ", ".join(name for name, adapter_id in aliases.items() if adapter_id == version.id)
    created = f"{version.created_at:%Y-%m-%d %H:%M}"
    about = (plain(version.base_model, 40), version.parent, version.rank, len(version.record_ids))
    return (version.id, named, *about, created, plain(_ended(version), 60))


def _ended(version: AdapterVersion) -> str:
    """Say why a version is not served again; nothing where it may be."""
    if version.retired is not None:
        heir = version.retired.replaced_by
        return f"retired for {heir}" if heir else "retired"
    return version.rejected or ""


_ACTIONS = {
    "list": ("list the versions, newest first", _list, False),
    "show": ("show one version, its lineage and what it measured", _show, True),
    "policies": ("show what each way to choose records came to", _policies, False),
    "promote": ("serve this version from now on", _promote, True),
    "offer": ("try this version on a share of the requests", _offer, True),
    "approve": ("begin the release of a version that the gate let through", _approve, True),
    "reject": ("end the trial of this version, or its wait, for good", _reject, True),
    "lineage": ("show which version grew from which, as a tree", _lineage, False),
    "rollback": ("serve the previous champion again", _rollback, False),
    "reset": ("serve the base model, without an adapter", _reset, False),
}
