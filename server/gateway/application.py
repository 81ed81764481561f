"""vLLM's HTTP application, with our handlers in the place of its own.

They are built of what vLLM's start-up builds its own of: see `init_app_state` and
`init_generate_state` there.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Collection
from typing import Any

from fastapi import FastAPI
from vllm.entrypoints.launchers.api_server.app_state import init_app_state
from vllm.entrypoints.launchers.app import build_app
from vllm.entrypoints.serve.middleware.authenticate import AuthenticationMiddleware as OwnKeys
from vllm.renderers.chat_utils import load_chat_template

from server.engine.launch import on_cpu
from server.engine.versions import resolve_default_chat_template_kwargs
from server.gateway.chat import Chat
from server.gateway.completions import Completions
from server.gateway.messages import Messages
from server.gateway.models import Models
from server.gateway.responses import Responses
from server.stored_responses import StoredResponses


async def make_app(
    client: Any, args: argparse.Namespace, most_adapters: int, stored: StoredResponses
) -> tuple[FastAPI, Callable[[], Collection[str]]]:
    """Return the application, served through `client`, and what names the tenant of each response
    that is being made in the background.

    `most_adapters` bounds those that clients load; it holds on a CPU, see `engine_defaults`.
    `stored` keeps responses.
    """
    tasks = await client.get_supported_tasks()
    app: FastAPI = build_app(args, tasks, client.model_config)
    app.user_middleware = [each for each in app.user_middleware if each.cls is not OwnKeys]
    await init_app_state(client, app.state, args, tasks)
    if on_cpu() and args.enable_lora:
        use_models(app.state, most_adapters)
    if "generate" not in tasks:
        return app, tuple
    use_handlers(app.state, args, stored)
    return app, app.state.openai_serving_responses.in_background


def use_models(state: Any, most: int) -> None:
    """Put our list of models in the place of vLLM's, in every handler that was given it."""
    theirs = state.openai_serving_models
    state.openai_serving_models = ours = Models(theirs, most)
    for handler in state._state.values():
        if getattr(handler, "models", None) is theirs:
            handler.models = ours


def use_handlers(state: Any, args: argparse.Namespace, stored: StoredResponses) -> None:
    """Put our handlers in the place of vLLM's."""
    common = _of_all(state, args)
    templated = common | _of_templates(args)
    chats = templated | {
        "response_role": args.response_role,
        "enable_log_deltas": args.enable_log_deltas,
    }
    measured = {"enable_per_request_metrics": args.enable_per_request_metrics}
    state.openai_serving_completion = Completions(**common, **measured)
    state.openai_serving_responses = Responses(
        **templated, **measured, tool_server=state.tool_server, stored=stored
    )
    state.openai_serving_chat = Chat(
        **chats,
        **measured,
        trust_request_chat_template=args.trust_request_chat_template,
        exclude_tools_when_tool_choice_none=args.exclude_tools_when_tool_choice_none,
    )
    state.anthropic_serving_messages = Messages(
        **chats, disabled_thinking_effort=args.anthropic_disabled_thinking_effort
    )


def _of_all(state: Any, args: argparse.Namespace) -> dict[str, Any]:
    """Return what every handler is built of."""
    return {
        "engine_client": state.engine_client,
        "models": state.openai_serving_models,
        "online_renderer": state.online_renderer,
        "request_logger": state.openai_serving_chat.request_logger,
        "return_tokens_as_token_ids": args.return_tokens_as_token_ids,
        "enable_prompt_tokens_details": args.enable_prompt_tokens_details,
        "enable_force_include_usage": args.enable_force_include_usage,
    }


def _of_templates(args: argparse.Namespace) -> dict[str, Any]:
    """Return what is needed where a chat template renders the prompt and parsers read replies."""
    return {
        "chat_template": load_chat_template(args.chat_template),
        "chat_template_content_format": args.chat_template_content_format,
        "default_chat_template_kwargs": resolve_default_chat_template_kwargs(args),
        "enable_auto_tools": args.enable_auto_tool_choice,
        "tool_parser": args.tool_call_parser,
        "tool_strict_level": args.tool_strict_level,
        "reasoning_parser": args.structured_outputs_config.reasoning_parser,
        "enable_log_outputs": args.enable_log_outputs,
    }
