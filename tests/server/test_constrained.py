"""JSON that the engine is held to: compact by default, ended where only white space comes, and a
form that cannot be had told as the request's fault."""

from __future__ import annotations

import warnings
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.server.composed import Composed, Reply, composed

with warnings.catch_warnings():  # of importing vLLM: others' deprecations
    warnings.simplefilter("ignore")
    from vllm import SamplingParams
    from vllm.exceptions import GracefulHTTPError, VLLMValidationError
    from vllm.outputs import CompletionOutput, RequestOutput
    from vllm.sampling_params import StructuredOutputsParams

    from server.config import Settings
    from server.engine import launch
    from server.engine.outputs import BLANK_TOKENS, LONGEST_LOOP, LOOP_TOKENS, PartialSample
    from server.engine.refusals import told
    from server.startup import engine_defaults

from adaptation.types import Draw

pytestmark = pytest.mark.filterwarnings("ignore:max_tokens is deprecated:DeprecationWarning")
Serve = Callable[..., AbstractAsyncContextManager[Composed]]
FORM = {"response_format": {"type": "json_object"}}
BLANK = '{"name":' + " \n" * 600
FULL = '{"name": "Ann"}'


@pytest.fixture
def serve(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Serve:
    """Return what serves a script."""

    def build(script: Any, **settings: Any) -> AbstractAsyncContextManager[Composed]:
        return composed(data_dir.parent, monkeypatch, script, **settings)

    return build


async def test_a_vote_does_not_pay_for_white_space_without_end(serve: Serve) -> None:
    async with serve(lambda request: Reply(BLANK)) as server:
        whole = len(server.core._tokenizer.encode(BLANK))
        assert whole > 4 * BLANK_TOKENS
        answer = await server.chat(**FORM)
        report, choice = answer["adaptation"], answer["choices"][0]
        assert choice["finish_reason"] == "length"
        assert (report["answer"], report["memory"]["saved"]) == (None, None)
        finished = report["samples"]["finished"]
        assert server.core.generated_tokens < finished * (BLANK_TOKENS + 40) < finished * whole / 2
        assert answer["usage"]["completion_tokens"] == server.core.generated_tokens


async def test_a_whole_object_wins_over_white_space(serve: Serve) -> None:
    texts, number = [BLANK, BLANK, FULL, BLANK], count()

    def script(request: Any) -> Reply:
        return Reply(texts[next(number) % 4])

    async with serve(script) as server:
        answer = await server.chat(**FORM, adaptation={"max_samples": 4, "confidence": 0.99})
        assert answer["choices"][0]["message"]["content"] == FULL
        assert answer["choices"][0]["finish_reason"] == "stop"


async def test_text_that_nothing_is_demanded_of_may_have_white_space(serve: Serve) -> None:
    text = "#### 1" + "\n" * 400
    async with serve(lambda request: Reply(text)) as server:
        answer = await server.chat(adaptation={"strategy": "consistency", "max_samples": 1})
        assert answer["choices"][0]["finish_reason"] == "stop"


def test_text_that_is_held_back_is_no_white_space() -> None:
    """vLLM gives tokens without text while what it has may be the beginning of a stop string."""
    partial = PartialSample(Draw(0, "r", None, None, None))
    for text in [*[""] * 200, "a", *["\n"] * (BLANK_TOKENS - 1)]:
        partial.add(output([7], text))
        assert not partial.is_blank
    partial.add(output([7], "\n"))
    assert partial.is_blank


@pytest.mark.parametrize("period", [1, 7, LONGEST_LOOP])
def test_the_same_few_tokens_over_and_over_are_a_loop(period: int) -> None:
    partial = PartialSample(Draw(0, "r", None, None, None))
    looped: list[bool] = []
    for place in range(2 * LOOP_TOKENS):
        partial.add(output([place % period], "x"))
        looped.append(partial.is_repeating)
    assert not any(looped[: LOOP_TOKENS - 1])
    assert any(looped)


def test_what_goes_on_saying_something_else_is_no_loop() -> None:
    partial = PartialSample(Draw(0, "r", None, None, None))
    for place in range(3 * LOOP_TOKENS):
        partial.add(output([place % (LONGEST_LOOP + 1)], "x"))
        assert not partial.is_repeating


async def test_a_vote_that_repeats_itself_is_cut_and_another_wins(serve: Serve) -> None:
    texts, number = ["so " * 900, "#### 5", "#### 5", "#### 5"], count()

    def script(request: Any) -> Reply:
        return Reply(texts[next(number) % 4])

    async with serve(script) as server:
        answer = await server.chat(adaptation={"max_samples": 4, "confidence": 0.99})
        report = answer["adaptation"]
        assert report["answer"] == "5"
        assert report["tokens"]["losing"] + report["tokens"]["cancelled"] < 600


async def test_the_only_sample_may_repeat_itself(serve: Serve) -> None:
    text = "so " * 900
    async with serve(lambda request: Reply(text)) as server:
        answer = await server.chat(adaptation={"strategy": "consistency", "max_samples": 1})
        assert answer["choices"][0]["message"]["content"].strip() == text.strip()


def output(ids: list[int], text: str = "", finish: str | None = None) -> RequestOutput:
    choice = CompletionOutput(0, text, ids, None, None, finish_reason=finish)
    return RequestOutput("r", None, [1], None, [choice], finished=finish is not None)


async def gave_up(*steps: RequestOutput) -> AsyncGenerator[RequestOutput, None]:
    for step in steps:
        yield step


HELD = SamplingParams(structured_outputs=StructuredOutputsParams(grammar="root ::= root"))


@pytest.mark.parametrize("ids", [[], [7]])
async def test_a_form_that_cannot_be_had_is_the_requests_fault(ids: list[int]) -> None:
    """It fails to compile, or its first token is one that it does not allow."""
    with pytest.raises(VLLMValidationError, match="`response_format`") as caught:
        _ = [
            step async for step in told(gave_up(output(ids, "", "error")), HELD, "response_format")
        ]
    assert caught.value.parameter == "response_format"


@pytest.mark.parametrize(
    ("params", "steps"),
    [
        (SamplingParams(), [output([], "", "error")]),
        (HELD, [output([7], "a"), output([8], "", "error")]),
    ],
)
async def test_what_the_engine_gives_up_otherwise_is_the_servers_fault(
    params: SamplingParams, steps: list[RequestOutput]
) -> None:
    with pytest.raises(GracefulHTTPError) as caught:
        _ = [step async for step in told(gave_up(*steps), params, "response_format")]
    assert caught.value.http_status == 500


@pytest.mark.parametrize(
    ("flags", "backend", "is_compact"),
    [
        ([], "auto", True),
        (["--structured-outputs-config", '{"disable_any_whitespace": false}'], "auto", False),
        (["--structured-outputs-config", '{"backend": "guidance"}'], "guidance", False),
    ],
)
def test_json_is_compact_by_default_and_the_choice_of_backends_stays(
    flags: list[str], backend: str, is_compact: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in engine_defaults.ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    parser = launch.make_parser()
    parser.set_defaults(model=None, **engine_defaults.flags_for(launch.on_cpu()))
    args = parser.parse_args(flags)
    engine_defaults.complete(args, Settings(), on_cpu=launch.on_cpu())
    held = launch.EngineArgs.from_cli_args(args).create_engine_config().structured_outputs_config
    assert (held.backend, held.disable_any_whitespace) == (backend, is_compact)


def test_a_model_that_has_learned_no_compact_json_keeps_its_spaces() -> None:
    args = launch.make_parser().parse_args([])
    launch.allow_spaces_in_json(args)
    assert args.structured_outputs_config == launch.StructuredOutputsConfig()
    flags = ["--structured-outputs-config", '{"backend": "guidance"}']
    args = launch.make_parser().parse_args(flags)
    before = args.structured_outputs_config
    launch.allow_spaces_in_json(args)
    assert args.structured_outputs_config is before
