"""What the front door knows of a request, and how it is handed down to the engine client.

Everything here goes down only. What comes back, comes back with the engine client's outputs.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.types import Scope

from adaptation.options import Options
from adaptation.report import Report
from adaptation.types import Abandoned, Notify, Query
from adaptation.verifiers import Verifier
from memory.types import Message, question_of
from server.adapters.serving import Serving
from server.requests.earlier_turns import Earlier

PROMPTS_AT_ONCE = 16
"""Prompts of one request at work at once: those of one round hold the event loop up together."""
CHAT, COMPLETIONS, RESPONSES = "/v1/chat/completions", "/v1/completions", "/v1/responses"
ARRIVAL = "whet.arrival"
"""The key of a connection's scope under which its `Arrival` stands."""


def route_path(scope: Scope) -> str:
    """Return the path that Starlette routes by: without `--root-path`, where a proxy keeps it."""
    path, root = str(scope["path"]), scope.get("root_path", "")
    rest = path.removeprefix(root)
    return rest if rest.startswith("/") else path


@dataclass(frozen=True)
class RequestContext:
    """One HTTP request that may be adapted."""

    tenant: str
    options: Options
    conversations: tuple[tuple[Message, ...], ...]
    """Conversations, one for each prompt: chat has one, completions may have several."""
    model: str | None = None
    """The fine-tuned model that is asked for; None: what the tenant is served with."""
    asked: bool = False
    """Whether the request itself asked for adaptation, or the server's default applies."""
    has_tools: bool = False
    refuses_tools: bool = False
    """Whether the client itself refuses tools; vLLM says so for every client that sends none."""
    json_output: bool = False
    form: str | None = None
    """The key of the body that asks for a form of the output."""
    request: Mapping[str, object] = field(default_factory=dict)
    """Keys of the body, besides the messages, that make the prompt."""
    verifiers: tuple[Verifier, ...] = ()
    can_be_reworded: bool = False
    effort: str | None = None
    """The effort that chose strategy and samples; None where the request chose them itself."""
    end_user: str | None = None
    """The client's name for the user, among the tenant's own, who asks."""
    metadata: Mapping[str, str] | None = None
    """What the client notes with its request."""
    route: str = CHAT
    opens_late: bool = True
    """Whether a stream says nothing before the engine's first output, and may say it earlier."""
    deadline: float = math.inf
    """Monotonic seconds."""
    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(PROMPTS_AT_ONCE))
    """Turns of the prompts at work; the others wait."""

    @property
    def is_single(self) -> bool:
        """Whether the request holds one prompt."""
        return len(self.conversations) == 1

    def index_of(self, request_id: str) -> int:
        """Return which prompt a `generate` call is for: vLLM appends its number to the id."""
        return 0 if self.is_single else int(request_id.rpartition("-")[2])

    def completion_id(self, request_id: str) -> str:
        """Return the id the client sees, where there is one prompt only."""
        if request_id.startswith("resp_"):
            return request_id.rpartition("_")[0]
        is_completion = request_id.startswith("cmpl-")
        return request_id.removesuffix("-0") if is_completion and self.is_single else request_id


@dataclass
class Arrival:
    """A request as it came in, for the handler that answers it."""

    body: dict[str, Any]
    """JSON of the body, parsed, without Whet's own keys."""
    context: RequestContext | None
    """Context of the request; None where vLLM alone answers it."""
    earlier: Earlier = field(default_factory=Earlier)
    """What a response goes on from."""
    asked: Any = ()
    """Input as the client sent it: vLLM puts models of its own into the body."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """What the handler wants to be sent with the start of its answer."""


@dataclass(frozen=True)
class Asked:
    """One prompt of a request, as the engine client is asked to answer it."""

    context: RequestContext
    request_id: str
    """vLLM's id for one call of the engine."""
    earlier: Report | None = None
    """Report of an earlier turn of the same prompt, where tools are run in between."""
    notify: Notify | None = None
    """Called with every sample that is counted."""

    @property
    def index(self) -> int:
        """Which of the request's prompts it is."""
        return self.context.index_of(self.request_id)

    @property
    def question(self) -> str:
        """The prompt's last user turn."""
        return question_of(self.context.conversations[self.index])

    def query(
        self,
        engine_request: object,
        serving: Serving,
        choices: int = 1,
        seed: int | None = None,
        abandoned: Abandoned | None = None,
        terms: str = "",
        *,
        is_bent: bool = False,
    ) -> Query:
        """Return the prompt as the pipeline sees it."""
        context = self.context
        return Query(
            id=context.completion_id(self.request_id),
            tenant=context.tenant,
            messages=context.conversations[self.index],
            engine_request=engine_request,
            options=context.options,
            base=serving.base,
            scope=serving.scope,
            release=serving.release,
            deadline=context.deadline,
            choices=choices,
            seed=seed,
            has_tools=context.has_tools,
            json_output=context.json_output,
            request=context.request,
            terms=terms,
            is_bent=is_bent,
            verifiers=context.verifiers,
            can_be_reworded=context.can_be_reworded,
            effort=context.effort,
            end_user=context.end_user,
            metadata=context.metadata,
            notify=self.notify,
            abandoned=abandoned,
        )
