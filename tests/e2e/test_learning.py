"""Memory, test-time training and distillation, through the real engine and the real trainer."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adaptation.evaluation.suites import SUITES
from adaptation.evaluation.suites.solved import Solved
from adaptation.evaluation.suites.split import Split
from adaptation.learning.leases import PREFIX, SHARED_MEMORY
from memory.identity.answers import agree, canonical
from server.cli import main
from tests.e2e.running import Running, as_jsonl, is_alive, serving, stop, wait_until

MAX_ADAPTERS = 4
"""By default."""
WORLD = 5  # an evaluation seed: the model was not trained on this world
TAUGHT, ASKED = (
    SUITES["jargon"].problems(count, split=split, seed=1, level=2, world=WORLD)
    for count, split in ((64, Split.MEMORY), (8, Split.EVALUATION))
)
EVERYDAY = (
    "Hello!",
    "What is 45 + 38?",
    "Tom has 5 apples. He buys 7 more. How many apples does Tom have?",
)
QUIET = {"memory": {"write": False}}


@pytest.fixture(scope="module")
def taught(server: Running) -> Running:
    """The server with 64 solved examples of one world in its memory."""
    report = server.post("/v1/memory/import", content=as_jsonl(TAUGHT)).json()
    assert (report["imported"], report["failed"]) == (64, 0)
    return server


def ask(server: Running, solved: Solved, strategy: str, **adaptation: Any) -> dict[str, Any]:
    answer = server.chat(
        solved.question, model=f"whet-pebble:{strategy}", adaptation={**QUIET, **adaptation}
    )
    report: dict[str, Any] = answer["adaptation"]
    return report


def is_right(report: dict[str, Any], solved: Solved) -> bool:
    return report["answer"] is not None and agree(
        canonical(report["answer"]), canonical(solved.answer)
    )


def test_ttt_without_neighbours_votes_and_says_why(server: Running) -> None:
    report = server.chat(
        "What is 3 + 4?", model="whet-pebble:ttt", adaptation={"memory": {"task": "no such task"}}
    )["adaptation"]
    assert (report["strategy"], report["requested"]) == ("consistency", "ttt")
    assert "usable neighbours" in report["reason"]
    assert report["adapter"] is None


def test_ttt_trains_gates_and_answers_better_than_voting(taught: Running) -> None:
    before = [is_right(ask(taught, solved, "consistency"), solved) for solved in ASKED]
    reports = [ask(taught, solved, "ttt") for solved in ASKED]
    after = [is_right(report, solved) for report, solved in zip(reports, ASKED, strict=True)]
    trained = [report for report in reports if report["strategy"] == "ttt"]
    assert len(trained) >= len(ASKED) // 2
    for report in trained:
        assert report["adapter"]["accepted"]
        assert report["adapter"]["holdout_loss"][1] < report["adapter"]["holdout_loss"][0]
        assert report["tokens"]["training"] > 0
        assert len(report["neighbours"]) >= 4
    assert sum(after) >= sum(before) + 2, f"{sum(before)} right before, {sum(after)} after"


UNHEARD = {"verifiers": [{"type": "math", "reference": "-123456789"}]}
"""A verifier that passes nothing."""


@pytest.mark.parametrize(
    ("strategy", "step"),
    [
        ("demonstrations", None),
        ("best_of_n", "score"),
        ("refine", "critique"),
        ("reflexion", "note"),
        ("debate", "round"),
        ("decompose", "question"),
    ],
)
def test_every_further_strategy_answers_and_bills_what_it_drew(
    taught: Running, strategy: str, step: str | None
) -> None:
    asked = {**QUIET, "max_samples": 4, **(UNHEARD if strategy == "reflexion" else {})}
    answer = taught.chat(ASKED[1].question, model=f"whet-pebble:{strategy}", adaptation=asked)
    report = answer["adaptation"]
    assert report["requested"] == strategy
    assert answer["choices"][0]["message"]["content"]
    billed = sum(report["tokens"][kind] for kind in ("returned", "losing", "cancelled"))
    assert answer["usage"]["completion_tokens"] == billed > 0
    assert report["samples"]["started"] <= 4
    if report["strategy"] != strategy:  # the model splits few questions; nobody needs be shown
        assert strategy in ("demonstrations", "decompose")
        assert (report["strategy"], bool(report["reason"])) == ("consistency", True)
    elif step is not None:
        assert {each["kind"] for each in report["steps"]} == {step}
    else:
        assert len(report["neighbours"]) >= 1


LOOK = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
CALL = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}


@pytest.mark.parametrize(
    "turns",
    [
        [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "QUESTION"}],
        [
            {"role": "user", "content": "Look it up."},
            {"role": "assistant", "tool_calls": [CALL]},
            {"role": "tool", "content": "Nothing found.", "tool_call_id": "c1"},
            {"role": "user", "content": "QUESTION"},
        ],
    ],
    ids=["system", "tools"],
)
def test_the_trainer_renders_a_chat_as_the_engine_was_given_it(
    taught: Running, turns: list[dict[str, Any]]
) -> None:
    asked = [
        turn | {"content": ASKED[0].question if turn.get("content") == "QUESTION" else said}
        for turn in turns
        for said in [turn.get("content")]
    ]
    body = {"model": "whet-pebble:ttt", "messages": asked, "tools": [LOOK], "adaptation": QUIET}
    report = taught.post("/v1/chat/completions", json=body).json()["adaptation"]
    assert report["adapter"] is not None, report["reason"]
    assert report["adapter"]["steps"] > 0


def test_a_bare_prompt_is_trained_for_as_it_is_and_not_where_it_was_cut(taught: Running) -> None:
    body = {"model": "whet-pebble:ttt", "prompt": ASKED[0].question, "adaptation": QUIET}
    whole = taught.post("/v1/completions", json=body).json()["adaptation"]
    assert whole["adapter"] is not None, whole["reason"]
    afresh = {**QUIET, "budget": {"train_steps": 7}}  # no kept adapter is of this recipe
    more = {"truncate_prompt_tokens": 8, "adaptation": afresh}
    cut = taught.post("/v1/completions", json=body | more).json()
    assert cut["adaptation"]["adapter"] is None
    assert "may leave out a part of this prompt" in cut["adaptation"]["reason"]


def test_what_had_no_time_to_be_trained_is_trained_when_the_server_is_told_to(
    taught: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of another recipe than all other tests', so that nothing is kept of it."""
    asked = [
        ask(taught, solved, "ttt", budget={"train_steps": 19, "wall_s": 1.0})
        for solved in ASKED[:4]
    ]
    too_late = ("no time", "a training takes about", "its training was cut short")
    late = [r for r in asked if any(words in str(r["reason"]) for words in too_late)]
    assert late, [report["reason"] for report in asked]
    assert main(["adapters", "warm", "--url", taught.url]) == 0
    assert "adapters kept" in capsys.readouterr().out
    again = [ask(taught, solved, "ttt", budget={"train_steps": 19}) for solved in ASKED[:4]]
    known = [r for r in again if r["strategy"] == "ttt" and r["tokens"]["training"] == 0]
    assert known


