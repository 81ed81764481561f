"""The trainer sees what the server renders: token by token, for every form of a request."""

from __future__ import annotations

import json
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NoReturn

import pytest
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from adaptation.conversation import Conversation
from adaptation.learning.training.chat import Chat, Template, check_served
from adaptation.learning.training.fake import FakeTrainer
from adaptation.learning.training.trainer import TrainingJob, TrainingResult
from adaptation.pebble import model_path
from memory.memory import LongTermMemory
from memory.types import Draft, Message, Tier
from server.config import Settings
from server.memory_opening import memory_of
from tests.server.composed import MODEL, Composed, Reply, arguments, composed

with warnings.catch_warnings():  # of importing vLLM: others' deprecations
    warnings.simplefilter("ignore")
    from server.engine import launch
    from server.engine.fake_client import open_fake_engine
    from server.parts import open_parts

pytestmark = pytest.mark.filterwarnings("ignore:max_tokens is deprecated:DeprecationWarning")
CHAT, COMPLETIONS, RESPONSES = "/v1/chat/completions", "/v1/completions", "/v1/responses"
VOTED = {"strategy": "consistency", "max_samples": 8, "memory": {"write": True, "reuse": False}}
USER = {"role": "user", "content": "How much is 6 times 7?"}
SYSTEM = {"role": "system", "content": " Be brief.\n"}
SHAPE = {"type": "object", "properties": {"b": {"type": "integer"}, "a": {"type": "integer"}}}
FUNCTION = {"name": "mul", "description": "Multiply.", "parameters": SHAPE, "strict": True}
TOOLS = [
    {"type": "function", "function": FUNCTION},
    {"type": "function", "function": {"name": "f"}},
]
FLAT = [{"type": "function", **FUNCTION}, {"type": "function", "name": "f", "parameters": None}]
CALLED = {"id": "c1", "type": "function", "function": {"name": "mul", "arguments": '{"b":7,"a":6}'}}
EMPTY = {"id": "c2", "type": "function", "function": {"name": "f", "arguments": ""}}
USED = [
    USER,
    {"role": "assistant", "content": None, "tool_calls": [CALLED, EMPTY]},
    {"role": "tool", "content": "42", "tool_call_id": "c1"},
    {"role": "tool", "content": [{"type": "text", "text": "none"}], "tool_call_id": "c2"},
    {"role": "assistant", "content": "It is 42.", "reasoning": "The tool says so."},
    {"role": "user", "content": "And twice that?"},
]
ITEMS = [
    {"role": "user", "content": [{"type": "input_text", "text": "How much is 6 times 7?"}]},
    {"type": "reasoning", "id": "r1", "summary": [], "content": [
        {"type": "reasoning_text", "text": "A tool knows."}]},
    {"type": "function_call", "call_id": "c1", "name": "mul", "arguments": '{"b":7,"a":6}'},
    {"type": "function_call", "call_id": "c2", "name": "f", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "c1", "output": "42"},
    {"type": "function_call_output", "call_id": "c2", "output": "none"},
    {"type": "message", "role": "assistant", "content": [
        {"type": "output_text", "text": "It is 42."}, {"type": "output_text", "text": " Yes."}]},
    {"role": "user", "content": "And twice that?"},
]  # fmt: skip
ASKED: dict[str, tuple[str, dict[str, Any]]] = {
    "a chat": (CHAT, {"messages": [USER]}),
    "an empty turn": (CHAT, {"messages": [{**SYSTEM, "content": ""}, USER]}),
    "a system turn": (CHAT, {"messages": [SYSTEM, USER]}),
    "two parts": (CHAT, {"messages": [{"role": "user", "content": [
        {"type": "text", "text": "How much"}, {"type": "text", "text": "is 6 times 7?"}]}]}),
    "parts without a type": (CHAT, {"messages": [{"role": "user", "content": [
        "How much", {"type": "text", "text": ""}, "is 6 times 7?"]}]}),
    "a thought among the parts": (CHAT, {"messages": [USER, {"role": "assistant", "content": [
        {"type": "thinking", "thinking": "6 sevens."}, {"type": "text", "text": "42"}]}, USER]}),
    "a line of Claude Code's": (CHAT, {"messages": [
        {**SYSTEM, "content": "x-anthropic-billing-header: cch=1;\nBe brief."}, USER]}),
    "an empty thought": (CHAT, {"messages": [
        USER, {"role": "assistant", "content": "It is 42.", "reasoning": ""}, USER]}),
    "a developer": (CHAT, {"messages": [USER, {"role": "developer", "content": "d"}, SYSTEM]}),
    "a name": (CHAT, {"messages": [{**USER, "name": "ann"}]}),
    "tools": (CHAT, {"messages": [USER], "tools": TOOLS}),
    "no tool is to be called": (CHAT, {"messages": [USER], "tools": TOOLS, "tool_choice": "none"}),
    "results of tools": (CHAT, {"messages": USED, "tools": TOOLS}),
    "arguments of the template": (
        CHAT, {"messages": [USER], "chat_template_kwargs": {"enable_thinking": True, "style": 1}}),
    "little effort": (CHAT, {"messages": [USER], "reasoning_effort": "low"}),
    "no effort": (CHAT, {"messages": [USER], "reasoning_effort": "none"}),
    "documents": (CHAT, {"messages": [USER], "documents": [{"title": "t", "text": "x"}]}),
    "a turn to go on with": (CHAT, {
        "messages": [USER, {"role": "assistant", "content": "It is"}],
        "add_generation_prompt": False, "continue_final_message": True}),
    "a form": (CHAT, {"messages": [USER], "response_format": {"type": "json_object"}}),
    "a bare prompt": (COMPLETIONS, {"prompt": "6 times 7 is", "max_tokens": 40}),
    "a response": (RESPONSES, {"input": "How much is 6 times 7?", "instructions": "Be brief."}),
    "a response's effort": (RESPONSES, {"input": "How much?", "reasoning": {"effort": "low"}}),
    "a response to go on with": (RESPONSES, {"input": [USER, {
        "type": "message", "role": "assistant", "id": "m1", "status": "incomplete",
        "content": [{"type": "output_text", "text": "It is", "annotations": []}]}]}),
    "a response's tools": (RESPONSES, {"input": "How much is 6 times 7?", "tools": FLAT}),
    "a response's items": (RESPONSES, {"input": ITEMS, "tools": FLAT}),
}  # fmt: skip

