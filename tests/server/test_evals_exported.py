"""What OpenAI shows of evals, runs and jobs can be asked for as it is shown."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from adaptation.learning.finetuning.plan import Hyperparameters
from memory.offline.evaluation import Evaluation, EvaluationDetails
from server.evals.specs import Completions, Custom, NewEvalBody, NewRunBody, Responses
from server.finetuning.forms import NewFineTuning
from server.routes.evals import eval_object

SCHEMA = {
    "type": "object",
    "properties": {"total": {"type": ["string", "null"], "default": None}},
    "required": ["total"],
}
LINE = {
    "type": "object",
    "properties": {"item": SCHEMA, "sample": {"type": "object", "properties": {}}},
    "required": ["item", "sample"],
}
EQUAL = {
    "name": "equal",
    "id": "equal-2eb44cb9-5a29-4d4e-9f1f-5a1f1b4e0b0e",
    "type": "string_check",
    "input": "{{ sample.output_text }}",
    "reference": "{{ item.total }}",
    "operation": "eq",
}
SCORE = {
    "name": "score",
    "id": "score-1",
    "type": "score_model",
    "model": "whet-pebble",
    "input": [
        {
            "type": "message",
            "role": "user",
            "content": {
                "type": "input_text",
                "text": "{{ sample.output_text }}",
                "prompt_cache_breakpoint": None,
            },
            "phase": None,
        }
    ],
    "range": None,
    "sampling_params": {"max_completions_tokens": 16, "seed": None, "reasoning_effort": None},
    "pass_threshold": None,
}


def shown(**more: Any) -> dict[str, Any]:
    config = {"type": "custom", "schema": LINE}
    asked = {"name": None, "metadata": None, "data_source_config": config}
    return {**asked, "testing_criteria": [EQUAL, SCORE], **more}


def test_an_eval_is_made_of_what_is_shown_of_one() -> None:
    body = NewEvalBody.model_validate(shown())
    assert body.name == ""
    assert body.data_source_config == Custom(
        type="custom", item_schema=SCHEMA, include_sample_schema=True
    ), "a null that is part of a schema stays"
    equal, score = body.testing_criteria
    assert "id" not in equal.model_dump()
    assert score.range == (0.0, 1.0)
    assert "pass_threshold" not in score.model_dump(exclude_unset=True)


def test_our_own_evals_are_made_again_of_what_is_shown() -> None:
    body = NewEvalBody.model_validate(shown())
    details = EvaluationDetails(
        source=body.data_source_config.model_dump(mode="json"),
        criteria=[
            each.model_dump(mode="json", exclude_unset=True) for each in body.testing_criteria
        ],
        metadata=None,
    )
    kept = Evaluation(
        id="eval_1", tenant="ann", name="", details=details, created_at=0.0, updated_at=0.0
    )
    again = {
        name: eval_object(kept)[name]
        for name in ("name", "metadata", "data_source_config", "testing_criteria")
    }
    assert NewEvalBody.model_validate(again) == body


def test_a_source_of_logs_is_shown_with_a_schema_that_nobody_gives() -> None:
    config = {"type": "logs", "schema": LINE, "metadata": {"of": "sums"}}
    body = NewEvalBody.model_validate(shown(data_source_config=config))
    assert body.data_source_config.metadata == {"of": "sums"}


def test_a_run_is_made_of_what_is_shown_of_one() -> None:
    source = {
        "type": "completions",
        "model": "whet-pebble",
        "source": {
            "type": "file_content",
            "content": [{"item": {"total": None}, "sample": None}],
        },
        "input_messages": {
            "type": "template",
            "template": [{"type": "message", "role": "user", "content": "{{ item.total }}"}],
        },
        "sampling_params": {
            "seed": 42,
            "temperature": 1.0,
            "top_p": 1.0,
            "max_completions_tokens": 2048,
            "tools": None,
        },
    }
    body = NewRunBody.model_validate({"name": None, "data_source": source})
    assert isinstance(body.data_source, Completions)
    assert body.data_source.sampling_params is not None
    assert body.data_source.sampling_params.max_completion_tokens == 2048
    assert body.data_source.source.content[0].item == {"total": None}, "an item is the client's"


def test_filters_of_stored_responses_that_are_null_filter_nothing() -> None:
    filters = ("created_after", "instructions_search", "reasoning_effort", "tools", "users")
    source = {"type": "responses", **dict.fromkeys(filters)}
    body = NewRunBody.model_validate({"data_source": {"type": "responses", "source": source}})
    assert isinstance(body.data_source, Responses)
    source["instructions_search"] = "be short"
    with pytest.raises(ValidationError, match="instructions_search"):
        NewRunBody.model_validate({"data_source": {"type": "responses", "source": source}})


def test_a_fine_tuning_is_made_of_what_is_shown_of_one() -> None:
    nulls = {"n_epochs": None, "batch_size": None, "learning_rate_multiplier": 2.0}
    method = {"type": "supervised", "supervised": {"hyperparameters": nulls}, "dpo": None}
    asked = {"model": "m", "training_file": "file-1", "method": method, "colour": None}
    body = NewFineTuning.model_validate(asked)
    assert body.method is not None
    assert body.method.supervised is not None
    assert body.method.supervised.hyperparameters == Hyperparameters(learning_rate_multiplier=2.0)
