"""What the front door knows of a request, carried to the engine client through vLLM's handlers."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field

from starlette.types import Scope

from adaptation.options import Options
from adaptation.report import AnswerCount, Report
from adaptation.types import Abandoned, Adapter, Query
from adaptation.verifiers import Verifier
from memory.types import Message

PROMPTS_AT_ONCE = 16
"""Of one request: all that go on in one round of the event loop hold it up together."""
CHAT, COMPLETIONS, RESPONSES = "/v1/chat/completions", "/v1/completions", "/v1/responses"


def route_path(scope: Scope) -> str:
    """Return the path that Starlette routes by: without `--root-path`, where a proxy keeps it."""
    path, root = str(scope["path"]), scope.get("root_path", "")
    rest = path.removeprefix(root)
    return rest if rest.startswith("/") else path


@dataclass
class RequestContext:
    """One HTTP request that may be adapted."""

    tenant: str
    options: Options
    conversations: tuple[tuple[Message, ...], ...]
    """One for each prompt: chat has one, completions may have several."""
    asked: bool = False
    """Whether the request itself asked for adaptation, or the server's default applies."""
    choices: int = 1
    """OpenAI's `n`, as vLLM understood it; read when its handler calls `generate`."""
    seed: int | None = None
    has_tools: bool = False
    json_output: bool = False
    form: str | None = None
    """The key of the body that asks for a form of the output."""
    request: Mapping[str, object] = field(default_factory=dict)
    """What of the body besides the messages makes the prompt."""
    verifiers: tuple[Verifier, ...] = ()
    can_be_reworded: bool = False
    effort: str | None = None
    """The effort that chose strategy and samples, where the request asked for no other."""
    route: str = CHAT
    opens_late: bool = True
    """Whether a stream says nothing before the engine's first output, and may say it earlier."""
    deadline: float = math.inf
    """Monotonic seconds."""
    shown_as: Mapping[str, object] = field(default_factory=dict)
    """Object, creation time and model, as the response's chunks have them."""
    id: str = ""
    """The completion's id, once vLLM has made it."""
    progress: asyncio.Queue[tuple[AnswerCount, ...]] | None = None
    """The votes after every sample, where the client wants to see them come in."""
    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(PROMPTS_AT_ONCE))
    """A turn for each prompt at work; the others wait."""
    recited: int = 0
    """Tokens of the response that were served from memory, and that vLLM's handler counts."""
    reports: dict[int, Report] = field(default_factory=dict)
    """Prompt index → what came of it; filled before the last output is handed to vLLM."""

    def index_of(self, request_id: str) -> int:
        """Return which prompt a `generate` call is for: vLLM appends its number to the id."""
        if self.is_single:
            return 0
        return int(request_id.rpartition("-")[2])

    def query(
        self,
        request_id: str,
        index: int,
        engine_request: object,
        base: Adapter | None,
        abandoned: Abandoned | None = None,
        terms: str = "",
    ) -> Query:
        """Return prompt number `index` as the pipeline sees it."""
        self.id = self.completion_id(request_id)
        return Query(
            id=self.id,
            tenant=self.tenant,
            messages=self.conversations[index],
            engine_request=engine_request,
            options=self.options,
            base=base,
            deadline=self.deadline,
            choices=self.choices,
            seed=self.seed,
            has_tools=self.has_tools,
            json_output=self.json_output,
            request=self.request,
            terms=terms,
            verifiers=self.verifiers,
            can_be_reworded=self.can_be_reworded,
            effort=self.effort,
            notify=self.progress.put_nowait if self.progress else None,
            abandoned=abandoned,
        )

    @property
    def public_id(self) -> str:
        """The id the client sees; several prompts share one. Empty until vLLM has made it."""
        return self.id if self.is_single else self.id.rpartition("-")[0]

    def completion_id(self, request_id: str) -> str:
        """Return the id the client sees, where there is one prompt only."""
        if request_id.startswith("resp_"):
            return request_id.rpartition("_")[0]
        is_completion = request_id.startswith("cmpl-")
        return request_id.removesuffix("-0") if is_completion and self.is_single else request_id

    @property
    def is_single(self) -> bool:
        """Whether the request holds one prompt."""
        return len(self.conversations) == 1


CURRENT: ContextVar[RequestContext | None] = ContextVar("whet_request", default=None)
"""Set by the middleware; read when vLLM's handler calls `generate()`, in the same context."""