ENDS = "{% if add_generation_prompt %}<|im_start|>assistant\n{{ opened }}{% endif %}"
OPENED = (
    "{% set opened = '<think>\n' if enable_thinking is not false else '<think>\n\n</think>\n\n' %}"
)
THINKS = (
    OPENED + "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}"
    "{% for call in m.tool_calls or [] %}{{ call.function | tojson }}{% endfor %}"
    "<|im_end|>\n{% endfor %}" + ENDS
)
TELLS_ALL = (
    "{{ style }}{{ reasoning_effort }}{{ enable_thinking }}{{ documents | tojson if documents }}"
    "{{ tools | tojson if tools }}"
    "{% for m in messages %}{{ m.content }}{{ m | tojson }}\n{% endfor %}"
    "{{ add_generation_prompt }}"
)
IN_PARTS = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.content is string %}{{ m.content }}"
    "{% else %}{% for part in m.content %}[{{ part.text }}]{% endfor %}{% endif %}"
    "<|im_end|>\n{% endfor %}" + ENDS
)
DEFAULTS, OFF = "--default-chat-template-kwargs", '{"enable_thinking": false}'
SERVERS: dict[str, tuple[str | None, list[str]]] = {
    "whet-pebble": (None, []),
    "a thinking switch": (THINKS, []),
    "a switch that is off": (THINKS, [DEFAULTS, OFF]),
    "all that a template is told": (
        TELLS_ALL, [DEFAULTS, '{"style": "plain", "tools": []}']),
    "parts": (IN_PARTS, []),
    "no parts": (IN_PARTS, ["--chat-template-content-format", "string"]),
    "hidden tools": (None, ["--exclude-tools-when-tool-choice-none"]),
}  # fmt: skip
DIFFERS = {
    ("parts", "two parts"),
    ("parts", "parts without a type"),
    ("parts", "a thought among the parts"),
}
"""Memory keeps one text for a turn of several."""


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerBase:
    """The trainer's own, not the engine's."""
    loaded: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(model_path())
    return loaded


@asynccontextmanager
async def serving(
    name: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Composed]:
    source, flags = SERVERS[name]
    if source is not None:
        path = folder / "template.jinja"
        path.write_text(source)
        flags = [*flags, "--chat-template", str(path)]
    async with composed(
        folder, monkeypatch, lambda request: Reply('{"a": 1}\n#### 14'), flags
    ) as server:
        yield server


async def ask(server: Composed, path: str, body: dict[str, Any], **options: Any) -> None:
    await server.post(path, model=MODEL, adaptation={**VOTED, **options}, **body)


@pytest.mark.parametrize("name", SERVERS)
async def test_a_record_is_rendered_as_its_request_was(
    name: str, data_dir: Path, monkeypatch: pytest.MonkeyPatch, tokenizer: PreTrainedTokenizerBase
) -> None:
    async with serving(name, data_dir.parent, monkeypatch) as server:
        chat = Chat(tokenizer, server.parts.template)
        for case, (path, body) in ASKED.items():
            server.core.taken.clear()
            await ask(server, path, body)
            given = server.core.taken[0].prompt_token_ids
            (record,) = server.memory.list("default")
            asked = Conversation(messages=record.messages, request=record.request)
            is_alike = chat.encode(asked) == given
            assert is_alike is ((name, case) not in DIFFERS), f"{case}: {tokenizer.decode(given)}"
            theirs = await server.parts.engine.rendered(asked)
            assert theirs == (None if asked.is_raw else tuple(chat.encode(asked))), case
            server.memory.forget("default", record.id)


