"""The one module that imports vLLM: its flags, its engine, and its HTTP application.

Everything that moves between vLLM's releases is in this file. Read and run against 0.32.
"""

from __future__ import annotations

import argparse
import copy
import socket
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import vllm
from fastapi import FastAPI
from vllm import SamplingParams
from vllm.engine.arg_utils import AsyncEngineArgs
from vllm.engine.protocol import EngineClient
from vllm.entrypoints.launchers.api_server.app_state import init_app_state
from vllm.entrypoints.launchers.api_server.entry import build_async_engine_client_from_engine_args
from vllm.entrypoints.launchers.app import build_app
from vllm.entrypoints.launchers.cli_args import make_arg_parser, validate_parsed_serve_args
from vllm.entrypoints.launchers.launcher import serve_http, setup_server
from vllm.exceptions import GracefulHTTPError, VLLMError, VLLMValidationError
from vllm.inputs.engine import tokens_input
from vllm.lora.request import LoRARequest
from vllm.outputs import CompletionOutput, RequestOutput
from vllm.platforms import current_platform
from vllm.sampling_params import RequestOutputKind
from vllm.utils.argparse_utils import FlexibleArgumentParser
from vllm.v1.engine.exceptions import EngineDeadError, EngineGenerateError

from adaptation.engine import Progress
from adaptation.errors import AdaptationError, DeadlineError, EngineError
from adaptation.types import Adapter, Draw, Outcome, Query, Sample

SUPPORTED = "0.32."
REMEMBERED_PROBES = 16


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


@asynccontextmanager
async def open_engine(args: argparse.Namespace) -> AsyncIterator[EngineClient]:
    """Start vLLM's engine in process and stop it at the end of the block."""
    engine_args = AsyncEngineArgs.from_cli_args(args)
    async with build_async_engine_client_from_engine_args(engine_args) as client:
        yield client


async def make_app(client: Any, args: argparse.Namespace) -> FastAPI:
    """Return vLLM's application, served through `client`."""
    tasks = await client.get_supported_tasks()
    app: FastAPI = build_app(args, tasks, client.model_config)
    await init_app_state(client, app.state, args, tasks)
    return app


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


@dataclass(frozen=True)
class Native:
    """The arguments of a `generate()` call, opaque to the pipeline."""

    prompt: Any
    params: SamplingParams
    keywords: dict[str, Any]

    @property
    def choices(self) -> int:
        """OpenAI's `n`."""
        return int(self.params.n)

    @property
    def seed(self) -> int | None:
        """The request's own seed."""
        return None if self.params.seed is None else int(self.params.seed)