def test_no_more_is_left_than_the_names_of_adapters_that_stay_loaded(taught: Running) -> None:
    ask(taught, ASKED[0], "ttt")
    listed = [model["id"] for model in taught.get("/v1/models").json()["data"]]
    assert [name for name in listed if ":" not in name] == ["whet-pebble", "all-MiniLM-L6-v2"]
    folders = list(SHARED_MEMORY.glob(f"{PREFIX}{taught.process.pid}-*"))
    assert len(folders) == 2  # for requests, and for champions
    champions, names = sorted([[*folder.iterdir()] for folder in folders], key=len)
    assert champions == []
    assert len(names) <= MAX_ADAPTERS
    assert not any(list(folder.iterdir()) for folder in names)


def test_auto_goes_on_only_where_the_votes_disagree(taught: Running) -> None:
    easy = taught.chat("Hello", model="whet-pebble:auto", adaptation=QUIET)["adaptation"]
    assert easy["strategy"] == "consistency"
    hard = [ask(taught, solved, "auto") for solved in ASKED[:4]]
    further = [report for report in hard if report["baseline"] is not None]
    assert further, "demonstrations or training took over from the vote"
    assert {report["strategy"] for report in further} <= {"demonstrations", "ttt"}
    for report in hard:
        assert report["samples"]["started"] <= 16
        assert report["requested"] == "auto"


