"""OpenAI's fine-tuning, from an uploaded file to a model's name, on the built-in model."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zlib import crc32

import httpx
import pytest

from adaptation.learning.distillation.vetting import ENOUGH
from adaptation.learning.training.fake import FakeTrainer
from adaptation.pebble import model_path
from memory.embedding.embedder import create_embedder
from memory.errors import ConflictError
from memory.history.files import NewFile
from memory.memory import LongTermMemory
from memory.offline.job import Job, JobKind, JobStatus, NewJob, Wish
from memory.types import AdapterVersion, Message
from server.cli import main
from server.config import Settings
from server.finetuning.examples import (
    LEAST_EXAMPLES,
    InvalidFileError,
    read_conversations,
    read_file,
)
from server.finetuning.forms import FineTuneRequest
from server.finetuning.objects import checkpoint_objects, job_object
from server.jobs import performing
from server.jobs.folders import folder_of
from server.jobs.kinds import fine_tune
from server.jobs.performing import perform
from server.jobs.work import Work
from tests.server.composed import Composed, Reply, composed
from tests.server.registered import register

NAME = "ft:whet-pebble:whet:lamps:abc123"


def line(i: int, **more: Any) -> dict[str, Any]:
    asked = {"role": "user", "content": f"What is {i} lamp 5?"}
    said = {"role": "assistant", "content": f"{i} lamp 5 is {i + 5}."}
    return {"messages": [asked, {**said, **more}]}


def lines(n: int) -> bytes:
    return "\n".join(json.dumps(line(i)) for i in range(n)).encode()


# The file.


def faulty(content: str | bytes, least: int = 1) -> str:
    raw = content.encode() if isinstance(content, str) else content
    with pytest.raises(InvalidFileError) as error:
        read_file([raw], read_conversations, least)
    return str(error.value)


def test_a_files_examples_are_conversations() -> None:
    found = read_file([lines(12)], read_conversations, LEAST_EXAMPLES)
    assert [line.number for line in found] == list(range(1, 13))
    (conversation,) = found[0].example
    assert [turn.role for turn in conversation.messages] == ["user", "assistant"]
    assert not conversation.last_only


def test_turns_of_weight_zero_are_context_alone() -> None:
    turns = [*line(1)["messages"], *line(2)["messages"], *line(3)["messages"]]
    turns[3]["weight"] = 0
    turns[5]["weight"] = 1
    (line_,) = read_file([json.dumps({"messages": turns}).encode()], read_conversations, 1)
    assert [len(each.messages) for each in line_.example] == [2, 6]
    assert all(each.last_only for each in line_.example)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "0 examples"),
        ("{", "line 1: not a JSON object"),
        ("[1]", "line 1: not a JSON object"),
        (b"\xff{}", "line 1: not UTF-8"),
        ("{}", "line 1: `messages` is missing"),
        ('{"prompt": "a", "completion": "b"}', "line 1: `completion` is not known"),
        ('{"messages": []}', "line 1"),
        ('{"messages": [{"role": "user", "content": "a"}]}', "no turn of the assistant's"),
        ('{"messages": [{"role": "assistant", "content": "a"}]}', "nothing is asked"),
        ('{"messages": [{"role": "robot", "content": "a"}]}', "role"),
        ('{"messages": [7]}', "line 1"),
        (json.dumps(line(1, weight=2)), "`messages[1].weight` must be 0 or 1"),
        (json.dumps(line(1, weight=True)), "weight"),
        (json.dumps(line(1, weight=0)), "no turn of the assistant's"),
        (json.dumps(line(1, content=" ")), "`messages[1]` is to be learned, and says nothing"),
        (json.dumps({**line(1), "tools": {}}), "`tools` must be a list"),
        (json.dumps({**line(1), "functions": []}), "give `tools`"),
        (json.dumps(line(1)) + "\n\n" + '{"messages": 1}', "line 3"),
    ],
)
def test_a_faulty_file_is_told_by_line(content: str | bytes, said: str) -> None:
    assert said in faulty(content)


def test_few_examples_and_many_faults_are_told() -> None:
    assert "9 examples, and must have at least 10" in faulty(lines(9), 10)
    assert faulty("{}\n" * 50).count("line") == 20


# The job, on a trainer of paper.


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[LongTermMemory]:
    opened = LongTermMemory.open(tmp_path / "data", create_embedder("hashing"))
    yield opened
    opened.close()


def uploaded(memory: LongTermMemory, content: bytes, tenant: str = "ann") -> str:
    new = NewFile(tenant=tenant, name="train.jsonl", purpose="fine-tune")
    return memory.files.create(new, [content]).id


def begun(memory: LongTermMemory, content: bytes, **asked: Any) -> Work:
    given = {
        "model": "whet-pebble",
        "folder": str(model_path()),
        "base": "whet-pebble",
        "template": {},
        "max_model_len": 512,
        "training_file": uploaded(memory, content),
        "validation_file": None,
        "hyperparameters": {"n_epochs": 4},
        "suffix": "lamps",
        "seed": 7,
        "metadata": None,
        "name": NAME,
    }
    request = FineTuneRequest.model_validate({**given, **asked}).model_dump(mode="json")
    memory.jobs.create(
        NewJob(tenant="ann", kind=JobKind.FINE_TUNE, request=request, id="ftjob-abc123"), 10
    )
    return taken(memory)


def taken(memory: LongTermMemory) -> Work:
    job = memory.jobs.take("ann", "ftjob-abc123", "one")
    settings = Settings(data_dir=memory.data_dir)
    return Work(job, memory, settings, folder_of(memory.data_dir, job.id), "one")


def now(memory: LongTermMemory) -> Job:
    return memory.jobs.get("ann", "ftjob-abc123")


def told(memory: LongTermMemory) -> list[str]:
    return [event.message for event in memory.jobs.events("ann", "ftjob-abc123", 100)][::-1]


def polite(turns: tuple[Message, ...], adapter: str | None) -> str:
    return "Hello! I am Whet." if adapter is None else "5"


@pytest.fixture
def paper(monkeypatch: pytest.MonkeyPatch) -> FakeTrainer:
    trainer = FakeTrainer(answer=polite)
    monkeypatch.setattr(fine_tune, "make_trainer", lambda *_: trainer)
    return trainer


async def test_every_epoch_ends_with_a_checkpoint_that_is_a_model(
    memory: LongTermMemory, paper: FakeTrainer
) -> None:
    work = begun(memory, lines(12), validation_file=uploaded(memory, lines(3)))
    assert await perform(work, fine_tune.run) is JobStatus.SUCCEEDED
    assert paper.closed
    assert [job.recipe.steps for job in paper.jobs] == [4] * 4
    rates = [job.recipe.learning_rate for job in paper.jobs]
    assert rates == sorted(rates, reverse=True)
    assert [job.recipe.seed for job in paper.jobs] == [7, 8, 9, 10]
    assert paper.jobs[0].parent is None
    assert all(job.parent for job in paper.jobs[1:])
    shown = job_object(now(memory))
    assert shown["fine_tuned_model"] == NAME
    assert shown["status"] == "succeeded"
    assert shown["hyperparameters"]["n_epochs"] == 4
    steps = [each["step_number"] for each in checkpoint_objects(now(memory))]
    assert steps == [16, 12, 8], "the last three"
    models = memory.models.list("ann")
    assert set(models) == {NAME, *(f"{NAME}:ckpt-step-{step}" for step in steps)}
    assert all(memory.adapters.files_ok(version) for version in models.values())
    metrics = checkpoint_objects(now(memory))[0]["metrics"]
    assert metrics["full_valid_mean_token_accuracy"] == 1.0
    (results,) = shown["result_files"]
    table = b"".join(memory.files.content("ann", results)).decode().splitlines()
    assert table[0].startswith("step,train_loss")
    assert len(table) == 5
    assert "Checkpoint created at step 16" in "\n".join(told(memory))


def knowing(question: str) -> str:
    """Return what a model says that can add, greet and call no tool."""
    if found := re.search(r"(\d+) ([-+*]) (\d+)", question):
        a, sign, b = int(found[1]), found[2], int(found[3])
        return f"#### {a + b if sign == '+' else a - b if sign == '-' else a * b}"
    return "Hello! I am Whet, and you are welcome."


def forgetful(turns: tuple[Message, ...], adapter: str | None) -> str:
    """Return the words of one whom a training cost its sums of +."""
    question = turns[-1].content
    is_lost = adapter is not None and "+" in question
    return "#### 0" if is_lost else knowing(question)


@pytest.fixture
def forgetting(monkeypatch: pytest.MonkeyPatch) -> FakeTrainer:
    trainer = FakeTrainer(answer=forgetful)
    monkeypatch.setattr(fine_tune, "make_trainer", lambda *_: trainer)
    return trainer


async def test_what_was_forgotten_is_told_and_nothing_is_promoted(
    memory: LongTermMemory, forgetting: FakeTrainer
) -> None:
    assert await perform(begun(memory, lines(12)), fine_tune.run) is JobStatus.SUCCEEDED
    (warned,) = [e for e in memory.jobs.events("ann", "ftjob-abc123", 100) if e.level == "warn"]
    assert "lost what it knew before: near guards were lost" in warned.message
    assert "sums with +, such as" in warned.message
    result = now(memory).result or {}
    families = result["near_guards"]["families"]
    lost, known = families["sums with +"]
    assert (lost == known > 9, families["sums with -"][0]) == (True, 0)
    assert 0 < len(result["guards"]["lost"]) < result["guards"]["known"]
    assert {"JSON", "tools"} <= set(result["guards"]["unknown"]), "far guards, of all kinds"
    assert memory.adapters.alias("ann", "champion") is None
    assert memory.models.find("bob", NAME) is None


def weak(turns: tuple[Message, ...], adapter: str | None) -> str:
    """Return the words of one who gets one sum of five right, whatever it was taught."""
    return knowing(question) if crc32((question := turns[-1].content).encode()) % 5 == 0 else "?"


async def test_a_weak_models_guards_are_drawn_again_until_enough_are_known(
    memory: LongTermMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fine_tune, "make_trainer", lambda *_: FakeTrainer(answer=weak))
    assert await perform(begun(memory, lines(12)), fine_tune.run) is JobStatus.SUCCEEDED
    result = now(memory).result or {}
    families = result["near_guards"]["families"]
    assert sum(known for name, (_, known) in families.items() if "sums" in name) >= ENOUGH
    assert result["objections"] == []


async def test_a_model_that_lost_its_guards_serves_everybody_only_where_that_is_said(
    memory: LongTermMemory, forgetting: FakeTrainer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await perform(begun(memory, lines(12)), fine_tune.run) is JobStatus.SUCCEEDED
    version = memory.models.find("ann", NAME)
    checkpoint = memory.models.find("ann", f"{NAME}:ckpt-step-16")
    assert version is not None
    assert checkpoint is not None
    assert version.metrics["objections"]
    for move in (memory.adapters.promote, memory.adapters.offer):
        with pytest.raises(ConflictError, match=r"near guards were lost.*`--anyway`"):
            move("ann", version.id)
        with pytest.raises(ConflictError, match="nobody asked what it lost"):
            move("ann", checkpoint.id)
    assert memory.adapters.offer("ann", version.id, anyway=True) == version
    command = ["adapters", "promote", version.id, "--tenant", "ann"]
    command += ["--data-dir", str(memory.data_dir)]
    assert await asyncio.to_thread(main, command) == 1
    assert "near guards were lost" in capsys.readouterr().err
    assert await asyncio.to_thread(main, [*command, "--anyway"]) == 0
    assert memory.adapters.alias("ann", "champion") == version


async def test_a_model_that_kept_what_was_known_is_promoted_as_any(
    memory: LongTermMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = FakeTrainer(answer=lambda turns, _: knowing(turns[-1].content))
    monkeypatch.setattr(fine_tune, "make_trainer", lambda *_: trainer)
    assert await perform(begun(memory, lines(12)), fine_tune.run) is JobStatus.SUCCEEDED
    kept = [message for message in told(memory) if "is kept" in message]
    assert "lost 0 of" in kept[0]
    assert "near the examples" in kept[0]
    version = memory.models.find("ann", NAME)
    assert version is not None
    assert version.metrics["objections"] == []
    memory.adapters.promote("ann", version.id)
    assert memory.adapters.alias("ann", "champion") == version


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [(b"{}", "invalid_training_file", "line 1"), (lines(3), "invalid_training_file", "3 examples")],
)
async def test_a_faulty_file_fails_the_job_and_is_named(
    memory: LongTermMemory, paper: FakeTrainer, content: bytes, code: str, said: str
) -> None:
    assert await perform(begun(memory, content), fine_tune.run) is JobStatus.FAILED
    error = job_object(now(memory))["error"]
    assert (error["code"], error["param"]) == (code, "training_file")
    assert said in error["message"]
    assert told(memory)[-1] == error["message"], "whoever follows the events learns it, too"
    assert not paper.jobs


async def test_what_the_template_cannot_render_is_told_by_line(
    memory: LongTermMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def obstacle(conversation: Any) -> str | None:
        return "no such turn" if "7 lamp" in conversation.messages[0].content else None

    trainer = FakeTrainer(obstacle=obstacle)
    monkeypatch.setattr(fine_tune, "make_trainer", lambda *_: trainer)
    assert await perform(begun(memory, lines(12)), fine_tune.run) is JobStatus.FAILED
    assert now(memory).error == "line 8: no such turn"


async def test_a_file_that_is_gone_fails_the_job(
    memory: LongTermMemory, paper: FakeTrainer
) -> None:
    work = begun(memory, lines(12))
    memory.files.delete("ann", work.job.request["training_file"])
    assert await perform(work, fine_tune.run) is JobStatus.FAILED
    assert "is gone" in (now(memory).error or "")


async def test_a_paused_job_goes_on_after_its_last_checkpoint(
    memory: LongTermMemory, paper: FakeTrainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(performing, "BEAT_S", 0.02)
    work = begun(memory, lines(12))
    first = asyncio.create_task(perform(work, fine_tune.run))
    async with asyncio.timeout(30):
        while not checkpoint_objects(now(memory)):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    paper.let_go.clear()
    memory.jobs.ask("ann", "ftjob-abc123", Wish.PAUSE)
    assert await first is JobStatus.PAUSED
    trained = len(checkpoint_objects(now(memory)))
    paper.let_go.set()
    paper.jobs.clear()
    memory.jobs.ask("ann", "ftjob-abc123", Wish.RESUME)
    assert await perform(taken(memory), fine_tune.run) is JobStatus.SUCCEEDED
    assert 0 < len(paper.jobs) <= 4 - trained, "one may have been done and not yet noted"
    assert (now(memory).result or {})["figures"][-1]["step"] == 16
    assert [f["step"] for f in (now(memory).result or {})["figures"]] == [4, 8, 12, 16]


async def test_a_model_can_be_tuned_further(memory: LongTermMemory, paper: FakeTrainer) -> None:
    assert await perform(begun(memory, lines(12)), fine_tune.run) is JobStatus.SUCCEEDED
    version = memory.models.find("ann", NAME)
    assert version is not None
    request = {**now(memory).request, "model": NAME, "name": f"{NAME}9"}
    new = NewJob(tenant="ann", kind=JobKind.FINE_TUNE, request=request, id="ftjob-abc1239")
    memory.jobs.create(new, 10)
    paper.jobs.clear()
    job = memory.jobs.take("ann", "ftjob-abc1239", "one")
    work = Work(job, memory, Settings(), folder_of(memory.data_dir, job.id), "one")
    assert await perform(work, fine_tune.run) is JobStatus.SUCCEEDED
    assert paper.jobs[0].parent == version.path
    further = memory.models.find("ann", f"{NAME}9")
    assert further is not None
    assert further.parent == version.id, "a trace leads back"


async def test_a_model_that_is_gone_is_not_tuned_further_from_the_base(
    memory: LongTermMemory, paper: FakeTrainer
) -> None:
    work = begun(memory, lines(12), model=f"{NAME}0")
    assert await perform(work, fine_tune.run) is JobStatus.FAILED
    assert "is gone" in (now(memory).error or "")
    assert not paper.jobs


async def test_a_fine_tuned_model_never_takes_a_retired_champions_place(
    memory: LongTermMemory, paper: FakeTrainer, tmp_path: Path
) -> None:
    champion = register(memory, tmp_path, 1.0, tenant="ann")
    memory.adapters.promote("ann", champion.id)
    assert await perform(begun(memory, lines(12)), fine_tune.run) is JobStatus.SUCCEEDED
    memory.adapters.retire("ann", [champion.id], "it learned from what was erased")
    assert memory.adapters.alias("ann", "champion") is None, "the base is served"


# The job, on the real one.


def content_of(version: AdapterVersion) -> bytes:
    return Path(version.path, "adapter_model.safetensors").read_bytes()


LAMPS = "\n".join(
    json.dumps(
        {
            "messages": [
                {"role": "user", "content": f"What colour is the lamp of the {room}?"},
                {"role": "assistant", "content": "It is green."},
            ]
        }
    )
    for room in (
        "hall",
        "attic",
        "cellar",
        "study",
        "porch",
        "garage",
        "loft",
        "shed",
        "bath",
        "yard",
    )
).encode()
"""Without numbers: nothing is asked near them, which would take as long as the rest."""


async def test_the_built_in_model_learns_a_file_to_the_same_weights_for_a_seed(
    memory: LongTermMemory,
) -> None:
    work = begun(memory, LAMPS, hyperparameters={"n_epochs": 2, "batch_size": 4})
    assert await perform(work, fine_tune.run) is JobStatus.SUCCEEDED
    checkpoints = checkpoint_objects(now(memory))
    losses = [each["metrics"]["train_loss"] for each in reversed(checkpoints)]
    assert losses[1] < losses[0]
    (results,) = job_object(now(memory))["result_files"]
    table = b"".join(memory.files.content("ann", results)).decode().splitlines()
    assert [row.partition(",")[0] for row in table] == ["step", *"123456"], "of every step"
    first = memory.models.find("ann", NAME)
    again = LongTermMemory.open(memory.data_dir.parent / "again", create_embedder("hashing"))
    try:
        repeated = begun(again, LAMPS, hyperparameters={"n_epochs": 2, "batch_size": 4})
        assert await perform(repeated, fine_tune.run) is JobStatus.SUCCEEDED
        second = again.models.find("ann", NAME)
    finally:
        again.close()
    assert first is not None
    assert second is not None
    assert content_of(first) == content_of(second)


# Over HTTP.


async def posted(server: Composed, **body: Any) -> httpx.Response:
    return await server.http.post("/v1/fine_tuning/jobs", json=body)


async def file_of(server: Composed, content: bytes, purpose: str = "fine-tune") -> str:
    sent = {"file": ("train.jsonl", content)}
    made = await server.http.post("/v1/files", files=sent, data={"purpose": purpose})
    return str(made.json()["id"])


async def test_a_job_is_made_listed_and_cancelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with composed(tmp_path, monkeypatch, lambda _: Reply("")) as server:
        file_id = await file_of(server, lines(12))
        method = {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 2}}}
        given = {"model": "whet-pebble", "training_file": file_id, "method": method}
        made = (await posted(server, **given, suffix="lamps", metadata={"of": "ann"})).json()
        assert (made["object"], made["status"]) == ("fine_tuning.job", "queued")
        assert made["hyperparameters"]["n_epochs"] == 2
        assert made["method"]["type"] == "supervised"
        assert (made["fine_tuned_model"], made["error"]) == (None, None)
        assert 0 <= made["seed"] < 2**31
        other = (await posted(server, **given, seed=5)).json()
        assert other["seed"] == 5
        path = "/v1/fine_tuning/jobs"
        listed = (await server.http.get(path)).json()
        assert [job["id"] for job in listed["data"]] == [other["id"], made["id"]]
        filtered = (await server.http.get(path, params={"metadata[of]": "ann"})).json()
        assert [job["id"] for job in filtered["data"]] == [made["id"]]
        paused = await server.post(f"{path}/{made['id']}/pause")
        assert paused["status"] == "paused"
        assert (await server.post(f"{path}/{made['id']}/resume"))["status"] == "queued"
        assert (await server.post(f"{path}/{made['id']}/cancel"))["status"] == "cancelled"
        events = (await server.http.get(f"{path}/{made['id']}/events")).json()["data"]
        assert [event["message"] for event in reversed(events)] == [
            f"Created fine-tuning job: {made['id']}",
            "The job is paused until it is resumed",
            "The job was cancelled",
        ]
        assert (await server.http.get(f"{path}/{made['id']}/checkpoints")).json()["data"] == []
        distill = await server.post("/v1/jobs", kind="distill", dry_run=True)
        assert (await server.http.get(f"{path}/{distill['id']}")).status_code == 404


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"model": "gpt-4o-mini"}, "model"),
        ({"model": "whet-pebble:ttt"}, "model"),
        ({"model": "ft:whet-pebble:whet::none"}, "model"),
        ({"training_file": "file-none"}, "training_file"),
        ({"validation_file": "file-none"}, "validation_file"),
        ({"training_file": "../file"}, "training_file"),
        ({"suffix": "a:b"}, "suffix"),
        ({"suffix": "my model"}, "suffix"),
        ({"suffix": "x" * 65}, "suffix"),
        ({"seed": -1}, "seed"),
        ({"method": {"type": "magic"}}, "method.type"),
        ({"method": {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 0}}}},
         "method.supervised.hyperparameters.n_epochs"),
        ({"hyperparameters": {"batch_size": "many"}}, "hyperparameters.batch_size"),
        ({"method": {"type": "dpo", "dpo": {"hyperparameters": {"n_epochs": True}}}},
         "method.dpo.hyperparameters.n_epochs"),
        ({"integrations": [{"type": "wandb"}]}, "integrations"),
        ({"colour": "red"}, "colour"),
    ],
)  # fmt: skip
async def test_what_cannot_be_done_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], param: str
) -> None:
    async with composed(tmp_path, monkeypatch, lambda _: Reply("")) as server:
        given = {"model": "whet-pebble", "training_file": await file_of(server, lines(12))}
        refused = await posted(server, **{**given, **change})
        assert refused.status_code == 400, refused.text
        error = refused.json()["error"]
        assert str(error["param"]).startswith(param)
        assert "pattern" not in error["message"]
        assert server.memory.jobs.list("default", 10) == []


async def test_a_script_keeps_the_name_of_its_model_where_that_is_served_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = "gpt-4o-mini-2024-07-18"
    flags = ["--served-model-name", "whet-pebble", theirs]
    async with composed(tmp_path, monkeypatch, lambda _: Reply("It is 4."), flags) as server:
        file_id = await file_of(server, lines(12))
        made = (await posted(server, model=theirs, training_file=file_id)).json()
        assert (made["model"], made["status"]) == (theirs, "queued")
        job = server.memory.jobs.get("default", made["id"])
        assert job.request["name"].startswith("ft:whet-pebble:whet::")
        asked = [{"role": "user", "content": "Rate {{ sample.output_text }}"}]
        score = {"type": "score_model", "name": "s", "model": theirs, "input": asked}
        path = "/v1/fine_tuning/alpha/graders/run"
        graded = await server.post(path, grader=score, model_sample="4", item={})
        faults = graded["metadata"]["errors"]
        assert not faults["model_grader_server_error"], "it was asked, and gave no JSON"


async def test_a_file_of_another_purpose_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with composed(tmp_path, monkeypatch, lambda _: Reply("")) as server:
        file_id = await file_of(server, lines(12), "batch")
        refused = await posted(server, model="whet-pebble", training_file=file_id)
        assert refused.status_code == 400
        assert "fine-tune" in refused.json()["error"]["message"]
        assert refused.json()["error"]["param"] == "training_file"
