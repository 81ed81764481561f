"""Whether a chat template takes the content of a turn as a list of parts, or as a text.

Follows vLLM 0.32 (`vllm.renderers.hf._detect_content_format`), which looks for a loop over the
content of a message: over `message.content` itself, over a parameter that a macro is given it as,
or, outside of macros, over a variable that is called `content`.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator

import jinja2.nodes as jinja
import jinja2.sandbox

_GENERATION = re.compile(r"\{%[-+]?\s*(?:end)?generation\s*[-+]?%\}")


class UnnamedError(ValueError):
    """Messages are kept in a way that vLLM does not follow: it then gives texts."""


@functools.lru_cache(maxsize=32)
def walks_parts(source: str) -> bool:
    """Whether a template has a loop over the content of a turn, which is then a list of parts."""
    root = _parsed(source)
    try:
        messages = _message_names(root)
    except UnnamedError:
        return False
    in_macros = {id(loop) for macro in root.find_all(jinja.Macro) for loop in _loops(macro)}
    return any(
        _is_content(loop.iter, messages) or (id(loop) not in in_macros and _is_named(loop.iter))
        for loop in _loops(root)
    ) or any(_walks_parameter(root, macro, messages) for macro in root.find_all(jinja.Macro))


def _parsed(source: str) -> jinja.Template:
    """Parse a template, without the marks of what the assistant writes: no tag of Jinja's own."""
    loops = ["jinja2.ext.loopcontrols"]
    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(extensions=loops)
    return environment.parse(_GENERATION.sub("", source))


def _loops(node: jinja.Node) -> Iterator[jinja.For]:
    return node.find_all(jinja.For)


def _message_names(root: jinja.Template) -> set[str]:
    """Return what a message is called in the loops over `messages`, or over what is set to them.

    Raises `UnnamedError` where one of them goes to anything but a plain variable.
    """
    known, lists = set[str](), {"messages"}
    while known != lists:
        known = set(lists)
        assigned = (node for node in root.find_all(jinja.Assign) if _name_of(node.node) in known)
        lists |= {_plain(node.target) for node in assigned}
    return {_plain(loop.target) for loop in _loops(root) if _name_of(loop.iter) in lists}


def _plain(target: jinja.Node) -> str:
    if not isinstance(target, jinja.Name):
        raise UnnamedError
    return target.name


def _walks_parameter(root: jinja.Template, macro: jinja.Macro, messages: set[str]) -> bool:
    """Whether a macro has a loop over a parameter that it is given a message's content as."""
    names = [argument.name for argument in macro.args]
    calls = [call for call in root.find_all(jinja.Call) if _is_named(call.node, macro.name)]
    given = {
        name
        for call in calls
        for name, value in (
            *zip(names, call.args, strict=False),
            *((keyword.key, keyword.value) for keyword in call.kwargs),
        )
        if _is_content(value, messages)
    }
    return any(
        isinstance(loop.iter, jinja.Name) and loop.iter.name in given for loop in _loops(macro)
    )


def _is_content(node: jinja.Node | None, messages: set[str]) -> bool:
    """Whether a value is the content of a message, filtered or cut perhaps."""
    node = _bare(node)
    if isinstance(node, jinja.Getattr):
        key: object = node.attr
    elif isinstance(node, jinja.Getitem) and isinstance(node.arg, jinja.Const):
        key = node.arg.value
    else:
        return False
    return key == "content" and isinstance(node.node, jinja.Name) and node.node.name in messages


def _is_named(node: jinja.Node | None, name: str = "content") -> bool:
    return isinstance(node, jinja.Name) and node.name == name


def _name_of(node: jinja.Node | None) -> str | None:
    """Return the name of a variable, filtered or cut perhaps."""
    node = _bare(node)
    return node.name if isinstance(node, jinja.Name) else None


def _bare(node: jinja.Node | None) -> jinja.Node | None:
    while isinstance(node, jinja.Filter | jinja.Test) or _is_slice(node):
        node = node.node  # type: ignore[union-attr]
    return node


def _is_slice(node: jinja.Node | None) -> bool:
    return isinstance(node, jinja.Getitem) and isinstance(node.arg, jinja.Slice)
