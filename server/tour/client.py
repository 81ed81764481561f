"""A server as its users see it: the official `openai` client, and Whet's own routes beside it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from adaptation.evaluation.questions import answer_in
from adaptation.report import Report
from server.asking.target import key_of
from whet.client import Whet

TIMEOUT_S = 120.0
MAX_TOKENS = 256
"""Twice the longest worked solution; bounds a sample that never ends."""
TEMPERATURE = 0.8
"""Temperature of votes and of single samples, so that both are drawn from one distribution."""


@dataclass(frozen=True)
class Reply:
    """One response: its texts (one for each choice) and its report."""

    id: str
    texts: tuple[str, ...]
    report: Report
    completion_tokens: int
    seconds: float

    @property
    def answer(self) -> str | None:
        """The voted answer; of a single sample, what its text says."""
        return self.report.answer or answer_in(self.texts[0])


class Client:
    """Asks one server."""

    def __init__(self, url: str) -> None:
        whet = Whet(url, api_key=key_of(), timeout=TIMEOUT_S, max_retries=0)
        self.openai, self.model = whet.openai, whet.first_model()
        key = {"authorization": f"Bearer {self.openai.api_key}"}
        self.http = httpx.Client(base_url=url, headers=key, timeout=TIMEOUT_S)

    def ask(
        self, question: str, *, n: int = 1, temperature: float = TEMPERATURE, **adaptation: Any
    ) -> Reply:
        """Ask one question; `adaptation` is the request's object of that name.

        `temperature` is that of single samples and of votes alike; 0 is for single ones.
        """
        voted = {"temperature": temperature} if temperature else {}
        started = time.perf_counter()
        response = self.openai.chat.completions.create(
            model=self.model,
            messages=[{"role": "user", "content": question}],
            n=n,
            temperature=temperature,
            max_tokens=MAX_TOKENS,
            extra_body={"adaptation": {**voted, **adaptation}},
        )
        extra, usage = response.model_extra or {}, response.usage
        return Reply(
            id=response.id,
            texts=tuple(choice.message.content or "" for choice in response.choices),
            report=Report.model_validate(extra["adaptation"]),
            completion_tokens=usage.completion_tokens if usage else 0,
            seconds=time.perf_counter() - started,
        )

    def close(self) -> None:
        """Let go of the connections."""
        self.openai.close()
        self.http.close()

    def get(self, path: str) -> dict[str, Any]:
        """Read one of Whet's own routes."""
        return _body(self.http.get(path))

    def post(self, path: str, body: Mapping[str, Any] | str) -> dict[str, Any]:
        """Write to one of Whet's own routes: an object as JSON, a text as it is."""
        sent = {"content": body} if isinstance(body, str) else {"json": body}
        return _body(self.http.post(path, **sent))


def _body(response: httpx.Response) -> dict[str, Any]:
    response.raise_for_status()
    found: dict[str, Any] = response.json()
    return found
