"""Who votes, and how each is asked one question: a text in, the chosen text out."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openai import OpenAI
from rich.console import Console

from loadtests.environment import python_with
from memory.identity.answers.options import AnswerOptions
from memory.identity.answers.plurality import leader
from server.server_process import Launch, Server, running

MODEL = "whet-pebble"
VOTES, TEMPERATURE, MAX_TOKENS = 16, 1.0, 512
TIMEOUT_S = 300.0
OPTILLM = ("torch==2.13.0", "optillm==0.4.0")
ITS_HUB = ("its_hub[lm]==1.2.0",)

Ask = Callable[[str], str]
"""A question in, the text of the answer out."""
Opened = AbstractContextManager[Ask]


class PeerError(Exception):
    """A peer does not do what it is asked; the message says which and how."""


@dataclass(frozen=True)
class System:
    """One way to vote, in front of vLLM with the built-in model."""

    name: str
    open: Callable[[Server, Console], Opened]
    whet_flags: tuple[str, ...] | None = None
    """Of the server that is asked; None: bare vLLM."""
    is_calibrated: bool = False
    """Whether `whet eval --calibrate` has told that server when one sample is enough."""


@contextmanager
def one_sample(server: Server, console: Console) -> Iterator[Ask]:
    """One sample of bare vLLM."""
    del console
    yield _asking(server.url, MODEL, lambda texts: texts[0])


@contextmanager
def plurality(server: Server, console: Console) -> Iterator[Ask]:
    """All samples in one request to bare vLLM; the client counts, with Whet's own reading."""
    del console
    yield _asking(server.url, MODEL, lambda texts: texts[leader(texts, AnswerOptions())], n=VOTES)


@contextmanager
def consistency(server: Server, console: Console) -> Iterator[Ask]:
    """Whet's `consistency`, which remembers votes and learns from them as it goes."""
    del console
    options = {"strategy": "consistency", "max_samples": VOTES, "temperature": TEMPERATURE}
    yield _asking(server.url, MODEL, lambda texts: texts[0], extra_body={"adaptation": options})


def optillm(approach: str) -> Callable[[Server, Console], Opened]:
    """OptiLLM's proxy in front of bare vLLM, its approach named in the model's name."""

    @contextmanager
    def opened(server: Server, console: Console) -> Iterator[Ask]:
        with console.status("OptiLLM: installed apart, which takes minutes the first time"):
            python = python_with("optillm", *OPTILLM)
        launch = Launch("optillm", ("optillm.server",), "/health", python=str(python))
        environment = {"OPENAI_API_KEY": "none"}
        flags = ("--base-url", f"{server.url}/v1")
        with running(launch, console, *flags, environment=environment) as proxy:
            yield _asking(proxy.url, f"{approach}-{MODEL}", lambda texts: texts[0])

    return opened


@contextmanager
def its_hub_beta(server: Server, console: Console) -> Iterator[Ask]:
    """its_hub's Beta self-consistency in a process of its own, in front of bare vLLM."""
    with console.status("its_hub: installed apart the first time"):
        python = python_with("its_hub", *ITS_HUB)
    words = [f"{server.url}/v1", MODEL, VOTES, TEMPERATURE, MAX_TOKENS]
    process = subprocess.Popen(
        [str(python), str(Path(__file__).with_name("its_hub_beta.py")), *map(str, words)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    pipe, replies = process.stdin, process.stdout

    def ask(question: str) -> str:
        pipe.write(json.dumps(question) + "\n")
        pipe.flush()
        line = replies.readline()
        if not line:
            raise PeerError(f"its_hub ended with status {process.wait()}")
        return str(json.loads(line))

    try:
        yield ask
    finally:
        process.kill()
        process.communicate()


SYSTEMS = (
    System("one sample", one_sample),
    System("16 votes, by the client", plurality),
    System("OptiLLM self_consistency", optillm("self_consistency")),
    System("OptiLLM majority_voting", optillm("majority_voting")),
    System("its_hub Beta", its_hub_beta),
    *(
        System(f"Whet {rule}", consistency, ("--stopping-rule", rule))
        for rule in ("fixed", "certain", "esc", "beta", "bayesian")
    ),
    System("Whet bayesian, one-sample exit", consistency, (), is_calibrated=True),
)


def _asking(url: str, model: str, choose: Callable[[list[str]], str], **more: Any) -> Ask:
    client = OpenAI(base_url=f"{url}/v1", api_key="none", timeout=TIMEOUT_S, max_retries=0)

    def ask(question: str) -> str:
        response = client.chat.completions.create(
            model=model,
            messages=[{"role": "user", "content": question}],
            temperature=TEMPERATURE,
            max_tokens=MAX_TOKENS,
            **more,
        )
        return choose([choice.message.content or "" for choice in response.choices])

    return ask
