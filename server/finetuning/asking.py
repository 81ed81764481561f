"""Whom the grader of a job asks about a model: the server that began the job, in its tenant's name.

The server may end while the job is under way: then the job waits for whoever goes on with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import httpx

from adaptation.grading.errors import Fault, GradingError
from adaptation.grading.judge import Asking
from server.evals.asking import Door
from server.http.request_body import Body
from server.jobs.work import Stopped, Work

URL = "http://whet"
"""Stands for the server that began the job, which is not reached by an address."""
TIMEOUT_S = 600.0
"""For one reply: the engine serves others first."""


def asking(work: Work) -> Asking:
    """Return who answers for models."""
    if work.asks is None:
        return Nobody()
    client = httpx.AsyncClient(transport=work.asks, base_url=URL, timeout=TIMEOUT_S)

    async def post(tenant: str, path: str, body: Body) -> httpx.Response:
        sent = {"content-type": "application/json"}
        try:
            return await client.post(path, content=body.text, headers=sent)
        except httpx.TimeoutException as error:
            told = f"the model gave no answer in {TIMEOUT_S:.0f} s"
            raise GradingError(Fault.MODEL_SERVER, told) from error
        except httpx.TransportError as error:
            raise Stopped from error

    return Door(post, work.job.tenant, work.memory.embedder.id.partition("@")[0])


class Nobody:
    """Stands for the server of a job that no server began: it answers nothing."""

    async def chat(self, body: dict[str, Any]) -> dict[str, Any]:
        """Refuse."""
        raise GradingError(Fault.MODEL_SERVER, "no server began this job that could be asked")

    async def embeddings(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """Refuse."""
        raise GradingError(Fault.MODEL_SERVER, "no server began this job that could be asked")
