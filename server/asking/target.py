"""Which server a command asks, and how: its flags, the client, and errors as one line."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from adaptation.options import Options, Strategy
from server.import_source import source
from server.terminal import CommandError, complain
from whet import KEY_VARIABLES, LOCAL

if TYPE_CHECKING:
    from openai import APIStatusError

    from whet.client import Taught, Whet

DENIED = 401
_ABSENT = "no server answers at {url}: start one with `whet serve`, or name another with --url"
_GONE = "the server at {url} was gone before its answer was whole"


def add_server_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say which server is asked, and with which key."""
    parser.add_argument(
        "--url", type=server_url, default=LOCAL, help=f"where it listens (default: {LOCAL})"
    )
    variables = " or ".join(f"${name}" for name in KEY_VARIABLES)
    parser.add_argument("--api-key", metavar="KEY", help=f"its key (default: {variables})")


def server_url(text: str) -> str:
    """Check for argparse that a text is an address of a server."""
    try:
        parts = urlsplit(text)
        is_one = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # of a port or an IPv6 address that is none
        is_one = False
    if not is_one:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no address of a server: give one such as {LOCAL}"
        )
    return text


def key_of(given: str | None = None, variables: Sequence[str] = KEY_VARIABLES) -> str | None:
    """Return the key to send: the one given, else the first that the environment has.

    Raises `CommandError` for one that no header can carry, such as a key with curly quotes.
    """
    key = given or next(filter(None, map(os.environ.get, variables)), None)
    if key and not (key.isascii() and key.isprintable()):
        raise CommandError("the key has characters that no key has: copy it once more")
    return key


def add_target_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say which server is asked, which model, and by which strategy."""
    add_server_arguments(parser)
    parser.add_argument("--model", help="which one (default: the first that it serves)")
    parser.add_argument(
        "--strategy", choices=[each.value for each in Strategy], help="(default: the server's)"
    )
    parser.add_argument(
        "--teach",
        metavar="FILE",
        help="first put these solved examples into its memory: what `whet memory import` takes",
    )
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")


@contextmanager
def target(args: argparse.Namespace) -> Iterator[Whet]:
    """Give a client of the server that the flags name, taught what they name.

    Raises `CommandError` for whatever goes wrong between the two within the block.
    """
    from whet.client import Whet

    key = key_of(args.api_key)
    with closing(Whet(args.url, api_key=key, max_retries=0)) as client, told(args.url):
        client.first_model()
        if args.teach:
            teach(client, args.teach)
        yield client


@contextmanager
def told(url: str) -> Iterator[None]:
    """Turn what openai-python raises into one line that says what to do."""
    import openai

    try:
        yield
    except openai.APITimeoutError as error:
        raise CommandError(f"the server at {url} took too long to answer") from error
    except openai.APIConnectionError as error:
        is_absent = type(error.__cause__).__name__ == "ConnectError"  # httpx's or httpx2's
        said = _ABSENT if is_absent else _GONE
        raise CommandError(said.format(url=url)) from error
    except openai.APIStatusError as error:
        raise CommandError(_refusal(error)) from error
    except openai.OpenAIError as error:
        raise CommandError(str(error)) from error
    except _broken() as error:
        raise CommandError(_GONE.format(url=url)) from error


def _broken() -> tuple[type[Exception], ...]:
    """Return what a stream that breaks off raises: openai-python 2 has httpx below it, 3 httpx2."""
    found = [name for name in ("httpx", "httpx2") if find_spec(name)]
    return tuple(cast("type[Exception]", import_module(name).TransportError) for name in found)


def teach(client: Whet, name: str) -> Taught:
    """Put a file of solved examples into the server's memory, and say what came of it."""
    with source(name) as (stream, _):
        taught = client.teach(stream.read())
    for error in taught.errors:
        complain(f"{name}, line {error['line']}: {error['message']}")
    if not taught.imported + taught.confirmed:
        raise CommandError(
            f"{name}: nothing was learned; `whet memory import --help` shows the forms of a line"
        )
    complain(f"taught {taught.imported} examples; {taught.confirmed} were known already")
    return taught


def options_of(strategy: str | None) -> Options:
    """Return the options of a command: the strategy it names, and votes as they fall."""
    return Options.model_validate(
        {"progress": True, **({"strategy": strategy} if strategy else {})}
    )


def _refusal(error: APIStatusError) -> str:
    said = error.body.get("message") if isinstance(error.body, Mapping) else None
    if error.status_code == DENIED:
        return f"{said or 'the server wants a key'}: give --api-key, or set WHET_API_KEY"
    return str(said or error.message)
