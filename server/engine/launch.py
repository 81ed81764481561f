"""vLLM's flags, its engine in this process, and its HTTP server."""

from __future__ import annotations

import argparse
import logging
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Any

import vllm
from fastapi import FastAPI
from vllm.config import StructuredOutputsConfig, VllmConfig
from vllm.config.logging import LoggingConfig
from vllm.engine.arg_utils import AsyncEngineArgs
from vllm.engine.protocol import EngineClient
from vllm.entrypoints.launchers.api_server.entry import build_async_engine_client_from_engine_args
from vllm.entrypoints.launchers.launcher import serve_http, setup_server
from vllm.logger import configure_logging_from_args
from vllm.platforms import current_platform
from vllm.renderers.chat_utils import load_chat_template
from vllm.utils.argparse_utils import FlexibleArgumentParser

from adaptation.errors import EngineError
from adaptation.learning.training.chat import Template
from server.engine.versions import make_arg_parser, validate_parsed_serve_args
from server.http.heads import bounded_heads
from server.installation import VLLM_SERIES, VLLM_WANTED
from server.telemetry.lines import LogFormat

STOP_GRACE_S = 5
"""What then still holds a connection, such as a body that does not end, is cut off."""


class CompactJson(StructuredOutputsConfig):  # type: ignore[misc]
    """vLLM's own settings of structured outputs, for `EngineArgs` to make JSON compact by.

    An operator's `--structured-outputs-config` takes its place, and is left as it is.
    """


class EngineArgs(AsyncEngineArgs):  # type: ignore[misc]
    """vLLM's arguments, and JSON without free white space whichever backend is chosen.

    A grammar that allows it lets a model go on with new lines until its context ends. vLLM takes
    `disable_any_whitespace` together with a named backend only, though both that `auto` chooses
    between keep to it: it is set here once vLLM has looked.
    """

    def create_engine_config(self, *arguments: Any, **keywords: Any) -> VllmConfig:
        """Return the engine's whole configuration."""
        config: VllmConfig = super().create_engine_config(*arguments, **keywords)
        held = config.structured_outputs_config
        if isinstance(held, CompactJson):
            plain = StructuredOutputsConfig(**asdict(held))  # the engine's process knows no other
            plain.disable_any_whitespace = True
            config.structured_outputs_config = plain
        return config


def allow_spaces_in_json(args: argparse.Namespace) -> None:
    """Leave the layout of JSON to a model that has learned no compact one."""
    if isinstance(args.structured_outputs_config, CompactJson):
        args.structured_outputs_config = StructuredOutputsConfig()


def make_parser() -> FlexibleArgumentParser:
    """Return vLLM's own `serve` parser: same flags, same names.

    Raises `EngineError` where the installed vLLM is not the one this was built on.
    """
    if not vllm.__version__.startswith(VLLM_SERIES):
        raise EngineError(f"vLLM {vllm.__version__} is installed, Whet needs {VLLM_WANTED}")
    parser = FlexibleArgumentParser(prog="whet serve")
    make_arg_parser(parser)
    parser.set_defaults(structured_outputs_config=CompactJson())
    return parser


def on_cpu() -> bool:
    """Whether vLLM will run on the CPU."""
    return bool(current_platform.is_cpu())


def validate(args: argparse.Namespace) -> None:
    """Run vLLM's own checks of its flags; raises TypeError or ValueError."""
    validate_parsed_serve_args(args)


def set_up_logging(args: argparse.Namespace, log_format: LogFormat) -> None:
    """Have vLLM log through the root logger in this process, and in its format in others."""
    if getattr(args, "logging_config", None) is None:
        args.logging_config = LoggingConfig(formatter=log_format)
    config = configure_logging_from_args(args)  # the engine's start leaves it as it is
    if config.configure_logging and not config.pylogging_config_file:
        ours = logging.getLogger("vllm")
        ours.handlers.clear()
        ours.propagate = True


def listen(args: argparse.Namespace) -> tuple[str, socket.socket]:
    """Bind the port before the engine starts; raises OSError."""
    address, sock = setup_server(args, reuse_port=False)
    return address, sock


def chat_template(args: argparse.Namespace) -> Template:
    """Return how chats are rendered: a template in place of the model's, and what it is given."""
    return Template(
        source=load_chat_template(args.chat_template),
        arguments=args.default_chat_template_kwargs or {},
        content_format=args.chat_template_content_format,
        leaves_out_tools=args.exclude_tools_when_tool_choice_none,
    )


@asynccontextmanager
async def open_engine(args: argparse.Namespace) -> AsyncIterator[EngineClient]:
    """Start vLLM's engine in process and stop it at the end of the block."""
    engine_args = EngineArgs.from_cli_args(args)
    async with build_async_engine_client_from_engine_args(engine_args) as client:
        yield client


async def serve(
    app: FastAPI,
    sock: socket.socket,
    args: argparse.Namespace,
    head_s: float,
    headers: Sequence[tuple[str, str]] = (),
) -> None:
    """Serve until SIGTERM or SIGINT.

    `head_s` bounds the time that a request's head may take; every response carries `headers`.
    """
    closing = await serve_http(
        app,
        sock=sock,
        host=args.host,
        port=args.port,
        log_level=args.uvicorn_log_level,
        log_config=None,  # its lines go where ours go
        access_log=False,  # ours says more: see `server.telemetry.request_log`
        ssl_keyfile=args.ssl_keyfile,
        ssl_certfile=args.ssl_certfile,
        ssl_ca_certs=args.ssl_ca_certs,
        ssl_cert_reqs=args.ssl_cert_reqs,
        ssl_ciphers=args.ssl_ciphers,
        http=bounded_heads(args, head_s),
        headers=list(headers),
        timeout_graceful_shutdown=STOP_GRACE_S,
    )
    await closing


def end(app: FastAPI) -> None:
    """Have `serve` return, as after a signal."""
    app.state.server.should_exit = True


def register_client(client_type: type) -> None:
    """Let vLLM's isinstance checks take `client_type` for an engine client."""
    EngineClient.register(client_type)
