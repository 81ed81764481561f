"""Evaluations over HTTP, by OpenAI's own client; the engine alone is scripted."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from openai import AsyncOpenAI

from server.evals.worker import EvalWorker
from server.http.request_body import Body
from tests.server.composed import MODEL, Composed, Reply, composed
from tests.server.tenancy.test_tenants_http import Tenant
from tests.server.test_batches import client_of

pytestmark = pytest.mark.filterwarnings("ignore:max_tokens is deprecated:DeprecationWarning")
SCHEMA = {
    "type": "object",
    "properties": {"question": {"type": "string"}, "answer": {"type": "string"}},
    "required": ["question", "answer"],
}
EQUAL: dict[str, Any] = {
    "type": "string_check",
    "name": "equal",
    "input": "{{ sample.output_text }}",
    "reference": "{{ item.answer }}",
    "operation": "eq",
}
ASKED = {
    "type": "template",
    "template": [{"role": "user", "content": "Say this: {{ item.question }}"}],
}
ITEMS = [{"item": {"question": f"q{n}", "answer": "14" if n % 2 else "15"}} for n in range(6)]


def scripted(server_text: str = "14", judged: str = '{"result": 0.75}') -> Any:
    """Return a script: a model that grades answers in JSON, any other with one text."""

    def script(request: Any) -> Reply:
        is_judge = request.sampling_params.structured_outputs is not None
        return Reply(judged if is_judge else server_text)

    return script


@pytest.fixture
async def server(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Composed]:
    async with composed(data_dir.parent, monkeypatch, scripted()) as found:
        yield found


@pytest.fixture
def client(server: Composed) -> AsyncOpenAI:
    return client_of(server, "none")


async def made(client: AsyncOpenAI, *criteria: dict[str, Any], **given: Any) -> Any:
    config: Any = {"type": "custom", "item_schema": SCHEMA, "include_sample_schema": True}
    asked: Any = {"data_source_config": config, "testing_criteria": criteria or [EQUAL], **given}
    return await client.evals.create(**asked)


def source(kind: str = "completions", items: Any = ITEMS, **more: Any) -> Any:
    if kind == "jsonl":
        return {"type": kind, "source": {"type": "file_content", "content": items}, **more}
    return {
        "type": kind,
        "model": MODEL,
        "source": {"type": "file_content", "content": items},
        "input_messages": ASKED,
        "sampling_params": {"temperature": 0.0, "max_completion_tokens": 20},
        **more,
    }


async def ended(client: AsyncOpenAI, run: Any) -> Any:
    async with asyncio.timeout(30):
        while run.status in ("queued", "in_progress"):
            await asyncio.sleep(0.02)
            run = await client.evals.runs.retrieve(run.id, eval_id=run.eval_id)
    return run


async def outputs(client: AsyncOpenAI, run: Any, **given: Any) -> list[Any]:
    found = client.evals.runs.output_items.list(run.id, eval_id=run.eval_id, limit=4, **given)
    return [each async for each in found]


@pytest.mark.parametrize("kind", ["completions", "responses"])
async def test_a_run_asks_the_model_and_grades_what_it_says(client: AsyncOpenAI, kind: str) -> None:
    found = await made(client, name="sums", metadata={"of": "night"})
    run = await client.evals.runs.create(found.id, data_source=source(kind), name="first")
    assert (run.status, run.object, run.result_counts.total) == ("queued", "eval.run", 6)
    done = await ended(client, run)
    assert done.status == "completed", done
    counts = done.result_counts
    assert (counts.total, counts.passed, counts.failed, counts.errored) == (6, 3, 3, 0)
    (of_criterion,) = done.per_testing_criteria_results
    assert (of_criterion.testing_criteria, of_criterion.passed, of_criterion.failed) == (
        "equal", 3, 3,
    )  # fmt: skip
    (usage,) = done.per_model_usage
    assert (usage.run_model_name, usage.invocation_count) == (MODEL, 6)
    assert usage.prompt_tokens > 0
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    items = await outputs(client, done)
    assert [each.datasource_item_id for each in items] == [1, 2, 3, 4, 5, 6]
    first = items[0]
    assert (first.status, first.datasource_item["question"]) == ("fail", "q0")
    assert first.sample.input[0].content == "Say this: q0"
    assert first.sample.output[0].content == "14"
    assert (first.sample.usage.completion_tokens, first.sample.model) != (0, None)
    passed = await outputs(client, done, status="pass")
    assert [each.datasource_item_id for each in passed] == [2, 4, 6]
    alone = await client.evals.runs.output_items.retrieve(first.id, eval_id=found.id, run_id=run.id)
    assert alone.to_dict() == first.to_dict()


async def test_nothing_that_is_graded_is_learned(server: Composed, client: AsyncOpenAI) -> None:
    found = await made(client)
    await ended(client, await client.evals.runs.create(found.id, data_source=source()))
    assert [*server.memory.walk("default")] == []


async def test_an_item_that_memory_holds_is_asked_all_the_same(
    server: Composed, client: AsyncOpenAI
) -> None:
    known = ({"question": f"Say this: q{n}", "answer": "15"} for n in range(6))
    lines = "\n".join(map(json.dumps, known))
    assert (await server.http.post("/v1/memory/import", content=lines)).json()["imported"] == 6
    found = await made(client)
    for kind in ("completions", "responses"):
        run = await client.evals.runs.create(found.id, data_source=source(kind))
        items = await outputs(client, await ended(client, run))
        assert {each.sample.output[0].content for each in items} == {"14"}, "the model's own word"


async def test_all_graders_grade(client: AsyncOpenAI) -> None:
    judged: dict[str, Any] = {
        "model": MODEL,
        "input": [{"role": "user", "content": "Grade {{ sample.output_text }}"}],
    }
    multi = {
        "type": "multi",
        "name": "both",
        "graders": {"same": EQUAL, "judge": {"type": "score_model", "name": "j", **judged}},
        "calculate_output": "0.5 * same + 0.5 * judge",
        "pass_threshold": 0.8,
    }
    likeness = {"type": "text_similarity", "pass_threshold": 0.9} | {
        key: EQUAL[key] for key in ("input", "reference")
    }
    criteria: list[dict[str, Any]] = [
        EQUAL,
        likeness | {"name": "fuzzy", "evaluation_metric": "fuzzy_match"},
        likeness | {"name": "cosine", "evaluation_metric": "cosine"},
        {"type": "score_model", "name": "score", **judged, "pass_threshold": 0.7},
        {"type": "label_model", "name": "label", **judged, "labels": ["a", "b"],
         "passing_labels": ["a"]},
        {"type": "python", "name": "python",
         "source": "def grade(sample, item):\n    return float(sample['output_text'] == "
                   "item['answer'])"},
        multi,
    ]  # fmt: skip
    found = await made(client, *criteria)
    assert [each.name for each in found.testing_criteria][-1] == "both"
    run = await client.evals.runs.create(found.id, data_source=source(items=ITEMS[:2]))
    done = await ended(client, run)
    wrong, right = await outputs(client, done)
    scores = {each.name: (round(each.score, 3), each.passed) for each in right.results}
    assert scores == {
        "equal": (1, True), "fuzzy": (1, True), "cosine": (1, True), "score": (0.75, True),
        "label": (0, False), "python": (1, True), "both": (0.875, True),
    }  # fmt: skip
    assert {each.name: each.passed for each in wrong.results}["both"] is False
    faults = {each.name: (each.sample or {}).get("errors") for each in right.results}
    assert "model_grader_parse_error" in str(faults["label"]), "0.75 is no label"
    assert right.status == "error"
    (usage,) = done.per_model_usage
    assert usage.invocation_count == 2 * 4 - 2, "a reply that is no label tells no usage"


async def test_known_answers_are_graded_from_a_file(client: AsyncOpenAI) -> None:
    lines = [
        json.dumps({"item": {"question": "q", "answer": "a"}, "sample": {"output_text": text}})
        for text in ("a", "b")
    ] + [json.dumps({"item": {"question": 1, "answer": "a"}})]
    file = await client.files.create(file=("i.jsonl", "\n".join(lines).encode()), purpose="evals")
    found = await made(client)
    by_file: Any = {"type": "jsonl", "source": {"type": "file_id", "id": file.id}}
    done = await ended(client, await client.evals.runs.create(found.id, data_source=by_file))
    assert [each.status for each in await outputs(client, done)] == ["pass", "fail", "error"]
    counts = done.result_counts
    assert (counts.total, counts.passed, counts.failed, counts.errored) == (3, 1, 1, 1)
    misfit = (await outputs(client, done))[2]
    assert "$.question" in misfit.sample.error.message


async def test_a_line_that_is_no_item_fails_the_run_and_is_named(client: AsyncOpenAI) -> None:
    content = b'{"item": {"question": "q", "answer": "a"}}\n{"question": 1}\n'
    file = await client.files.create(file=("i.jsonl", content), purpose="evals")
    found = await made(client)
    by_file: Any = {"type": "jsonl", "source": {"type": "file_id", "id": file.id}}
    done = await ended(client, await client.evals.runs.create(found.id, data_source=by_file))
    assert (done.status, done.error.code) == ("failed", "invalid_items")
    assert done.error.message.startswith("line 2: ")


async def test_messages_may_stand_in_the_item(client: AsyncOpenAI) -> None:
    config: Any = {"type": "custom", "item_schema": {"type": "object"}}
    found = await client.evals.create(data_source_config=config, testing_criteria=[EQUAL])  # type: ignore[list-item]
    turns = [{"role": "user", "content": "What?"}]
    items = [{"item": {"turns": turns, "answer": "14"}}, {"item": {"answer": "14"}}]
    asked = {"type": "item_reference", "item_reference": "item.turns"}
    run = await client.evals.runs.create(
        found.id, data_source=source(items=items, input_messages=asked)
    )
    good, bad = await outputs(client, await ended(client, run))
    assert (good.status, good.sample.input[0].content) == ("pass", "What?")
    assert (bad.status, bad.sample.error.message) == ("error", "`item.turns` stands for nothing")


@pytest.mark.parametrize("kind", ["completions", "responses"])
async def test_an_item_that_cannot_be_asked_is_told_and_holds_no_other_up(
    client: AsyncOpenAI, kind: str
) -> None:
    config: Any = {"type": "custom", "item_schema": {"type": "object"}}
    found = await client.evals.create(data_source_config=config, testing_criteria=[EQUAL])  # type: ignore[list-item]
    odd = [[{"type": "image_url", "image_url": "lamp"}], [{"type": "text", "text": 5}], "What?"]
    turns = [[{"role": "user", "content": content}] for content in odd]
    lines = [json.dumps({"item": {"turns": t, "answer": "14"}}) for t in turns]
    content = "\n".join(lines).encode()
    file = await client.files.create(file=("i.jsonl", content), purpose="evals")
    given = source(kind, input_messages={"type": "item_reference", "item_reference": "item.turns"})
    given["source"] = {"type": "file_id", "id": file.id}
    done = await ended(client, await client.evals.runs.create(found.id, data_source=given))
    counts = done.result_counts
    assert (done.status, counts.errored, counts.passed) == ("completed", 2, 1)


async def test_a_defect_of_ours_is_an_error_of_its_item(
    client: AsyncOpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise KeyError("odd")

    monkeypatch.setattr("server.evals.work.output_of", broken)
    found = await made(client)
    done = await ended(client, await client.evals.runs.create(found.id, data_source=source()))
    assert done.status == "completed"
    assert {each.sample.error.code for each in await outputs(client, done)} == {"server_error"}


async def test_a_run_is_canceled_listed_and_deleted(server: Composed, client: AsyncOpenAI) -> None:
    gate = asyncio.Event()
    server.core.script = lambda _: Reply("14", gate=gate)
    found = await made(client)
    run = await client.evals.runs.create(found.id, data_source=source())
    async with asyncio.timeout(30):
        await server.core.begun.acquire()
    (working,) = server.evals._at_work.values()
    canceled = await client.evals.runs.cancel(run.id, eval_id=found.id)
    assert canceled.status == "canceled"
    async with asyncio.timeout(30):
        await asyncio.wait([working.task])
    gate.set()
    listed = [each.id async for each in client.evals.runs.list(found.id, status="canceled")]
    assert listed == [run.id]
    with pytest.raises(openai.ConflictError):
        await client.evals.runs.cancel(run.id, eval_id=found.id)
    assert (await client.evals.runs.delete(run.id, eval_id=found.id)).deleted
    assert [each async for each in client.evals.runs.list(found.id)] == []


async def test_another_goes_on_with_what_is_left(server: Composed, client: AsyncOpenAI) -> None:
    gate, post, asked = asyncio.Event(), server.evals._post, list[Body]()

    async def three_only(tenant: str, path: str, body: Body) -> httpx.Response:
        asked.append(body)
        if len(asked) > 3:
            await gate.wait()
        return await post(tenant, path, body)

    async def noted(tenant: str, path: str, body: Body) -> httpx.Response:
        asked.append(body)
        return await post(tenant, path, body)

    server.evals._post = three_only
    run = await client.evals.runs.create((await made(client)).id, data_source=source())
    async with asyncio.timeout(30):
        kept = list[Any]()
        while len(kept) < 3:
            await asyncio.sleep(0.01)
            kept = await outputs(client, run)
    await server.stop_batches()
    asked.clear()
    bounds = server.evals._most_bytes, server.evals._embedder, server.evals._models
    second = EvalWorker(server.memory, noted, asyncio.Event(), 2, *bounds)
    following = asyncio.create_task(second.follow())
    try:
        done = await ended(client, run)
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
    counts = done.result_counts
    assert (done.status, counts.passed, counts.failed) == ("completed", 3, 3)
    assert len(asked) == 3, "what had been graded is not asked again"


async def test_evals_are_listed_changed_and_deleted(client: AsyncOpenAI) -> None:
    found = [await made(client, name=f"e{n}") for n in range(3)]
    ids = [each.id for each in found]
    assert [each.id async for each in client.evals.list(limit=2)] == ids
    assert [each.id async for each in client.evals.list(limit=2, order="desc")] == ids[::-1]
    changed = await client.evals.update(ids[0], name="new", metadata={"a": "b"})
    assert (changed.name, changed.metadata) == ("new", {"a": "b"})
    by_update = client.evals.list(limit=2, order="desc", order_by="updated_at")
    assert [each.id async for each in by_update] == [ids[0], ids[2], ids[1]]
    run = await client.evals.runs.create(ids[0], data_source=source())
    deleted = await client.evals.delete(ids[0])
    assert (deleted.deleted, deleted.eval_id) == (True, ids[0])
    with pytest.raises(openai.NotFoundError):
        await client.evals.runs.retrieve(run.id, eval_id=ids[0])


async def test_a_tenant_sees_nothing_of_anothers(server: Composed) -> None:
    mine, theirs = (client_of(server, Tenant(server, name).key) for name in ("acme", "other"))
    found = await made(mine)
    run = await mine.evals.runs.create(found.id, data_source=source())
    assert (await ended(mine, run)).status == "completed"
    (item, *_) = await outputs(mine, run)
    assert [each async for each in theirs.evals.list()] == []
    for asked in (
        theirs.evals.retrieve(found.id),
        theirs.evals.update(found.id, name="x"),
        theirs.evals.delete(found.id),
        theirs.evals.runs.create(found.id, data_source=source()),
        theirs.evals.runs.retrieve(run.id, eval_id=found.id),
        theirs.evals.runs.cancel(run.id, eval_id=found.id),
        theirs.evals.runs.delete(run.id, eval_id=found.id),
        theirs.evals.runs.output_items.retrieve(item.id, eval_id=found.id, run_id=run.id),
    ):
        with pytest.raises(openai.NotFoundError):
            await asked


WRONG_CRITERIA: list[tuple[dict[str, Any], str]] = [
    ({"reference": "{{ item.anwser }}"}, "testing_criteria.0.reference"),
    ({"input": "{{ output }}"}, "testing_criteria.0.input"),
    ({"operation": "equals"}, "testing_criteria.0.operation"),
]
NAMELESS = {"type": "template", "template": [{"role": "user", "content": "{{ item.nothing }}"}]}
WRONG_RUNS: list[tuple[dict[str, Any], str]] = [
    ({"items": []}, "data_source.source.content"),
    ({"source": {"type": "stored_completions"}}, "data_source.source"),
    ({"source": {"type": "elsewhere"}}, "data_source.source.type"),
    ({"model": None}, "data_source.model"),
    ({"sampling_params": {"n": 3}}, "data_source.sampling_params.n"),
    ({"items": [{"item": {"question": "\ud800"}}]}, "data_source.source.content.0.item"),
    ({"input_messages": NAMELESS}, "data_source.input_messages.template.0.content"),
]


async def test_what_cannot_be_graded_is_refused_by_the_name_of_its_field(
    server: Composed, client: AsyncOpenAI
) -> None:
    for change, param in WRONG_CRITERIA:
        with pytest.raises(openai.BadRequestError) as refused:
            await made(client, EQUAL | change)
        assert refused.value.param == param
    found = await made(client)
    for given, param in WRONG_RUNS:  # with half a character, which OpenAI's client cannot send
        asked = json.dumps({"data_source": source(**given)})
        sent = {"content-type": "application/json"}
        path = f"/v1/evals/{found.id}/runs"
        response = await server.http.post(path, content=asked.encode(), headers=sent)
        assert (response.status_code, response.json()["error"]["param"]) == (400, param)


async def test_a_grader_is_tried_and_looked_at(client: AsyncOpenAI) -> None:
    graders = client.fine_tuning.alpha.graders
    program: Any = {
        "type": "python",
        "name": "p",
        "source": "grade = lambda sample, item: len(sample['output_json']['a']) / item['n']",
    }
    tried = await graders.run(grader=program, model_sample='{"a": [1]}', item={"n": 2})
    assert (tried.reward, tried.metadata.type) == (0.5, "python")
    assert not any(
        vars(tried.metadata.errors)[flag] for flag in ("other_error", "sample_parse_error")
    )
    failed = await graders.run(grader=program, model_sample="no JSON", item={"n": 2})
    assert (failed.reward, failed.metadata.errors.python_grader_runtime_error) == (0, True)
    told = failed.metadata.errors.python_grader_runtime_error_details
    assert told == "KeyError: 'output_json'"
    judge: Any = {
        "type": "score_model",
        "name": "s",
        "model": MODEL,
        "input": [{"role": "user", "content": "{{ sample.output_text }}"}],
    }
    judged = await graders.run(grader=judge, model_sample="x")
    assert judged.reward == 0.75
    assert judged.api_model_grader_token_usage_per_model[MODEL] == judged.metadata.token_usage
    assert (await graders.validate(grader=program)).grader
    with pytest.raises(openai.BadRequestError) as refused:
        await graders.validate(grader=program | {"source": "def grde(): pass"})
    assert refused.value.param == "grader.source"


async def answered(client: AsyncOpenAI, text: str, **noted: str) -> str:
    said = await client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": text}], metadata=noted, store=True
    )
    return said.id


LOGGED: dict[str, Any] = {**EQUAL, "reference": "14", "name": "fourteen"}


async def logged(client: AsyncOpenAI, source: dict[str, Any], **given: Any) -> Any:
    config: Any = {"type": "logs", "metadata": {"of": "night"}}
    criteria: Any = [LOGGED]
    found = await client.evals.create(data_source_config=config, testing_criteria=criteria)
    data: Any = {"type": "completions", "source": source, **given}
    return await ended(client, await client.evals.runs.create(found.id, data_source=data))


async def test_stored_completions_are_graded_as_they_were_answered(client: AsyncOpenAI) -> None:
    first = await answered(client, "one?", of="night", n="1")
    await answered(client, "two?", of="day")
    second = await answered(client, "three?", of="night", n="2")
    run = await logged(client, {"type": "stored_completions"})
    assert (run.status, run.result_counts.passed, run.result_counts.total) == ("completed", 2, 2)
    items = await outputs(client, run)
    assert [item.datasource_item["id"] for item in items] == [first, second]
    assert items[0].datasource_item["input"] == [{"role": "user", "content": "one?"}]
    assert items[0].datasource_item["metadata"] == {"of": "night", "n": "1"}
    assert items[0].sample.output[0].content == "14"
    narrow = await logged(client, {"type": "stored_completions", "metadata": {"n": "2"}})
    assert narrow.result_counts.total == 1
    assert (
        await logged(client, {"type": "stored_completions", "limit": 1})
    ).result_counts.total == 1


async def test_stored_completions_are_asked_of_another_model_too(
    client: AsyncOpenAI, server: Composed
) -> None:
    await answered(client, "one?", of="night")
    run = await logged(client, {"type": "stored_completions"}, model=MODEL)
    assert (run.status, run.result_counts.passed) == ("completed", 1)
    (usage,) = run.per_model_usage
    assert usage.invocation_count == 1


async def test_stored_responses_are_graded_by_their_metadata(client: AsyncOpenAI) -> None:
    kept = await client.responses.create(model=MODEL, input="one?", metadata={"of": "night"})
    await client.responses.create(model=MODEL, input="two?", metadata={"of": "day"})
    await client.responses.create(
        model=MODEL, input="three?", metadata={"of": "night"}, store=False
    )
    run = await logged(client, {"type": "responses"}, type="responses")
    assert (run.status, run.result_counts.passed, run.result_counts.total) == ("completed", 1, 1)
    (item,) = await outputs(client, run)
    assert item.datasource_item["id"] == kept.id
    assert item.datasource_item["input"] == [{"role": "user", "content": "one?"}]


async def test_no_stored_answer_is_a_400_that_says_so(client: AsyncOpenAI) -> None:
    await answered(client, "one?", of="night")
    for filters in ({"metadata": {"n": "9"}}, {"model": "other"}, {"created_before": 1}):
        with pytest.raises(openai.BadRequestError, match="names no stored answer"):
            await logged(client, {"type": "stored_completions", **filters})


async def test_items_of_ones_own_need_a_model_and_messages(client: AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match=r"`data_source\.model` is missing"):
        await logged(client, {"type": "file_content", "content": ITEMS})
