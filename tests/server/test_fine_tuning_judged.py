"""dpo and reinforcement as OpenAI's jobs; TRL itself is tried end to end."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from tokenizers import Tokenizer

from adaptation.errors import TrainerError
from adaptation.learning.preference import messages
from adaptation.learning.training.fake import FakeTrainer, write_zeros
from adaptation.pebble import model_path
from memory.embedding.embedder import create_embedder
from memory.history.files import NewFile
from memory.memory import LongTermMemory
from memory.offline.job import Job, JobKind, JobStatus, NewJob
from server.config import Settings
from server.finetuning import judged
from server.finetuning.forms import FineTuneRequest
from server.finetuning.objects import checkpoint_objects, job_object
from server.jobs.bridge import GONE, BridgeTransport, answer
from server.jobs.folders import folder_of
from server.jobs.kinds import fine_tune
from server.jobs.performing import perform
from server.jobs.work import Work
from server.routes import fine_tuning
from tests.server.composed import Composed, Reply, Script, composed

NAME = "ft:whet-pebble:whet:judged:abc123"
GRADER = {
    "type": "string_check",
    "name": "same",
    "operation": "eq",
    "input": "{{ sample.output_text }}",
    "reference": "{{ item.answer }}",
}

GOOD = [{"role": "user", "content": "Is {{ sample.output_text }} {{ item.answer }}?"}]
SCORED = {"type": "score_model", "name": "score", "model": "whet-pebble", "input": GOOD}
LABELLED = {
    "type": "label_model",
    "name": "label",
    "model": "whet-pebble",
    "input": GOOD,
    "labels": ["good", "bad"],
    "passing_labels": ["good"],
}
LIKE = {
    "type": "text_similarity",
    "name": "like",
    "input": "{{ sample.output_text }}",
    "reference": "{{ item.answer }}",
    "evaluation_metric": "cosine",
}


def pair(i: int) -> dict[str, Any]:
    def said(text: str) -> list[dict[str, str]]:
        return [{"role": "assistant", "content": text}]

    asked = {"messages": [{"role": "user", "content": f"Is {i} prime?"}]}
    return {
        "input": asked,
        "preferred_output": said("I cannot say."),
        "non_preferred_output": said(f"{i} is prime."),
    }


def graded(i: int) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": f"{i} + 2?"}], "answer": str(i + 2)}


def lines(make: Any, n: int = 12) -> bytes:
    return "\n".join(json.dumps(make(i)) for i in range(n)).encode()


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[LongTermMemory]:
    opened = LongTermMemory.open(tmp_path / "data", create_embedder("hashing"))
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def paper(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fine_tune, "make_trainer", lambda *_: FakeTrainer())


def begun(memory: LongTermMemory, content: bytes, **asked: Any) -> Work:
    new = NewFile(tenant="ann", name="train.jsonl", purpose="fine-tune")
    given = {
        "model": "whet-pebble",
        "folder": str(model_path()),
        "base": "whet-pebble",
        "template": {},
        "max_model_len": 512,
        "training_file": memory.files.create(new, [content]).id,
        "validation_file": None,
        "suffix": "judged",
        "seed": 7,
        "metadata": None,
        "name": NAME,
    }
    request = FineTuneRequest.model_validate({**given, **asked}).model_dump(mode="json")
    memory.jobs.create(
        NewJob(tenant="ann", kind=JobKind.FINE_TUNE, request=request, id="ftjob-abc123"), 10
    )
    job = memory.jobs.take("ann", "ftjob-abc123", "one")
    settings = Settings(data_dir=memory.data_dir)
    return Work(job, memory, settings, folder_of(memory.data_dir, job.id), "one")


def now(memory: LongTermMemory) -> Job:
    return memory.jobs.get("ann", "ftjob-abc123")


def adapter(order: Any, step: int) -> messages.Checkpoint:
    """Write what TRL's process writes after an epoch."""
    folder = Path(order.folder) / f"adapter-{step}"
    folder.mkdir(parents=True, exist_ok=True)
    write_zeros(folder, 16)
    return messages.Checkpoint(step=step, folder=folder)


def trained(order: Any, last: messages.Checkpoint, resolved: Any) -> messages.Trained:
    return messages.Trained(
        folder=last.folder,
        steps=last.step,
        tokens=100,
        parameters=1,
        hyperparameters=resolved,
        learning_rate=1e-4,
    )


