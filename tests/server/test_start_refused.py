"""What keeps a server from starting is said in one line, before the engine is loaded."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

Starts = Callable[..., subprocess.CompletedProcess[str]]
ROOT = Path(__file__).parents[2]


ONE_IMPORT = """
import os, sys, server.app, server.engine.launch
from server.cli import main
for line in sys.stdin:
    if (child := os.fork()) == 0:
        os.dup2(os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
        status = 70  # of what is no answer of ours
        try:
            status = main(line.rstrip().split("\\t"))
        finally:
            sys.stderr.flush()
            os._exit(status)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
os._exit(0)
"""
"""Starts of `whet` with the words of each line, one after the other: vLLM is imported once."""


@pytest.fixture(scope="module")
def starts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Starts]:
    said = tmp_path_factory.mktemp("starts") / "stderr"
    with subprocess.Popen(
        [sys.executable, "-c", ONE_IMPORT, str(said)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as process:

        def start_in_vain(*flags: str) -> subprocess.CompletedProcess[str]:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write("\t".join(("serve", *flags)) + "\n")
            process.stdin.flush()
            status = int(process.stdout.readline())
            return subprocess.CompletedProcess(flags, status, "", said.read_text())

        yield start_in_vain


def complaint(done: subprocess.CompletedProcess[str]) -> str:
    """Our own last line; vLLM may warn above it."""
    assert done.returncode in (1, 2)
    assert "Traceback" not in done.stderr
    return done.stderr.strip().splitlines()[-1]


def test_a_model_path_that_does_not_exist_is_named(starts: Starts, tmp_path: Path) -> None:
    done = starts(str(tmp_path / "no-model"), "--data-dir", str(tmp_path))
    assert f"no model at {tmp_path / 'no-model'}" in complaint(done)


def test_a_port_in_use_is_named(starts: Starts, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = starts("--port", port, "--data-dir", str(tmp_path))
    assert f"127.0.0.1:{port}" in complaint(done)


def test_a_misspelt_flag_or_setting_is_not_ignored(starts: Starts, tmp_path: Path) -> None:
    assert "--stratgy" in complaint(starts("--stratgy", "auto"))
    (tmp_path / "whet.toml").write_text("strategie = 'auto'")
    done = starts("--config", str(tmp_path / "whet.toml"))
    assert "did you mean `strategy`" in complaint(done)


def test_a_data_directory_that_cannot_be_written_is_named(starts: Starts, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    assert str(tmp_path / "file") in complaint(starts("--data-dir", str(tmp_path / "file")))


def test_a_device_that_is_unknown_or_not_there_is_refused(starts: Starts, tmp_path: Path) -> None:
    told = complaint(starts("--trainer-device", "gpu", "--data-dir", str(tmp_path)))
    assert "trainer_device = 'gpu'" in told.replace("--trainer-device: ", "")
    assert "none of auto, cpu, cuda and cuda:N" in told
    done = starts("--trainer-device", "cuda:99", "--data-dir", str(tmp_path))
    assert "trainer_device = cuda:99: torch sees no such accelerator" in complaint(done)


@pytest.mark.skipif(torch.cuda.is_available(), reason="CUDA draws drafted tokens rightly")
def test_speculation_is_refused_where_votes_would_come_out_wrong(
    starts: Starts, tmp_path: Path
) -> None:
    drafts = '{"method": "ngram", "num_speculative_tokens": 3, "prompt_lookup_max": 4}'
    for flags in (("--speculative-config", drafts), ("--spec-method", "ngram")):
        done = starts(*flags, "--data-dir", str(tmp_path))
        assert f"serve without {flags[0]} on a CPU" in complaint(done)


def test_a_folder_that_is_no_reward_model_is_named(starts: Starts, tmp_path: Path) -> None:
    done = starts("--reward-model", str(tmp_path), "--data-dir", str(tmp_path / "data"))
    assert f"reward_model = {tmp_path}: its config.json cannot be read" in complaint(done)