def test_a_killed_trainer_costs_one_training_and_comes_back(taught: Running) -> None:
    trainer = taught.trainer()
    trainer.send_signal(signal.SIGKILL)
    trainer.wait(10)
    first = ask(taught, ASKED[0], "ttt")
    assert first["answer"] is not None
    wait_until(lambda: taught.get("/ready").json()["trainer"] == "ready", 120, "the new trainer")
    assert ask(taught, ASKED[1], "ttt")["adapter"] is not None


def test_a_hanging_trainer_costs_no_answer(taught: Running) -> None:
    trainer = taught.trainer()
    trainer.suspend()
    try:
        afresh = {"wall_s": 3, "train_steps": 6}  # no kept adapter is of this recipe
        report = ask(taught, ASKED[0], "ttt", budget=afresh)
    finally:
        if trainer.is_running():
            trainer.resume()
    assert report["strategy"] == "consistency"
    assert report["answer"] is not None
    # Whichever comes first: the deadline, or that somebody saw it hang and killed it.
    assert "time" in report["reason"] or "died" in report["reason"]


def test_feedback_makes_a_record_and_takes_it_back(server: Running) -> None:
    answer = server.chat("What is 31 + 46?", model="whet-pebble:plain")
    given = server.post(
        "/v1/feedback", json={"completion_id": answer["id"], "verdict": "correct"}
    ).json()
    assert given["action"] == "created"
    record = server.get(f"/v1/memory/records/{given['record']['id']}").json()
    assert (record["tier"], record["state"]) == ("feedback", "active")
    server.post("/v1/feedback", json={"completion_id": answer["id"], "verdict": "incorrect"})
    state = server.get(f"/v1/memory/records/{record['id']}").json()["state"]
    assert state == "quarantined"


def test_a_verifier_of_the_request_earns_its_tier(server: Running) -> None:
    check = {"type": "string_check", "operation": "eq", "reference": "9"}
    report = server.chat("What is 4 + 5?", adaptation={"verifiers": [check]})["adaptation"]
    record = server.get(f"/v1/memory/records/{report['memory']['saved']}").json()
    assert report["verification"][0]["passed"]
    assert record["tier"] == "feedback"


def test_an_import_names_its_corrupt_line_and_keeps_the_rest(server: Running) -> None:
    good = [json.dumps({"question": f"How many is {n}?", "answer": str(n)}) for n in range(3)]
    lines = "\n".join([good[0], "{broken", *good[1:]]).encode()
    report = server.post("/v1/memory/import", content=lines).json()
    assert (report["imported"], report["failed"]) == (3, 1)
    assert report["errors"][0]["line"] == 2


def test_jobs_left_to_the_server_are_done_beside_serving(taught: Running) -> None:
    left = [
        taught.whet("distill", "--dry-run", "--detach"),
        taught.whet("memory", "rebuild", "--detach"),
    ]
    ids = [done.stdout.strip() for done in left]

    def results() -> list[Any]:
        return [taught.get(f"/v1/jobs/{job_id}").json()["result"] for job_id in ids]

    wait_until(lambda: None not in results(), 120, "both jobs")
    report, index = results()
    assert report["decision"] == "dry_run"
    assert report["train"] + report["holdout"] >= 64
    assert index["indexed"] >= 64
    assert ask_plain(taught, ASKED[0])["answer"], "it serves meanwhile"


