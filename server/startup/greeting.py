"""The screen of a server that is ready: what it serves and where, a request to try, how to stop."""

from __future__ import annotations

import argparse
import json
import shlex
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from adaptation.options import Strategy
from server.config import Settings
from server.models.catalogue import BUILT_IN, PACKAGED, SMOLLM2, flag_for
from server.models.named import is_gguf
from server.models.shelf import Shelf
from server.requests.request_context import CHAT
from server.routes.console import ADDRESSES
from server.settings.setting_sources import Resolved
from server.tenancy.trust import has_keys, operator_keys
from server.terminal import plain
from server.version import installed_version

MODELS = "/v1/models"
QUESTION = "What is 17 + 25?"
WIDTH = 10


@dataclass(frozen=True)
class Greeting:
    """What is to be told, but for the address."""

    model: str
    """As clients call it."""
    chosen: str
    """How it came to be served."""
    size: str
    other: str
    """Which other model is one word away; "" where none is proposed."""
    data_dir: str
    strategy: str
    needs_key: bool

    def text(self, address: str, paths: Collection[str], seconds: float, stop: str) -> str:
        """Return the screen; of `ADDRESSES` it names those among `paths`. `stop` is how to."""
        rows = [
            ("model", f"{self.model}: {self.chosen}"),
            ("", self.size),
            ("", self.other),
            ("data", self.data_dir),
            ("strategy", self.strategy),
            ("API", address + ADDRESSES["api"]),
            *(
                (name, address + ADDRESSES[name])
                for name in ("console", "docs")
                if ADDRESSES[name] in paths
            ),
        ]
        lines = [f"  {name:<{WIDTH}}{plain(told)}" for name, told in rows if told]
        head = f"Whet {installed_version()} is ready after {seconds:.0f} s."
        tried = _indented(self._curl(address, CHAT in paths))
        return "\n".join(["", head, "", *lines, "", "Try it:", tried, "", f"{stop} stops it.", ""])

    def _curl(self, address: str, chats: bool) -> str:
        key = ' -H "Authorization: Bearer $WHET_API_KEY"' if self.needs_key else ""
        if not chats:
            return f"curl {address}{MODELS}{key}"
        body = {"model": self.model, "messages": [{"role": "user", "content": QUESTION}]}
        return (
            f"curl {address}{CHAT}{key} -H 'Content-Type: application/json' \\\n"
            f"  -d {shlex.quote(json.dumps(body))}"
        )


def greeting_of(
    args: argparse.Namespace, asked: str | None, resolved: Resolved, size: str
) -> Greeting:
    """Return the greeting of a server with vLLM's completed flags; `asked` is MODEL as given."""
    settings = resolved.settings
    source = resolved.sources["data_dir"]
    return Greeting(
        model=(args.served_model_name or [args.model])[0],
        chosen=_chosen(asked),
        size=size,
        other=_other(asked, settings.data_dir),
        data_dir=f"{settings.data_dir} ({_told(source)})",
        strategy=f"{_voting(settings)} ({_told(resolved.sources['strategy'])})",
        needs_key=_needs_key(args, settings),
    )


def _voting(settings: Settings) -> str:
    if settings.strategy == Strategy.PLAIN:
        return f"{settings.strategy}: one sample"
    within = f" within {settings.wall_s:.0f} s" if settings.wall_s else ""
    return f"{settings.strategy}: up to {settings.max_samples} votes{within}"


def _chosen(asked: str | None) -> str:
    if asked is None:
        return "built in, since no MODEL was given"
    if asked == BUILT_IN:
        return "built in"
    if asked in PACKAGED:
        return f"{PACKAGED[asked].title}, a real model"
    if is_gguf(asked):
        return f"converted from {asked}"
    return "from its folder" if Path(asked).is_dir() else "by its name on the model hub"


def _other(asked: str | None, data_dir: Path) -> str:
    if asked not in (None, BUILT_IN):
        return ""
    serve = f"`whet serve {SMOLLM2.name}{flag_for(data_dir)}` serves a small real model"
    is_here = Shelf(data_dir).find(SMOLLM2.name) is not None
    return serve if is_here else f"{serve}; first {SMOLLM2.how_to_get(data_dir)}"


def _told(source: str) -> str:
    return "the default" if source == "default" else f"set by {source}"


def _needs_key(args: argparse.Namespace, settings: Settings) -> bool:
    return bool(operator_keys(args)) or has_keys(settings)


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())
