"""Stored responses and conversations on the real engine, through a server that is killed."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.running import serving, wait_until

PLAIN = "whet-pebble:plain"


def test_what_was_said_before_a_kill_is_gone_on_with_after_it(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    with serving(data_dir, tmp_path / "one.log") as server:
        client = server.openai
        first = client.responses.create(model="whet-pebble", input="What is 12 + 7?")
        made = client.conversations.create(metadata={"about": "sums"})
        told = client.responses.create(model=PLAIN, input="What is 3 + 4?", conversation=made.id)
        begun = client.responses.create(
            model=PLAIN,
            input="Tell me a story.",
            background=True,
            extra_body={"ignore_eos": True, "max_output_tokens": 200},
        )
        assert server.process is not None
        server.process.kill()
        server.process.wait(60)
    with serving(data_dir, tmp_path / "two.log") as server:
        client = server.openai
        assert client.responses.retrieve(first.id).output_text == first.output_text
        alone = client.responses.create(model=PLAIN, input="And what is 5 + 5?")
        second = client.responses.create(
            model=PLAIN, input="And what is 5 + 5?", previous_response_id=first.id
        )
        assert second.usage is not None
        assert alone.usage is not None
        assert second.usage.input_tokens > alone.usage.input_tokens + 5
        items = list(client.conversations.items.list(made.id, order="asc"))
        assert [item.type for item in items] == ["message", "message"]
        assert items[1].id == told.output[0].id
        client.responses.create(model=PLAIN, input="Sure?", conversation=made.id)
        assert len(list(client.conversations.items.list(made.id))) == 4

        def state() -> str | None:
            return client.responses.retrieve(begun.id).status

        wait_until(lambda: state() in ("failed", "completed"), 120, "the end of what nobody makes")
        client.responses.delete(first.id)
        client.conversations.delete(made.id)