@pytest.fixture(scope="module")
def distilled(taught: Running) -> Iterator[dict[str, Any]]:
    """The report of one real `whet distill`, run beside the serving process."""
    right = [is_right(ask_plain(taught, solved), solved) for solved in ASKED]
    everyday = [tokens_of(greedy(taught, question)) for question in EVERYDAY]
    done = taught.whet("distill", "--json", "-")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    yield {**report, "right_before": sum(right), "everyday_before": everyday}
    taught.post("/v1/adapters/reset")


def greedy(server: Running, question: str) -> dict[str, Any]:
    return server.chat(
        question, model="whet-pebble:plain", temperature=0, logprobs=True, adaptation=QUIET
    )


def tokens_of(answer: dict[str, Any]) -> list[tuple[str, float]]:
    """Return what was generated, token for token, and how likely each was."""
    content = answer["choices"][0]["logprobs"]["content"]
    return [(token["token"], token["logprob"]) for token in content]


def ask_plain(server: Running, solved: Solved) -> dict[str, Any]:
    answer = greedy(server, solved.question)
    text = answer["choices"][0]["message"]["content"]
    return {"answer": text.rpartition("#### ")[2]}


def test_distillation_promotes_an_improvement_that_a_running_server_picks_up(
    taught: Running, distilled: dict[str, Any]
) -> None:
    assert distilled["decision"] == "promoted", distilled["reasons"]
    version = distilled["adapter"]
    wait_until(lambda: taught.get("/ready").json()["champion"] == version, 30, "the champion")
    right = sum(is_right(ask_plain(taught, solved), solved) for solved in ASKED)
    assert right >= distilled["right_before"] + 2
    assert taught.get(f"/v1/adapters/{version}").json()["id"] == version


def test_what_the_champion_did_not_learn_the_exact_base_answers(
    taught: Running, distilled: dict[str, Any]
) -> None:
    version = distilled["adapter"]
    wait_until(lambda: taught.get("/ready").json()["champion"] == version, 30, "the champion")
    for question, before in zip(EVERYDAY, distilled["everyday_before"], strict=True):
        answer = greedy(taught, question)
        scope = answer["adaptation"]["scope"]
        assert (scope["champion"], scope["within"]) == (version, False)
        assert [token for token, _ in tokens_of(answer)] == [token for token, _ in before]
        assert [p for _, p in tokens_of(answer)] == pytest.approx([p for _, p in before], abs=1e-3)
    for solved in ASKED:
        scope = greedy(taught, solved.question)["adaptation"]["scope"]
        assert scope["within"], f"{scope} of {solved.question}"


def test_a_rollback_reaches_the_running_server_and_a_promotion_does_again(
    taught: Running, distilled: dict[str, Any]
) -> None:
    version = distilled["adapter"]
    assert taught.whet("adapters", "reset").returncode == 0
    wait_until(lambda: taught.get("/ready").json()["champion"] == "base", 30, "the base")
    assert taught.whet("adapters", "promote", version).returncode == 0
    wait_until(lambda: taught.get("/ready").json()["champion"] == version, 30, "the champion")


def test_a_restart_finds_everything_and_sigterm_ends_it_cleanly(
    taught: Running, distilled: dict[str, Any], tmp_path: Path
) -> None:
    """One more server on a copy of the data: no index files, and a champion without its file."""
    import shutil

    taught.whet("memory", "stats")
    copy = tmp_path / "data"
    shutil.copytree(taught.data_dir, copy)
    shutil.rmtree(copy / "index", ignore_errors=True)
    (copy / "adapters" / distilled["adapter"] / "adapter_model.safetensors").unlink()
    with serving(copy, tmp_path / "server.log") as again:
        ready = again.get("/ready").json()
        assert distilled["adapter"] in ready["champion"], "says that the champion is missing"
        assert ask(again, ASKED[0], "ttt")["adapter"] is not None, "neighbours are found again"
        children = again.children()
        assert stop(again) == 0
        wait_until(lambda: not any(map(is_alive, children)), 10, "the end of its children")
