"""An evaluation on the real engine: the model answers, and grades itself in JSON."""

from __future__ import annotations

from typing import Any

from tests.e2e.running import Running, wait_until

ITEMS = [{"item": {"sum": f"{a} + 5", "total": str(a + 5)}} for a in (2, 7, 9)]


def test_a_run_is_answered_and_graded(server: Running) -> None:
    client = server.openai
    judged: dict[str, Any] = {
        "model": "whet-pebble",
        "input": [{"role": "user", "content": "Good or bad? {{ sample.output_text }}"}],
    }
    criteria: Any = [
        {"type": "string_check", "name": "right", "operation": "like",
         "input": "{{ sample.output_text }}", "reference": "{{ item.total }}"},
        {"type": "label_model", "name": "label", "labels": ["good", "bad"],
         "passing_labels": ["good", "bad"], **judged},
    ]  # fmt: skip
    schema = {"type": "object", "properties": {"sum": {}, "total": {}}}
    config: Any = {"type": "custom", "item_schema": schema, "include_sample_schema": True}
    found = client.evals.create(data_source_config=config, testing_criteria=criteria)
    asked: Any = {"type": "template", "template": [{"role": "user", "content": "{{ item.sum }}?"}]}
    for kind in ("completions", "responses"):
        given: Any = {
            "type": kind, "model": "whet-pebble", "input_messages": asked,
            "source": {"type": "file_content", "content": ITEMS},
            "sampling_params": {"temperature": 0.0, "seed": 1, "max_completion_tokens": 200},
        }  # fmt: skip
        made = client.evals.runs.create(found.id, data_source=given)

        def is_done(run_id: str = made.id) -> bool:
            return client.evals.runs.retrieve(run_id, eval_id=found.id).status == "completed"

        wait_until(is_done, 120, "the run is done")
        done = client.evals.runs.retrieve(made.id, eval_id=found.id)
        assert (done.result_counts.total, done.result_counts.errored) == (3, 0), done
        met = {each.testing_criteria: each.passed for each in done.per_testing_criteria_results}
        assert met["label"] == 3
        assert met["right"] == done.result_counts.passed >= 2
        assert done.per_model_usage[0].invocation_count == 6