def neighbour(number: int) -> Draft:
    return Draft(
        tenant="default",
        messages=(Message(role="user", content=f"How much is {number} times 7?"),),
        request={"tools": TOOLS},
        answer=str(7 * number),
        rationale=f"#### {7 * number}",
        tier=Tier.FEEDBACK,
    )


async def train(server: Composed, case: str) -> tuple[dict[str, Any], TrainingJob]:
    """Return the report of a request that trains on neighbours, and its job."""
    server.memory.save_many([neighbour(number) for number in range(12)])
    path, body = ASKED[case]
    quiet = {"strategy": "ttt", "memory": {"write": False}}
    answer = await server.post(path, model=MODEL, adaptation=quiet, **body)
    return answer["adaptation"], server.trainer.jobs[-1]


def compare(trainer: FakeTrainer, chat: Chat) -> None:
    """Have a fake trainer look at the prompt as the real one does."""
    pretended = trainer.train

    async def checked(job: TrainingJob, *rest: Any) -> TrainingResult:
        result = await pretended(job, *rest)
        assert job.served is not None
        check_served(chat, job.served)
        return result

    trainer.train = checked  # type: ignore[method-assign]


async def test_a_job_carries_the_prompt_that_it_is_for_and_its_neighbours_own_tools(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, tokenizer: PreTrainedTokenizerBase
) -> None:
    async with serving("whet-pebble", data_dir.parent, monkeypatch) as server:
        compare(server.trainer, Chat(tokenizer, server.parts.template))
        report, job = await train(server, "tools")
        assert "render" not in (report["reason"] or ""), report["reason"]
        assert job.served is not None
        assert job.served.token_ids == tuple(server.core.taken[-1].prompt_token_ids)
        assert all(each.request == {"tools": TOOLS} for each in job.conversations)


async def test_nothing_is_trained_for_a_prompt_that_the_trainer_renders_otherwise(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, tokenizer: PreTrainedTokenizerBase
) -> None:
    async with serving("parts", data_dir.parent, monkeypatch) as server:
        compare(server.trainer, Chat(tokenizer, server.parts.template))
        report, _ = await train(server, "two parts")
        assert (report["strategy"], report["requested"]) == ("consistency", "ttt")
        assert (
            "training failed: the trainer does not render this prompt as the server does: token"
            in report["reason"]
        )
        assert report["adapter"] is None


async def test_nothing_is_trained_on_neighbours_that_the_trainer_renders_otherwise(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, tokenizer: PreTrainedTokenizerBase
) -> None:
    """The prompt has no tools and is rendered alike; the neighbours have."""
    async with serving("all that a template is told", data_dir.parent, monkeypatch) as server:
        theirs = server.parts.template
        deaf = TELLS_ALL.replace("{{ tools | tojson if tools }}", "")
        compare(server.trainer, Chat(tokenizer, theirs.model_copy(update={"source": deaf})))
        report, job = await train(server, "a chat")
        assert job.served is not None
        assert len(job.served.neighbours) == len((*job.conversations, *job.holdout))
        assert report["strategy"] == "consistency"
        assert "does not render a neighbour's prompt as the server does" in report["reason"]


async def test_the_trainers_process_is_told_how_the_server_renders_and_where_to_train(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[Template, str]] = []

    class Told(FakeTrainer):
        def __init__(
            self, model: str, *, template: Template, threads: int | None, device: str
        ) -> None:
            super().__init__()
            told.append((template, device))

    monkeypatch.setattr("server.trainers.ProcessTrainer", Told)
    monkeypatch.setattr(
        launch, "open_engine", lambda args: open_fake_engine(args, lambda request: Reply("x"))
    )
    settings = Settings(data_dir=data_dir, embedder="hashing", trainer_device="cpu")
    flags = [DEFAULTS, OFF, "--chat-template", TELLS_ALL]
    args = arguments(monkeypatch, settings, flags)
    async with open_parts(args, settings) as parts:
        assert told == [(parts.template, "cpu")]
    assert told == [(Template(source=TELLS_ALL, arguments=json.loads(OFF)), "cpu")]


async def test_what_was_opened_is_closed_where_the_engine_does_not_start(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[str] = []

    class Closes(FakeTrainer):
        def __init__(self, model: str, **_: object) -> None:
            super().__init__()

        async def close(self) -> None:
            closed.append("trainer")

    def opened(settings: Settings) -> LongTermMemory:
        memory = memory_of(settings)
        monkeypatch.setattr(memory, "close", lambda: closed.append("memory"))
        return memory

    def broken(args: object) -> NoReturn:
        raise RuntimeError("no engine")

    monkeypatch.setattr("server.trainers.ProcessTrainer", Closes)
    monkeypatch.setattr("server.parts.memory_of", opened)
    monkeypatch.setattr(launch, "open_engine", broken)
    settings = Settings(data_dir=data_dir, embedder="hashing", trainer_device="cpu")
    args = arguments(monkeypatch, settings, [])
    with pytest.raises(RuntimeError, match="no engine"):
        async with open_parts(args, settings):
            pass
    assert closed == ["trainer", "memory"]
