"""`whet adapters warm`: a running server trains for what requests had no time to train for."""

from __future__ import annotations

import argparse
import time
from typing import Any

import httpx

from server.asking.target import add_server_arguments, key_of
from server.commands.common import Subparsers, command_parser
from server.terminal import CommandError, print_json, progress
from whet import root_of

EXAMPLES = """\
  whet adapters warm
  whet adapters warm --url http://127.0.0.1:9000 --api-key secret
"""
PATH = "/v1/adapters/warm"
LOOK_S = 1.0
PATIENCE_S = 60.0
"""A server whose cores train answers late."""


def add_warm(subparsers: Subparsers) -> None:
    """Describe the command."""
    summary = "have a running server train now for what requests had no time to train for"
    parser = command_parser(subparsers, "warm", summary, EXAMPLES)
    add_server_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=_warm)


def _warm(args: argparse.Namespace) -> int:
    key = key_of(args.api_key)
    headers = {"authorization": f"Bearer {key}"} if key else {}
    with httpx.Client(base_url=root_of(args.url), headers=headers, timeout=PATIENCE_S) as http:
        first = _ask(http, "GET")
        last = _until_done(http, first["wanted"])
    kept, unused = last["kept"] - first["kept"], last["unused"] - first["unused"]
    if args.json:
        print_json({"kept": kept, "unused": unused})
    elif not kept + unused:
        print("nothing to train: no request has lacked the time since the server started")
    else:
        print(f"adapters kept: {kept}; without one, as nothing was gained: {unused}")
    return 0


def _until_done(http: httpx.Client, wanted: int) -> dict[str, Any]:
    """Have all that is wanted trained; return the server's last word."""
    state = _ask(http, "POST")
    with progress("neighbourhoods trained") as advance:
        while state["is_training"]:
            time.sleep(LOOK_S)
            state = _ask(http, "GET")
            advance(max(0, wanted - state["wanted"]), wanted)
    return state


def _ask(http: httpx.Client, method: str) -> dict[str, Any]:
    try:
        response = http.request(method, PATH)
        response.raise_for_status()
        state: dict[str, Any] = response.json()
    except httpx.HTTPStatusError as error:
        raise CommandError(f"{http.base_url}: {_refusal(error.response)}") from error
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise CommandError(f"{http.base_url}: no Whet answers there: {error}") from error
    return state


def _refusal(response: httpx.Response) -> str:
    """Say what an admin can do about it."""
    if response.status_code in (401, 403):
        return "it asks for an admin's key: give --api-key, or set WHET_API_KEY"
    return f"{response.status_code}: is it Whet?"
