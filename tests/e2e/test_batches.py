"""A batch on the real engine, sent and read by OpenAI's client."""

from __future__ import annotations

import json

from tests.e2e.running import Running, wait_until


def test_a_batch_of_strategies_is_answered(server: Running) -> None:
    client = server.openai
    lines = [
        json.dumps(
            {
                "custom_id": f"{terms}={model}",
                "method": "POST",
                "url": "/v1/chat/completions",
                "body": {
                    "model": f"whet-pebble:{model}",
                    "messages": [{"role": "user", "content": f"What is {terms}?"}],
                    "temperature": 0.3,
                },
            }
        )
        for model in ("plain", "consistency")
        for terms in ("7 + 5", "20 - 8", "6 + 9")
    ]
    file = client.files.create(file=("night.jsonl", "\n".join(lines).encode()), purpose="batch")
    batch = client.batches.create(
        input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h"
    )
    wait_until(lambda: client.batches.retrieve(batch.id).status == "completed", 120, "it is done")
    done = client.batches.retrieve(batch.id)
    assert done.request_counts is not None
    assert (done.request_counts.completed, done.request_counts.failed) == (6, 0)
    assert done.output_file_id is not None
    answers = [
        json.loads(line) for line in client.files.content(done.output_file_id).text.splitlines()
    ]
    assert [answer["custom_id"] for answer in answers] == [
        json.loads(line)["custom_id"] for line in lines
    ]
    for answer in answers:
        body = answer["response"]["body"]
        strategy = answer["custom_id"].partition("=")[2]
        assert body["adaptation"]["strategy"] == strategy
        assert body["choices"][0]["message"]["content"]
