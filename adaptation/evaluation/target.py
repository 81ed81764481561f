"""The server under evaluation: any OpenAI-compatible one, asked with the official client.

Knows what one response cost. Whet's own routes are used where the server is Whet.
"""

from __future__ import annotations

import asyncio
import json
import time
from types import TracebackType
from typing import Any, Self

import httpx
from openai import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AsyncOpenAI,
    BadRequestError,
    OpenAIError,
    UnprocessableEntityError,
)
from openai.types.chat import ChatCompletion, ChatCompletionMessage

from adaptation.errors import AdaptationError
from adaptation.evaluation.errors import EvaluationError, ServerGoneError
from adaptation.evaluation.exchange import Reply, Request
from adaptation.evaluation.results import KEPT
from adaptation.options import Strategy
from adaptation.report import Report

TRIES = 6
FIRST_PAUSE_S = 2.0
"""Before a failed request is sent again; doubled each time, so a restart of the server is waited
for, about a minute."""


DENIED = 401
FORGETFUL = {"memory": {"write": False}}
"""An evaluation leaves no trace in what the server remembers."""


class RequestRefusedError(EvaluationError):
    """The server answered with an error; asking again would not help."""


class Target:
    """Asks one server under one model name."""

    def __init__(
        self,
        url: str,
        model: str | None,
        api_key: str = "none",
        timeout_s: float = 600.0,
        first_pause_s: float = FIRST_PAUSE_S,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """`transport` is the way to the server; None: by its address."""
        base = url.rstrip("/").removesuffix("/v1")
        headers = {"Authorization": f"Bearer {api_key}"}
        self.url = base
        self._first_pause_s = first_pause_s
        self._http = httpx.AsyncClient(
            base_url=base, timeout=timeout_s, headers=headers, transport=transport
        )
        self._openai = AsyncOpenAI(
            base_url=f"{base}/v1",
            api_key=api_key,
            timeout=timeout_s,
            max_retries=0,
            http_client=self._http if transport else None,  # type: ignore[arg-type]
        )
        self.model = model or ""
        self.is_whet = False

    async def __aenter__(self) -> Self:
        """Find out what is served; raises `ServerGoneError` where nothing answers."""
        try:
            await self._look()
        except BaseException:
            await self.close()
            raise
        return self

    async def _look(self) -> None:
        try:
            names = [model.id async for model in self._openai.models.list()]
        except APIStatusError as error:
            key = ": give its key with --api-key" if error.status_code == DENIED else ""
            raise EvaluationError(f"{self.url}/v1/models: {error.message}{key}") from error
        except OpenAIError as error:
            raise ServerGoneError(f"no server answers at {self.url}: {error}") from error
        if not names:
            raise EvaluationError(f"{self.url} lists no model: name one with --model")
        self.model = self.model or names[0]
        if self.model not in names:
            raise EvaluationError(
                f"{self.url} serves no model {self.model!r}, but {', '.join(names)}"
            )
        self.is_whet = f"{self.model}:{Strategy.PLAIN}" in names

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await self._openai.close()
        await self._http.aclose()

    async def ask(self, request: Request) -> Reply:
        """Ask once; a server that is away is asked again for a while.

        Raises `RequestRefusedError` for a request that fails while the server answers others,
        `ServerGoneError` where it stays away.
        """
        for attempt in range(TRIES):
            if attempt:
                await asyncio.sleep(self._first_pause_s * 2 ** (attempt - 1))
            try:
                return await self._ask(request, attempt)
            except APITimeoutError as error:
                raise RequestRefusedError("no answer in time; see --timeout") from error
            except APIConnectionError as error:
                trouble: OpenAIError = error
            except APIStatusError as error:
                if error.status_code < 500 and error.status_code != 429:
                    raise RequestRefusedError(error.message) from error
                trouble = error
        if isinstance(trouble, APIStatusError) and await self._answers():
            raise RequestRefusedError(trouble.message) from trouble
        raise ServerGoneError(f"{self.url} does not answer any more ({trouble}); {KEPT}")

    async def refuses(self, request: Request) -> str | None:
        """Return why the server takes no such request, in its words; None where it may."""
        try:
            await self._openai.chat.completions.create(**self._arguments(request))
        except (BadRequestError, UnprocessableEntityError) as error:
            return error.message
        except OpenAIError:
            return None  # whoever asks in earnest finds out
        return None

    async def _answers(self) -> bool:
        """Whether the server is there at all."""
        try:
            await self._openai.models.list()
        except OpenAIError:
            return False
        return True

    async def _ask(self, request: Request, attempt: int) -> Reply:
        began = time.perf_counter()
        completion = await self._openai.chat.completions.create(**self._arguments(request))
        return _reply(completion, time.perf_counter() - began, attempt)

    def _arguments(self, request: Request) -> dict[str, Any]:
        arguments: dict[str, Any] = {
            "model": self.model,
            "messages": list(request.messages),
            "temperature": request.temperature,
            "seed": request.seed,
            "max_tokens": request.max_tokens,
            "n": request.n,
        }
        if request.tools:
            arguments["tools"] = list(request.tools)
        if self.is_whet:
            options = {"strategy": request.strategy, **(request.adaptation or FORGETFUL)}
            arguments["extra_body"] = {"adaptation": options}
        return arguments

    async def whet(self, method: str, path: str, content: str | None = None) -> dict[str, Any]:
        """Use one of Whet's own routes; raises `EvaluationError` with its words where it fails."""
        try:
            response = await self._http.request(method, path, content=content)
            response.raise_for_status()
        except httpx.HTTPStatusError as error:
            raise EvaluationError(f"{path}: {error.response.text[:300]}") from error
        except httpx.HTTPError as error:
            raise ServerGoneError(f"{self.url} does not answer any more: {error}") from error
        found: dict[str, Any] = response.json()
        return found


def _reply(completion: ChatCompletion, seconds: float, attempt: int) -> Reply:
    """What a response holds; another server's may hold anything."""
    if not isinstance(completion, ChatCompletion) or not completion.choices:
        raise RequestRefusedError("the response is no chat completion with a choice")
    report = _report(completion)
    usage = completion.usage
    choices = completion.choices
    return Reply(
        texts=tuple(_text(choice.message) for choice in choices),
        prompt_tokens=usage.prompt_tokens if usage else 0,
        generated_tokens=usage.completion_tokens if usage else 0,
        training_tokens=report.tokens.training if report else 0,
        seconds=seconds,
        samples=report.samples.started if report else len(choices),
        fallback=report.reason if report else None,
        retried=attempt,
        first_sample=report.first_sample if report else None,
    )


def _report(completion: ChatCompletion) -> Report | None:
    found = (completion.model_extra or {}).get("adaptation")
    try:
        return Report.model_validate(found) if found else None
    except (ValueError, AdaptationError):
        return None  # another server's field of the same name


def _text(message: ChatCompletionMessage) -> str:
    """What was replied: the text, or the tools that are called, as JSON."""
    calls = [
        {"name": call.function.name, "arguments": _parsed(call.function.arguments)}
        for call in message.tool_calls or ()
        if call.type == "function"
    ]
    text = json.dumps(calls if len(calls) > 1 else calls[0]) if calls else message.content or ""
    return text.encode(errors="replace").decode()  # half a surrogate pair cannot be kept


def _parsed(arguments: str) -> Any:
    try:
        return json.loads(arguments)
    except ValueError:
        return arguments
