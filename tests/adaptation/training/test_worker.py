import subprocess
import sys
from pathlib import Path

from adaptation.conversation import spoken
from adaptation.learning.training.messages import REPLY, Done, Failed, Generate, Ready, Step
from memory.types import Message
from tests.adaptation.training.working import LIGHT_WORKER


def run_worker(model: Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    arguments = [
        "-m",
        "adaptation.learning.training.worker",
        "--model",
        str(model),
        "--device",
        "cpu",
    ]
    command = [sys.executable, *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)


def test_the_worker_ends_with_its_stdin(tiny_model: Path) -> None:
    assert run_worker(tiny_model).returncode == 0


def test_a_process_that_can_hear_no_more_requests_ends() -> None:
    command = [sys.executable, "-m", LIGHT_WORKER]
    ended = subprocess.run(
        command, input="no request\n", capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    assert "ValidationError" in ended.stderr


def test_a_model_that_cannot_be_loaded_is_reported_on_the_wire(tmp_path: Path) -> None:
    arguments = ["-m", "adaptation.learning.training.worker", "--model", str(tmp_path / "none")]
    with subprocess.Popen(
        [sys.executable, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as worker:
        assert worker.stdout is not None
        reply = REPLY.validate_json(worker.stdout.readline())
        assert worker.wait() == 1
    assert isinstance(reply, Failed)
    assert reply.id is None


def test_the_wire_holds_replies_and_nothing_else(tiny_model: Path) -> None:
    question = spoken(Message(role="user", content="lamp 3 5?"))
    asks = [
        Generate(id=2, conversations=(question,), adapter=None, max_new_tokens=2),
        Generate(id=3, conversations=(question,), adapter="missing", max_new_tokens=2),
        Generate(id=4, conversations=(question,), adapter=None, max_new_tokens=2),
    ]
    arguments = [
        "-m",
        "adaptation.learning.training.worker",
        "--model",
        str(tiny_model),
        "--device",
        "cpu",
    ]
    with subprocess.Popen(
        [sys.executable, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as worker:
        assert worker.stdin is not None
        assert worker.stdout is not None
        worker.stdin.writelines(ask.model_dump_json() + "\n" for ask in asks)
        worker.stdin.flush()
        replies = [REPLY.validate_json(worker.stdout.readline()) for _ in range(6)]
    assert [type(reply) for reply in replies] == [Ready, Step, Done, Failed, Step, Done]