class VllmEngine:
    """`adaptation.engine.Engine` on vLLM's AsyncLLM."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._probes = 0
        self._probed: dict[tuple[int, tuple[int, ...]], float] = {}

    async def sample(self, query: Query, draw: Draw) -> AsyncGenerator[Progress, None]:
        """See `Engine.sample`: one n=1 request, so that it can be cancelled alone."""
        native = query.native
        assert isinstance(native, Native)
        outputs = self._client.generate(
            native.prompt,
            _params_for(native.params, draw),
            draw.request_id,
            **{**native.keywords, "lora_request": lora_request(draw.adapter)},
        )
        whole: RequestOutput | None = None
        try:
            async with aclosing(outputs):
                async for delta in outputs:
                    new_tokens = len(delta.outputs[0].token_ids)
                    whole = _merged(whole, delta)
                    yield Progress(_sample(whole, draw), new_tokens, done=delta.finished)
        except (EngineDeadError, EngineGenerateError) as error:
            raise EngineError("the engine has stopped; try again") from error

    async def load(self, adapter: Adapter) -> None:
        """See `Engine.load`: a bad path is an exception here, but kills vLLM in `generate`."""
        try:
            loaded = await self._client.add_lora(lora_request(adapter))
        except Exception as error:
            raise EngineError(f"vLLM could not load it: {error}") from error
        if not loaded:
            raise EngineError("vLLM refused it")

    async def drop(self, adapter: Adapter) -> None:
        """See `Engine.drop`."""
        try:
            await self._client.remove_lora(adapter.id)
        except Exception as error:
            raise EngineError(f"vLLM did not unload it: {error}") from error

    async def probe(self, token_ids: tuple[int, ...], adapter: Adapter | None) -> float:
        """See `Engine.probe`; what was asked lately is remembered: it cannot have changed."""
        key = (adapter.id if adapter else 0, token_ids)
        if key not in self._probed:
            self._probed[key] = await self._probe(token_ids, adapter)
            if len(self._probed) > REMEMBERED_PROBES:
                del self._probed[next(key for key in self._probed if key[0])]
        return self._probed[key]

    async def _probe(self, token_ids: tuple[int, ...], adapter: Adapter | None) -> float:
        self._probes += 1
        params = SamplingParams(
            temperature=0.0, max_tokens=1, logprobs=1, output_kind=RequestOutputKind.FINAL_ONLY
        )
        prompt = tokens_input(list(token_ids))
        outputs = self._client.generate(
            prompt, params, f"probe-{self._probes}", lora_request=lora_request(adapter)
        )
        try:
            async with aclosing(outputs):
                async for output in outputs:
                    return float(output.outputs[0].cumulative_logprob)
        except VLLMError as error:
            raise EngineError(f"the probe failed: {error}") from error
        raise EngineError("the engine returned nothing")


def _params_for(params: SamplingParams, draw: Draw) -> SamplingParams:
    """Return the request's own parameters with the draw's temperature and seed, for one sample."""
    own = copy.deepcopy(params)
    own.n = 1
    own.output_kind = RequestOutputKind.DELTA
    own.logprobs = max(own.logprobs or 0, 0)  # the sampled token's own, to break ties by
    own.seed = draw.seed
    if draw.temperature is not None:
        own.temperature = draw.temperature
        own.__dict__.pop("sampling_type", None)  # cached from the request's temperature
    return own


def lora_request(adapter: Adapter | None) -> LoRARequest | None:
    """Return the adapter as vLLM names it."""
    if adapter is None:
        return None
    return LoRARequest(lora_name=adapter.name, lora_int_id=adapter.id, lora_path=adapter.path)


def _merged(whole: RequestOutput | None, delta: RequestOutput) -> RequestOutput:
    if whole is None:
        return delta
    whole.add(delta, aggregate=True)
    return whole


def _sample(output: RequestOutput, draw: Draw) -> Sample:
    completion: CompletionOutput = output.outputs[0]
    return Sample(
        index=draw.index,
        text=completion.text,
        n_tokens=len(completion.token_ids),
        finish_reason=completion.finish_reason,
        logprobs=_sampled_logprobs(completion),
        adapter=draw.adapter.version if draw.adapter else None,
        native=output,
    )


def _sampled_logprobs(completion: CompletionOutput) -> tuple[float, ...]:
    """The log-probability of each sampled token, where they were asked for."""
    if not completion.logprobs:
        return ()
    sampled = zip(completion.token_ids, completion.logprobs, strict=False)
    return tuple(found[token].logprob for token, found in sampled if token in found)


def as_output(request_id: str, outcome: Outcome) -> RequestOutput:
    """Return the chosen samples as the one output that vLLM's handler expects."""
    natives = [sample.native for sample in outcome.samples]
    first = natives[0]
    assert isinstance(first, RequestOutput)
    choices = []
    for index, (sample, native) in enumerate(zip(outcome.samples, natives, strict=True)):
        assert isinstance(native, RequestOutput)
        choice = copy.copy(native.outputs[0])
        choice.index = index
        choice.finish_reason = sample.finish_reason
        choices.append(choice)
    whole = copy.copy(first)
    whole.request_id, whole.outputs, whole.finished = request_id, choices, True
    whole.lora_request = None
    return whole


def refuse_deadly(params: SamplingParams) -> None:
    """Refuse what kills the CPU engine while LoRA is on: log-probabilities of the prompt.

    Raises what vLLM's handlers turn into HTTP 400.
    """
    if params.prompt_logprobs is not None:
        raise bad_request(
            "`prompt_logprobs`, and `echo` with `logprobs`, are not available while adapters are",
            "prompt_logprobs",
        )


def bad_request(message: str, parameter: str) -> Exception:
    """Return what vLLM's handlers turn into HTTP 400."""
    error: Exception = VLLMValidationError(message, parameter=parameter)
    return error


def http_error(error: AdaptationError) -> Exception:
    """Return what vLLM's handlers turn into HTTP 504 or 503."""
    is_late = isinstance(error, DeadlineError)
    status = HTTPStatus.GATEWAY_TIMEOUT if is_late else HTTPStatus.SERVICE_UNAVAILABLE
    graceful: Exception = GracefulHTTPError(str(error), status)
    return graceful


def register_client(client_type: type) -> None:
    """Let vLLM's isinstance checks take `client_type` for an engine client."""
    EngineClient.register(client_type)


def new_tokens(output: RequestOutput, params: SamplingParams, before: int) -> int:
    """Return how many tokens all choices have generated, `before` of them seen earlier."""
    count = sum(len(choice.token_ids) for choice in output.outputs)
    return before + count if params.output_kind is RequestOutputKind.DELTA else count


def first_text(output: RequestOutput, params: SamplingParams, before: str) -> str:
    """Return the text of the first choice so far, `before` of it seen earlier."""
    text = "".join(choice.text for choice in output.outputs if choice.index == 0)
    return before + text if params.output_kind is RequestOutputKind.DELTA else text
