"""lm-evaluation-harness, unmodified, against a real server: `lm_eval` as its users call it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from loadtests.environment import NotInstalledError
from tests.e2e.apart import interpreter
from tests.e2e.running import Running, wait_until

TASK_FOLDER = Path(__file__).parents[2] / "examples" / "lm_eval"
TASK = "whet_stories"
QUESTIONS = len((TASK_FOLDER / f"{TASK}.jsonl").read_text().splitlines())


@pytest.fixture(scope="module")
def lm_eval() -> Path:
    """The command, in an environment of its own.

    Beside our packages it would bring `datasets`, which sentence-transformers imports where it
    finds it: the server that is tested would no longer be the one that users install.
    """
    try:
        return interpreter("lm_eval").with_name("lm_eval")
    except NotInstalledError as error:
        pytest.skip(f"it cannot be installed here: {error}")


def evaluated(lm_eval: Path, url: str, out: Path) -> dict[str, Any]:
    """Run the task, which lies beside its data, and return what the harness wrote."""
    command = [
        str(lm_eval), "--model", "local-chat-completions",
        "--model_args", f"base_url={url}/v1/chat/completions,model=whet-pebble",
        "--include_path", ".", "--tasks", TASK,
        "--apply_chat_template", "--output_path", str(out / "out.json"),
    ]  # fmt: skip
    environment = {**os.environ, "HF_HOME": str(out / "cache"), "HF_HUB_OFFLINE": "1"}
    run = subprocess.run(
        command, cwd=TASK_FOLDER, env=environment,
        capture_output=True, text=True, timeout=400, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr[-4000:]
    written = next(out.glob("out_*.json"))  # the harness puts the time into the name
    results: dict[str, Any] = json.loads(written.read_text())
    return results


def test_the_harness_runs_unmodified_and_finds_most_answers_right(
    server: Running, lm_eval: Path, tmp_path: Path
) -> None:
    before = server.metric("whet_requests_total")
    results = evaluated(lm_eval, server.url, tmp_path)
    assert results["n-samples"][TASK] == {"original": QUESTIONS, "effective": QUESTIONS}
    assert results["results"][TASK]["exact_match,marked"] >= 0.75
    wait_until(lambda: server.metric("whet_requests_total") - before == QUESTIONS, 10, "the metric")
