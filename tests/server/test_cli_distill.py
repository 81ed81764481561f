"""`whet distill`, with a trainer that trains nothing."""

import asyncio
import json
import threading
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from adaptation.conversation import Conversation
from adaptation.errors import TrainerError
from adaptation.learning.distillation.target import target_named
from adaptation.learning.training.chat import Template
from adaptation.learning.training.fake import FakeTrainer
from adaptation.pebble import model_path
from memory.offline.job import Job, NewJob, Wish
from memory.offline.jobs import JobStore
from memory.types import Message, Record
from server.cli import main
from server.commands import doing
from server.commands.template import whole_path
from server.config import Settings
from server.jobs.device import held, lock_of
from server.jobs.folders import folder_of
from server.jobs.kinds import distill
from server.jobs.performing import perform
from server.jobs.work import Work
from server.memory_opening import memory_of
from server.models.renderer import own_renderer
from tests.server.learning import solves


def use(monkeypatch: pytest.MonkeyPatch, trainer: FakeTrainer) -> FakeTrainer:
    monkeypatch.setattr(distill, "make_trainer", lambda *_: trainer)
    return trainer


def test_a_dry_run_says_what_it_would_learn_from_and_trains_nothing(
    data: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    trainer = use(monkeypatch, FakeTrainer())
    assert main(["distill", "--dry-run", *data]) == 0
    printed = capsys.readouterr().out
    assert "dry_run" in printed
    assert "would be trained on" in printed
    assert "held-out questions" in printed
    assert not trainer.jobs


def test_a_job_that_a_server_was_quicker_to_begin_is_waited_for(
    data: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use(monkeypatch, FakeTrainer())
    monkeypatch.setattr(doing, "LOOK_S", 0.05)
    create, servers = JobStore.create, list[threading.Thread]()

    def serve(job: Job, folder: Path) -> None:
        settings = Settings(data_dir=folder, embedder="hashing")
        with closing(memory_of(settings)) as memory:
            work = Work(job, memory, settings, folder_of(folder, job.id), "server")
            asyncio.run(perform(work, distill.run))

    def created(store: JobStore, new: NewJob, most_open: int) -> Job:
        made = create(store, new, most_open)
        taken = store.claim("server")
        assert taken is not None
        servers.append(threading.Thread(target=serve, args=(taken, Path(data[1]))))
        servers[0].start()
        return made

    monkeypatch.setattr(JobStore, "create", created)
    assert main(["distill", "--dry-run", *data]) == 0
    servers[0].join()
    assert "dry_run" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("wish", "status"), [("cancel", "cancelled"), ("pause", "paused"), (None, "succeeded")]
)
def test_a_job_that_waits_for_another_can_be_stopped_and_begins_in_its_turn(
    wish: str | None,
    status: str,
    data: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    trainer, said = use(monkeypatch, FakeTrainer(answer=solves)), list[str]()
    monkeypatch.setattr(doing, "LOOK_S", 0.01)
    with ExitStack() as others:
        others.enter_context(held(lock_of(Path(data[1]), "jobs"))).say("job_of_another")

        def told(line: str) -> None:
            """Do what somebody does who reads for whom is waited."""
            said.append(line)
            with closing(memory_of(Settings(data_dir=Path(data[1]), embedder="hashing"))) as memory:
                if wish is not None:
                    memory.jobs.ask("default", memory.jobs.list("default", 1)[0].id, Wish(wish))
            if wish is None:
                others.close()

        monkeypatch.setattr(doing, "complain", told)
        assert main(["distill", *data]) == (0 if wish is None else 1)
    assert "job_of_another is under way" in said[0]
    assert len(said) == 1
    assert bool(trainer.jobs) == (wish is None)
    errors = capsys.readouterr().err.splitlines()
    assert (f"was stopped: it is {status}" in errors[-1]) == (wish is not None)
    assert main(["jobs", "list", "--json", *data[:2]]) == 0
    job = json.loads(capsys.readouterr().out)["data"][0]
    assert job["status"] == status


def test_what_is_left_to_a_server_names_the_model_wherever_that_works(
    data: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path("mine")  # in the working directory
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    assert main(["distill", "--model", "./mine", "--detach", *data]) == 0
    assert main(["jobs", "show", capsys.readouterr().out.strip(), "--json", *data[:2]]) == 0
    asked = json.loads(capsys.readouterr().out)["request"]
    assert asked["model"] == str(folder.absolute())
    assert asked["base"] == "./mine", "as `whet serve ./mine` calls it"


def test_a_better_candidate_is_promoted_and_reported(
    data: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    trainer = use(monkeypatch, FakeTrainer(answer=solves))
    assert main(["distill", "--json", str(tmp_path / "report.json"), *data]) == 0
    assert trainer.closed
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["decision"] == "promoted"
    assert report["base_model"] == "whet-pebble"
    printed = capsys.readouterr().out
    assert "promoted" in printed
    assert report["adapter"] in printed
    assert main(["adapters", "show", report["adapter"], "--json", *data]) == 0
    (step,) = json.loads(capsys.readouterr().out)["release"]
    assert (step["stage"], step["reason"]) == ("all", "it passed the gate"), "nobody promoted it"
    assert report["returns"]["points"] == 100
    assert "+100.0 points" in printed
    assert main(["jobs", "list", "--json", *data[:2]]) == 0
    listed = json.loads(capsys.readouterr().out)["data"]
    job = next(each for each in listed if each["kind"] == "distill")
    assert main(["jobs", "logs", job["id"], "--json", *data[:2]]) == 0
    assert '"returns_points": 100.0' in capsys.readouterr().out
    assert main(["jobs", "logs", job["id"], *data[:2]]) == 0
    assert f"promoted: {report['reasons'][0]}" in capsys.readouterr().out
    assert main(["jobs", "show", job["id"], *data[:2]]) == 0
    shown = dict(line.split("  ", 1) for line in capsys.readouterr().out.splitlines())
    assert shown["decision"].strip() == "promoted", "as the command itself told it"
    assert not [name for name in shown if name.startswith("result")]
    assert main(["adapters", "list", "--json", *data]) == 0
    assert json.loads(capsys.readouterr().out)["aliases"]["champion"] == report["adapter"]


def test_a_rejected_candidate_is_a_result_and_not_a_failure(
    data: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use(monkeypatch, FakeTrainer())
    assert main(["distill", "--json", *data]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["decision"] == "rejected"
    assert report["reasons"]


def test_what_is_doubted_is_reviewed_beside_the_records_most_like_it(
    data: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(memory_of(Settings(data_dir=Path(data[1]), embedder="hashing"))) as memory:
        doubted, like, gone, *_ = memory.list("default")
        near = (like.id, gone.id, "rec_of_another_memory")
        memory.hold("default", doubted.id, "nobody else says so", near)
        memory.forget("default", gone.id)
    assert main(["memory", "review", *data]) == 0
    shown = capsys.readouterr().out
    assert f"{doubted.id} is doubted: nobody else says so" in shown
    assert like.id in shown
    assert like.question in " ".join(shown.split())
    assert gone.id not in shown
    assert main(["memory", "review", "--json", *data]) == 0
    (held,) = json.loads(capsys.readouterr().out)
    assert held["evidence"]["doubt_near"] == list(near)
    assert main(["memory", "review", "--accept", doubted.id, *data]) == 0
    assert "is doubted" not in capsys.readouterr().out


def test_a_trainer_that_dies_is_a_failure_in_one_line(
    data: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    trainer = use(monkeypatch, FakeTrainer([TrainerError("out of memory")]))
    assert main(["distill", *data]) == 1
    captured = capsys.readouterr()
    *progress, failure = captured.err.splitlines()
    assert failure == "whet: the generation failed: out of memory"
    assert all(line.startswith(("whet: select", "whet: doubt")) for line in progress)
    assert trainer.closed


def test_a_memory_with_too_little_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use(monkeypatch, FakeTrainer())
    flags = ["--data-dir", str(tmp_path / "empty"), "--embedder", "hashing"]
    assert main(["distill", *flags]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_significance_out_of_range_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["distill", "--alpha", "5"]) == 2
    assert "between 0 and 1" in capsys.readouterr().err


def test_the_template_and_the_device_are_given_as_to_the_server(
    data: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple[Template, str]] = []

    class Told(FakeTrainer):
        def __init__(self, model: str, *, template: Template, device: str, **_: Any) -> None:
            super().__init__()
            given.append((template, device))

    monkeypatch.setattr(distill, "ProcessTrainer", Told)
    monkeypatch.setenv("WHET_TRAINER_DEVICE", "cpu")
    flags = ["--chat-template", "t.jinja", "--chat-template-content-format", "openai"]
    kwargs = ["--default-chat-template-kwargs", '{"enable_thinking": false}']
    hidden = "--exclude-tools-when-tool-choice-none"
    assert main(["distill", *flags, *kwargs, hidden, *data]) == 0
    template = Template(
        source="t.jinja",
        arguments={"enable_thinking": False},
        content_format="openai",
        leaves_out_tools=True,
    )
    assert given == [(template, "cpu")] * max(1, len(given)), "each of its processes"


def test_a_template_may_be_a_text_of_one_long_line() -> None:
    text = "{{ messages[0]['content'] }}" * 20
    assert whole_path(text) == text


def test_arguments_of_a_template_are_an_object(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["distill", "--default-chat-template-kwargs", "[1]"]) == 2
    assert "must be a JSON object" in capsys.readouterr().err


def test_records_that_cannot_be_rendered_are_told(
    data: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def obstacle(conversation: Conversation) -> str | None:
        return "no calls" if "What is 7 lamp" in conversation.messages[0].content else None

    use(monkeypatch, FakeTrainer(answer=solves, obstacle=obstacle))
    assert main(["distill", *data]) == 0
    assert "1 that cannot be rendered: no calls" in capsys.readouterr().out


def test_a_call_is_graded_by_what_it_calls() -> None:
    call = '{"name": "mul", "arguments": {"b": 7, "a": 6}}'
    record = Record.model_validate(
        {
            "id": "rec_1",
            "tenant": "default",
            "messages": (Message(role="user", content="6 * 7?"),),
            "answer": '{"arguments":{"a":6,"b":7},"name":"mul"}',
            "rationale": f"<tool_call>\n{call}\n</tool_call>",
            "tier": "imported",
            "state": "active",
            "created_at": "2026-01-01T00:00:00Z",
        }
    )
    assert distill.gives_answer(record.rationale, record)
    assert distill.gives_answer(call, record), "as decoding leaves it without special tokens"
    assert not distill.gives_answer(call.replace("7", "8"), record)


RENDERED_OTHERWISE = {
    "mistral": ("params.json", "tekken.json", "consolidated-00001.safetensors"),
    "deepseek_v32": ("config.json",),
    "harmony": ("config.json",),
}
ARCHITECTURES = {"deepseek_v32": "DeepseekV32ForCausalLM", "harmony": "GptOssForCausalLM"}


@pytest.mark.parametrize("name", RENDERED_OTHERWISE)
def test_a_model_whose_chats_go_through_no_template_is_refused_with_the_reason(
    name: str,
    data: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    trainer = use(monkeypatch, FakeTrainer(answer=solves))
    folder = tmp_path / "model"
    folder.mkdir()
    for file in RENDERED_OTHERWISE[name]:
        config = {"architectures": [ARCHITECTURES.get(name)]}
        (folder / file).write_text(json.dumps(config))
    assert main(["distill", "--model", str(folder), *data]) == 1
    assert f"vLLM's own `{name}`" in capsys.readouterr().err
    assert not trainer.jobs
    told = main(["distill", "--model", str(folder), "--tokenizer-mode", "hf", *data])
    assert told == (1 if name == "harmony" else 0)


def test_the_built_in_model_and_unknown_ones_go_through_a_template() -> None:
    assert own_renderer(str(model_path())) is None
    assert own_renderer("nobody/nothing") is None
    assert own_renderer("/no/such/folder") is None


def test_one_that_passed_waits_for_approval_and_its_child_hangs_below_it(
    data: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use(monkeypatch, FakeTrainer(answer=solves))
    assert main(["distill", "--autonomy", "approve", "--json", *data]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["decision"], report["stage"]) == ("passed", "waiting")
    assert main(["adapters", "approve", report["adapter"], *data]) == 0
    assert "at the stage `all`" in capsys.readouterr().out
    assert main(["adapters", "lineage", *data]) == 0
    tree = capsys.readouterr().out
    assert tree.startswith("whet-pebble\n")
    assert f"@1  {report['adapter']}  champion" in tree
    assert main(["adapters", "reject", report["adapter"], *data]) == 1, "it is the champion"
    assert main(["adapters", "reset", *data]) == main(["adapters", "list", *data]) == 0
    assert main(["adapters", "reject", report["adapter"], *data]) == 0
    assert "cannot be promoted any more" in capsys.readouterr().out
    assert main(["adapters", "promote", report["adapter"], *data]) == 1
    assert main(["distill", "--parent", "7", *data]) == 1
    assert "whet-pebble has no version 7" in capsys.readouterr().err
    assert main(["distill", "--parent", "7", "--schedule", "0 3 * * *", *data]) == 1
    assert "whet-pebble has no version 7" in capsys.readouterr().err


def test_a_suite_is_aimed_at_and_the_report_says_what_came_of_it(
    data: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    known = {
        each.question: each.rationale for each in target_named("house_rules/507").problems.values()
    }

    def answer(conversation: tuple[Message, ...], adapter: str | None) -> str:
        return known.get(conversation[-1].content, "Hello!") if adapter else "Hello!"

    use(monkeypatch, FakeTrainer(answer=answer))
    words = ["--target", "house_rules/507", "--json", str(tmp_path / "report.json")]
    assert main(["distill", *words, *data]) == 0
    printed = capsys.readouterr().out
    assert "development questions of house_rules/507" in printed
    assert "base 0.0%, served 0.0%, candidate 100.0%" in printed
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["decision"] == "promoted", report["reasons"]
    assert report["target"]["name"] == "house_rules/507"
    assert report["target"]["right"]["candidate"] == 1.0
    assert main(["adapters", "show", report["adapter"], "--json", *data]) == 0
    learned = json.loads(capsys.readouterr().out)["record_ids"]
    assert main(["memory", "forget", learned[0], "--yes", *data]) == 0
    capsys.readouterr()
    assert main(["distill", "--rebuild", report["adapter"], "--dry-run", "--json", *data]) == 0
    again = json.loads(capsys.readouterr().out)
    assert (again["gone"], again["target"]["name"]) == (1, "house_rules/507")
    assert again["target"]["questions"] == report["target"]["questions"], "judged as it was"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--target", "house_rule"], "there are stories"),
        (["--target", "house_rule", "--schedule", "0 3 * * *"], "there are stories"),
        (["--target", "house_rules/507", "--rebuild", "ad_0123456789ab"], "leave out the target"),
    ],
)
def test_a_target_that_cannot_be_is_a_usage_error(
    words: list[str],
    said: str,
    data: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    trainer = use(monkeypatch, FakeTrainer())
    assert main(["distill", *words, *data]) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert len(captured.err.splitlines()) == 1
    assert not trainer.jobs
    assert main(["jobs", "list", "--json", *data[:2]]) == 0
    assert not json.loads(capsys.readouterr().out)["data"]


def test_a_schedule_keeps_its_target(data: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--target", "house_rules/507", "--schedule", "0 3 * * *"]
    assert main(["distill", *words, *data]) == 0
    capsys.readouterr()
    assert main(["jobs", "schedules", "--json", *data[:2]]) == 0
    (kept,) = json.loads(capsys.readouterr().out)["data"]
    assert kept["request"]["target"] == "house_rules/507"


def test_how_records_were_chosen_is_told_and_kept(
    data: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["adapters", "policies", *data]) == 0
    assert "no generation has chosen yet" in capsys.readouterr().out
    use(monkeypatch, FakeTrainer(answer=solves))
    assert main(["distill", "--policy", "coverage", *data]) == 0
    printed = capsys.readouterr().out
    assert "coverage, which had a chance of 100%" in printed
    assert "26 records" in printed
    assert main(["adapters", "policies", "--json", *data]) == 0
    (past,) = json.loads(capsys.readouterr().out)["data"].values()
    found = {each["policy"]: (each["generations"], each["gain"]) for each in past}
    assert found["coverage"] == (1, 1.0)
    assert found["all"] == (0, None)
    assert main(["adapters", "policies", *data]) == 0
    assert "+100.0 points" in capsys.readouterr().out
    assert main(["memory", "list", "--json", "--limit", "16", *data]) == 0
    ids = [each["id"] for each in json.loads(capsys.readouterr().out)]
    shown = []
    for record_id in ids:
        assert main(["memory", "show", record_id, "--json", *data]) == 0
        shown.append(json.loads(capsys.readouterr().out).get("candidate"))
    candidates = [each for each in shown if each]
    assert 0 < len(candidates) < len(shown), "the others judge"
    assert {each["chosen"] for each in candidates} == {True, False}
    assert {each["scores"]["difficulty"] for each in candidates} == {0.0}
    assert main(["trace", ids[0], *data[:2]]) == 0
    assert main(["distill", "--policy", "all", "--anyway", *data]) == 0
    assert "earlier gains" in capsys.readouterr().out
