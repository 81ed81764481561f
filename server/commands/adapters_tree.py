"""The versions of a base as the tree they form below it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.tree import Tree

if TYPE_CHECKING:
    from memory.types import AdapterVersion


def trees_of(versions: Sequence[AdapterVersion], aliases: Mapping[str, str]) -> Iterator[Tree]:
    """Yield a tree for each base, the oldest children first."""
    known = {version.id for version in versions}
    children: defaultdict[str, list[AdapterVersion]] = defaultdict(list)
    bases = dict.fromkeys(version.base_model for version in versions)
    for version in sorted(versions, key=lambda v: (v.created_at, v.id)):
        above = version.parent if version.parent in known else f"base {version.base_model}"
        children[above or ""].append(version)
    for base in bases:
        tree = Tree(escape(base), guide_style="dim")
        _grow(tree, f"base {base}", children, aliases)
        yield tree


def _grow(
    tree: Tree,
    above: str,
    children: Mapping[str, Sequence[AdapterVersion]],
    aliases: Mapping[str, str],
) -> None:
    """Hang children below their parents; without recursion, as lines may be long."""
    waiting = [(tree, above)]
    while waiting:
        branch, parent = waiting.pop()
        below = children.get(parent, ())
        waiting += [(branch.add(escape(_line(each, aliases))), each.id) for each in below]


def _line(version: AdapterVersion, aliases: Mapping[str, str]) -> str:
    names = [name for name, adapter_id in aliases.items() if adapter_id == version.id]
    accuracy = version.metrics.get("accuracy")
    parts = [
        f"@{version.number}" if version.number else "",
        version.id,
        *names,
        f"{accuracy['candidate']:.0%} right" if accuracy else "",
        "retired" if version.retired else "rejected" if version.rejected else "",
    ]
    return "  ".join(part for part in parts if part)