async def test_preferences_become_a_model_with_checkpoints(
    memory: LongTermMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders = []

    async def dpo(order: Any, on_metrics: Any, on_checkpoint: Any) -> messages.Trained:
        orders.append(order)
        for step in (3, 6):
            on_metrics(step, 6, {"loss": 1 / step, "rewards/margins": 0.5})
            last = adapter(order, step)
            on_checkpoint(last)
        return trained(order, last, order.hyperparameters.resolved(12))

    monkeypatch.setattr(judged, "dpo", dpo)
    work = begun(memory, lines(pair), method="dpo", hyperparameters={"beta": 0.2})
    assert await perform(work, fine_tune.run) is JobStatus.SUCCEEDED, now(memory).error
    (order,) = orders
    assert len(order.pairs) == 12
    assert (order.hyperparameters.beta, order.seed, order.most_tokens) == (0.2, 7, 512)
    shown = job_object(now(memory))
    assert shown["fine_tuned_model"] == NAME
    assert shown["hyperparameters"] == {}
    assert shown["method"]["type"] == "dpo"
    assert shown["method"]["dpo"]["hyperparameters"]["n_epochs"] >= 1
    assert shown["trained_tokens"] == 100
    found = checkpoint_objects(now(memory))
    assert [each["step_number"] for each in found] == [6, 3]
    assert found[0]["metrics"]["train_loss"] == pytest.approx(1 / 6)
    assert set(memory.models.list("ann")) == {
        NAME,
        f"{NAME}:ckpt-step-3",
        f"{NAME}:ckpt-step-6",
    }
    told = memory.jobs.events("ann", "ftjob-abc123", 100)
    assert any(event.data and event.data.get("rewards/margins") == 0.5 for event in told)


async def test_rewards_are_what_the_grader_gives(
    memory: LongTermMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = []

    async def reinforcement(
        order: Any, grade: Any, on_metrics: Any, on_checkpoint: Any
    ) -> messages.Trained:
        item = order.prompts[5].item
        scores.extend([await grade("7", item), await grade("8", item)])
        last = adapter(order, 4)
        on_checkpoint(last)
        return trained(order, last, order.hyperparameters.resolved(12))

    monkeypatch.setattr(judged, "reinforcement", reinforcement)
    work = begun(
        memory, lines(graded), method="reinforcement", hyperparameters={"eval_samples": 2},
        grader=GRADER,
    )  # fmt: skip
    assert await perform(work, fine_tune.run) is JobStatus.SUCCEEDED, now(memory).error
    assert scores == [1.0, 0.0]
    shown = job_object(now(memory))["method"]
    assert shown["reinforcement"]["grader"] == GRADER
    assert shown["reinforcement"]["hyperparameters"]["eval_samples"] == 2


def scored_by(monkeypatch: pytest.MonkeyPatch, texts: Sequence[str]) -> list[float]:
    """Return the list of what a grader gives some texts, in the place of a training."""
    scores = list[float]()

    async def reinforcement(
        order: Any, grade: Any, on_metrics: Any, on_checkpoint: Any
    ) -> messages.Trained:
        scores.extend([await grade(text, order.prompts[5].item) for text in texts])
        last = adapter(order, 4)
        on_checkpoint(last)
        return trained(order, last, order.hyperparameters.resolved(12))

    monkeypatch.setattr(judged, "reinforcement", reinforcement)
    return scores


def rewarded(memory: LongTermMemory, grader: Any) -> Work:
    more = {"hyperparameters": {"eval_samples": 1}, "grader": grader}
    return begun(memory, lines(graded), method="reinforcement", **more)


def judging() -> Script:
    """Return a model that is asked in JSON whether two numbers are the same."""
    tokenizer = Tokenizer.from_file(str(model_path() / "tokenizer.json"))

    def script(request: Any) -> Reply:
        is_good = "Is 7 7?" in tokenizer.decode(request.prompt_token_ids)
        is_label = "enum" in str(request.sampling_params.structured_outputs.json)
        choices = ("good", "bad") if is_label else (1, 0)
        return Reply(json.dumps({"result": choices[0 if is_good else 1]}))

    return script


def half_of(grader: Any) -> dict[str, Any]:
    """Return a grader that goes by texts for the other half."""
    parts = {"m": grader, "s": GRADER}
    return {"type": "multi", "name": "both", "graders": parts, "calculate_output": "(m + s) / 4"}


@asynccontextmanager
async def way_to(server: Composed) -> AsyncIterator[BridgeTransport]:
    """Ask a server as the process of a job does."""
    ours, theirs = socket.socketpair()
    way = BridgeTransport(theirs)
    async with server.jobs._client_of("default") as client:
        answering = asyncio.create_task(answer(ours, client))
        try:
            yield way
        finally:
            await way.aclose()
            await answering


async def test_a_grader_asks_the_server_that_began_the_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = scored_by(monkeypatch, ("7", "8"))
    async with composed(tmp_path, monkeypatch, judging()) as server, way_to(server) as way:
        for place, grader in enumerate((SCORED, LABELLED, half_of(SCORED), LIKE)):
            folder = tmp_path / f"of-{place}"
            with closing(LongTermMemory.open(folder, create_embedder("hashing"))) as memory:
                work = rewarded(memory, grader)
                work.asks = way
                assert await perform(work, fine_tune.run) is JobStatus.SUCCEEDED, now(memory).error
        assert len(server.core.taken) >= 6
    assert scores[:6] == [1.0, 0.0, 1.0, 0.0, 0.5, 0.0]
    assert scores[6] == pytest.approx(1.0, abs=1e-3)
    assert scores[7] < 0.5


async def test_a_grader_whose_model_nobody_answers_for_fails_the_job_at_once(
    memory: LongTermMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = scored_by(monkeypatch, ("7",))
    assert await perform(rewarded(memory, SCORED), fine_tune.run) is JobStatus.FAILED
    assert "the grader's model cannot be asked: no server began" in (now(memory).error or "")
    assert scores == []


async def test_a_job_waits_for_whoever_goes_on_where_its_server_is_gone(
    memory: LongTermMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError(GONE)

    scores = scored_by(monkeypatch, ("7",))
    work = rewarded(memory, SCORED)
    work.asks = httpx.MockTransport(gone)
    assert await perform(work, fine_tune.run) is JobStatus.QUEUED
    assert scores == []


async def test_an_answer_that_cannot_be_graded_earns_nothing_and_is_told_once(
    memory: LongTermMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = {"choices": [{"message": {"content": "I like it."}, "finish_reason": "stop"}]}
    scores = scored_by(monkeypatch, ("7", "8"))
    work = rewarded(memory, SCORED)
    work.asks = httpx.MockTransport(lambda request: httpx.Response(200, json=said))
    assert await perform(work, fine_tune.run) is JobStatus.SUCCEEDED, now(memory).error
    assert scores == [0.0, 0.0]
    told = [event.message for event in memory.jobs.events("ann", "ftjob-abc123", 100)]
    assert sum("could not be graded, and earns nothing" in each for each in told) == 1


@pytest.mark.parametrize(
    ("method", "content", "said"),
    [
        ("dpo", lines(graded), "line 1"),
        ("dpo", lines(pair, 3), "3 examples"),
        ("reinforcement", lines(pair), "line 1"),
    ],
)
async def test_a_file_of_another_form_is_told_by_line(
    memory: LongTermMemory, method: str, content: bytes, said: str
) -> None:
    hyperparameters = {"beta": "auto"} if method == "dpo" else {"eval_samples": "auto"}
    grader = GRADER if method == "reinforcement" else None
    work = begun(memory, content, method=method, hyperparameters=hyperparameters, grader=grader)
    assert await perform(work, fine_tune.run) is JobStatus.FAILED
    error = job_object(now(memory))["error"]
    assert (error["code"], said in error["message"]) == ("invalid_training_file", True)


async def test_what_ends_the_process_fails_the_job(
    memory: LongTermMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dpo(*given: Any) -> messages.Trained:
        raise TrainerError("pair 3 is longer than 512 tokens")

    monkeypatch.setattr(judged, "dpo", dpo)
    work = begun(memory, lines(pair), method="dpo", hyperparameters={"beta": "auto"})
    assert await perform(work, fine_tune.run) is JobStatus.FAILED
    assert now(memory).error == "pair 3 is longer than 512 tokens"


# Over HTTP.


async def asked(server: Composed, method: dict[str, Any]) -> Any:
    sent = {"file": ("train.jsonl", lines(pair))}
    made = await server.http.post("/v1/files", files=sent, data={"purpose": "fine-tune"})
    given = {"model": "whet-pebble", "training_file": made.json()["id"], "method": method}
    return await server.http.post("/v1/fine_tuning/jobs", json=given)


async def test_a_method_is_taken_where_trl_is_and_refused_where_it_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def missing() -> None:
        raise TrainerError('dpo and reinforcement need TRL: pip install "whet[trl]"')

    async def there() -> None:
        return

    async with composed(tmp_path, monkeypatch, lambda _: Reply("")) as server:
        monkeypatch.setattr(fine_tuning, "check_installed", missing)
        refused = await asked(server, {"type": "dpo"})
        assert refused.status_code == 400
        assert 'pip install "whet[trl]"' in refused.json()["error"]["message"]
        monkeypatch.setattr(fine_tuning, "check_installed", there)
        made = await asked(server, {"type": "dpo", "dpo": {"hyperparameters": {"beta": 0.3}}})
        assert made.json()["method"]["dpo"]["hyperparameters"]["beta"] == 0.3
        for reinforcement, param in (
            (None, "method.reinforcement"),
            ({"grader": {**GRADER, "operation": "about"}}, "method.reinforcement.grader"),
            ({"grader": {**SCORED, "range": [1, 0]}}, "method.reinforcement.grader"),
        ):
            method = {"type": "reinforcement", "reinforcement": reinforcement}
            wrong = await asked(server, method)
            assert wrong.status_code == 400, wrong.text
            assert wrong.json()["error"]["param"].startswith(param)
        gone = {"type": "reinforcement", "reinforcement": {"grader": SCORED | {"model": "gone"}}}
        unknown = await asked(server, gone)
        assert unknown.status_code == 404, unknown.text
        assert unknown.json()["error"]["param"] == "method.reinforcement.grader.model"
        for grader in (GRADER, SCORED, LABELLED, LIKE):
            graded_by = {"type": "reinforcement", "reinforcement": {"grader": grader}}
            made = (await asked(server, graded_by)).json()
            assert made["method"]["reinforcement"]["grader"].items() >= grader.items(), made
