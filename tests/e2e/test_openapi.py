"""Whatever a client may send by our own OpenAPI document, the answer is never a 5xx."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from loadtests.environment import NotInstalledError
from tests.e2e.apart import interpreter
from tests.e2e.running import Running, serving

OURS = (
    r"^/(v1/(models|embeddings|feedback|memory|adapters|files|batches|conversations)"
    r"|ready|health|metrics)"
)
OFFLINE = r"^/v1/(jobs|fine_tuning|evals|ledger|trace|reports|admin)"
"""A few examples: what more of them reach are jobs to be done."""
GENERATION = r"^/(v1/(responses|chat/completions$|completions$)|tokenize|detokenize)"
"""Of vLLM's own routes for development nothing is promised."""
RUNS = {
    OURS: ("examples,coverage,fuzzing", "10"),
    OFFLINE: ("fuzzing", "4"),
    GENERATION: ("fuzzing", "12"),
}
"""Phases, and examples of each operation: the bodies of generation have some hundred fields."""
KEY = "the-operators"
"""Without one from the start, the first key that is made here would end the test's own access."""


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server of these tests' own: what is sent here changes its memory."""
    folder = tmp_path_factory.mktemp("fresh")
    flags = ("--limit-wall-s", "1", "--api-key", KEY)
    with serving(folder / "data", folder / "server.log", *flags) as running:
        yield running


@pytest.mark.parametrize("routes", RUNS)
def test_no_request_by_the_document_is_answered_with_a_server_error(
    routes: str, fresh: Running
) -> None:
    phases, examples = RUNS[routes]
    try:
        python = interpreter("schemathesis")
    except NotInstalledError as error:
        pytest.skip(f"it cannot be installed here: {error}")
    # One worker: where two parse Python sources at once, CPython 3.11.7 now and then ends one with
    # a SystemError of its `ast`, and the run with it.
    command = [
        str(python.with_name("schemathesis")), "run", f"{fresh.url}/openapi.json",
        "--header", f"authorization: Bearer {KEY}",
        "--checks", "not_a_server_error", "--include-path-regex", routes,
        "--phases", phases, "--max-examples", examples, "--seed", "1",
        "--request-timeout", "60", "--workers", "1", "--suppress-health-check", "all",
        "--warnings", "off", "--continue-on-failure",
    ]  # fmt: skip
    ended = subprocess.run(
        command, capture_output=True, text=True, timeout=540, check=False,
        cwd=fresh.log.parent,  # it leaves a folder behind
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout[-6000:] + ended.stderr[-1000:]
    assert fresh.get("/ready").status_code == 200
