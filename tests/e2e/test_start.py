"""What keeps a server from starting is said in one line, before the engine is loaded."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.e2e.running import Running


def start_in_vain(*flags: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "server.cli", "serve", *flags]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def complaint(done: subprocess.CompletedProcess[str]) -> str:
    """Our own last line; vLLM may warn above it."""
    assert done.returncode in (1, 2)
    assert "Traceback" not in done.stderr
    return done.stderr.strip().splitlines()[-1]


def test_a_model_path_that_does_not_exist_is_named(tmp_path: Path) -> None:
    done = start_in_vain(str(tmp_path / "no-model"), "--data-dir", str(tmp_path))
    assert f"no model at {tmp_path / 'no-model'}" in complaint(done)


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = start_in_vain("--port", port, "--data-dir", str(tmp_path))
    assert f"127.0.0.1:{port}" in complaint(done)


def test_a_misspelt_flag_or_setting_is_not_ignored(tmp_path: Path) -> None:
    assert "--stratgy" in complaint(start_in_vain("--stratgy", "auto"))
    (tmp_path / "whet.toml").write_text("strategie = 'auto'")
    done = start_in_vain("--config", str(tmp_path / "whet.toml"))
    assert "did you mean `strategy`" in complaint(done)


def test_a_data_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    assert str(tmp_path / "file") in complaint(start_in_vain("--data-dir", str(tmp_path / "file")))


@pytest.mark.skipif(torch.cuda.is_available(), reason="CUDA draws drafted tokens rightly")
def test_speculation_is_refused_where_votes_would_come_out_wrong(tmp_path: Path) -> None:
    drafts = '{"method": "ngram", "num_speculative_tokens": 3, "prompt_lookup_max": 4}'
    for flags in (("--speculative-config", drafts), ("--spec-method", "ngram")):
        done = start_in_vain(*flags, "--data-dir", str(tmp_path))
        assert f"serve without {flags[0]} on a CPU" in complaint(done)


def test_health_docs_and_metrics_answer(server: Running) -> None:
    assert server.get("/health").status_code == 200
    assert server.get("/docs").status_code == 200
    routes = server.get("/openapi.json").json()["paths"]
    assert {"/v1/chat/completions", "/v1/responses", "/tokenize", "/v1/feedback"} <= set(routes)
    assert "vllm:num_requests_running" in server.get("/metrics").text
