"""vLLM's flags, its engine in this process, and its HTTP application."""

from __future__ import annotations

import argparse
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import vllm
from cachetools import FIFOCache
from fastapi import FastAPI
from vllm.engine.arg_utils import AsyncEngineArgs
from vllm.engine.protocol import EngineClient
from vllm.entrypoints.launchers.api_server.app_state import init_app_state
from vllm.entrypoints.launchers.api_server.entry import build_async_engine_client_from_engine_args
from vllm.entrypoints.launchers.app import build_app
from vllm.entrypoints.launchers.cli_args import make_arg_parser, validate_parsed_serve_args
from vllm.entrypoints.launchers.launcher import serve_http, setup_server
from vllm.platforms import current_platform
from vllm.renderers.chat_utils import load_chat_template
from vllm.utils.argparse_utils import FlexibleArgumentParser

from adaptation.errors import EngineError

SUPPORTED = "0.32."
MAX_RESPONSES = 10_000
"""Stored responses that can be retrieved and continued."""

Amend = Callable[[Any], Any]
"""From a `ResponsesResponse` of vLLM's to the one that is kept."""


def make_parser(epilog: str) -> FlexibleArgumentParser:
    """Return vLLM's own `serve` parser: same flags, same names.

    Raises `EngineError` where the installed vLLM is not the one this was built on.
    """
    if not vllm.__version__.startswith(SUPPORTED):
        raise EngineError(f"vLLM {vllm.__version__} is installed, Whet needs {SUPPORTED}x")
    parser = FlexibleArgumentParser(
        prog="whet serve",
        usage="whet serve [MODEL] [any flag of vllm serve] [whet flags]",
        epilog=epilog,
    )
    return make_arg_parser(parser)


def on_cpu() -> bool:
    """Whether vLLM will run on the CPU."""
    return bool(current_platform.is_cpu())


def validate(args: argparse.Namespace) -> None:
    """Run vLLM's own checks of its flags; raises TypeError or ValueError."""
    validate_parsed_serve_args(args)


def listen(args: argparse.Namespace) -> tuple[str, socket.socket]:
    """Bind the port before the engine starts; raises OSError."""
    address, sock = setup_server(args, reuse_port=False)
    return address, sock


def chat_template(args: argparse.Namespace) -> dict[str, Any]:
    """Return how chats are rendered: a template in place of the model's, and what it is given."""
    given = args.default_chat_template_kwargs or {}
    return {"chat_template": load_chat_template(args.chat_template), **given}


@asynccontextmanager
async def open_engine(args: argparse.Namespace) -> AsyncIterator[EngineClient]:
    """Start vLLM's engine in process and stop it at the end of the block."""
    engine_args = AsyncEngineArgs.from_cli_args(args)
    async with build_async_engine_client_from_engine_args(engine_args) as client:
        yield client


async def make_app(client: Any, args: argparse.Namespace, amend: Amend) -> FastAPI:
    """Return vLLM's application, served through `client`.

    Stored responses go through `amend`, in the context of their request.
    """
    tasks = await client.get_supported_tasks()
    app: FastAPI = build_app(args, tasks, client.model_config)
    await init_app_state(client, app.state, args, tasks)
    _replace_stores(app.state.openai_serving_responses, amend)
    return app


class _Responses(FIFOCache[str, Any]):
    """The newest responses, amended."""

    def __init__(self, amend: Amend) -> None:
        super().__init__(MAX_RESPONSES)
        self._amend = amend

    def __setitem__(self, key: str, value: Any, **keywords: Any) -> None:
        super().__setitem__(key, self._amend(value), **keywords)


def _replace_stores(responses: Any, amend: Amend) -> None:
    """Keep the newest responses only: vLLM's stores grow for as long as it runs."""
    if responses is not None:
        stores: dict[str, FIFOCache[str, Any]] = {
            "response_store": _Responses(amend),
            "msg_store": FIFOCache(MAX_RESPONSES),
            "event_store": FIFOCache(MAX_RESPONSES),
        }
        for name, store in stores.items():
            assert getattr(responses, name) == {}
            setattr(responses, name, store)


async def serve(app: FastAPI, sock: socket.socket, args: argparse.Namespace) -> None:
    """Serve until SIGTERM or SIGINT."""
    closing = await serve_http(
        app,
        sock=sock,
        host=args.host,
        port=args.port,
        log_level=args.uvicorn_log_level,
        access_log=not args.disable_uvicorn_access_log,
        ssl_keyfile=args.ssl_keyfile,
        ssl_certfile=args.ssl_certfile,
        ssl_ca_certs=args.ssl_ca_certs,
        ssl_cert_reqs=args.ssl_cert_reqs,
        ssl_ciphers=args.ssl_ciphers,
        h11_max_incomplete_event_size=args.h11_max_incomplete_event_size,
        h11_max_header_count=args.h11_max_header_count,
    )
    await closing


def register_client(client_type: type) -> None:
    """Let vLLM's isinstance checks take `client_type` for an engine client."""
    EngineClient.register(client_type)
