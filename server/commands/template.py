"""The flags of `whet serve` that say how chats are rendered, for commands without an engine."""

from __future__ import annotations

import argparse
import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from server.models.renderer import HARMONY, own_renderer
from server.terminal import CommandError

if TYPE_CHECKING:
    from adaptation.learning.training.chat import Template

AS_SERVED = "as given to `whet serve`"


def add_template_arguments(parser: argparse.ArgumentParser) -> None:
    """Add vLLM's flags, under its names."""
    parser.add_argument("--chat-template", metavar="FILE", help=AS_SERVED)
    parser.add_argument(
        "--default-chat-template-kwargs", metavar="JSON", type=_object, default={}, help=AS_SERVED
    )
    parser.add_argument(
        "--chat-template-content-format",
        choices=("auto", "string", "openai"),
        default="auto",
        help=AS_SERVED,
    )
    parser.add_argument("--tokenizer-mode", choices=("auto", "hf"), default="auto", help=AS_SERVED)
    parser.add_argument(
        "--exclude-tools-when-tool-choice-none", action="store_true", help=AS_SERVED
    )


def refuse_unknown_rendering(args: argparse.Namespace) -> None:
    """Raise `CommandError` for a model whose chats the server renders without a Jinja template."""
    refuse_renderer(args.model, args.tokenizer_mode)


def refuse_renderer(model: str, tokenizer_mode: str) -> None:
    """Raise `CommandError` likewise, for a model that is served in a mode of vLLM's."""
    own = own_renderer(model)
    if own is None or (tokenizer_mode == "hf" and own != HARMONY):
        return
    way_out = "" if own == HARMONY else ": serve it with --tokenizer-mode hf, and say so here too"
    raise CommandError(
        f"the server renders chats for {model} with vLLM's own `{own}`, not with a chat "
        f"template, so the trainer cannot see what it sees{way_out}"
    )


def template_of(args: argparse.Namespace) -> Template:
    """Return what the flags say."""
    from adaptation.learning.training.chat import Template

    return Template(
        source=None if args.chat_template is None else whole_path(args.chat_template),
        arguments=args.default_chat_template_kwargs,
        content_format=args.chat_template_content_format,
        leaves_out_tools=args.exclude_tools_when_tool_choice_none,
    )


def whole_path(given: str) -> str:
    """Return the whole path of what is a file or a folder here: whoever does the job may work
    elsewhere.
    """
    with suppress(OSError):  # the text of a template, too long for a name
        if Path(given).exists():
            return str(Path(given).absolute())
    return given  # or a model's name on a hub


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError("must be a JSON object")
    return value
