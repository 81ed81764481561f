"""What pydantic-ai gets from a server: `python pydantic_ai_client.py URL` prints it as JSON."""

import asyncio
import json
import sys

from openai import DefaultAsyncHttpxClient
from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput
from pydantic_ai.messages import ModelResponse, ToolCallPart
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.usage import UsageLimits

URL = f"{sys.argv[1]}/v1"
STORY = "Tom has 12 apples. He buys 7 more and gives 5 away. How many apples does Tom have?"
seen: list[str | None] = []
"""The strategy in the headers of each response."""


async def note(response) -> None:
    """Keep what a response's headers say."""
    seen.append(response.headers.get("x-whet-strategy"))


HTTP = DefaultAsyncHttpxClient(event_hooks={"response": [note]})
PROVIDER = OpenAIProvider(base_url=URL, api_key="none", http_client=HTTP)
MODEL = OpenAIChatModel("whet-pebble", provider=PROVIDER)


class Person(BaseModel):
    """Somebody."""

    name: str
    age: int


async def main() -> None:
    """Ask in every way."""
    whole = await Agent(MODEL).run(STORY)
    async with Agent(MODEL).run_stream(STORY) as stream:
        pieces = [piece async for piece in stream.stream_text(delta=True, debounce_by=None)]
    person = await Agent(MODEL, output_type=NativeOutput(Person)).run(
        "Reply in JSON with keys name and age: Tom is 12."
    )
    asked: list[str] = []
    agent = Agent(MODEL)

    @agent.tool_plain
    def get_weather(city: str) -> str:
        """Tell the weather."""
        asked.append(city)
        return f"18 degrees in {city}"

    told = await agent.run(
        "What is the weather in Paris?", usage_limits=UsageLimits(request_limit=4)
    )
    calls = [
        part.tool_name
        for message in told.all_messages()
        if isinstance(message, ModelResponse)
        for part in message.parts
        if isinstance(part, ToolCallPart)
    ]
    print(
        json.dumps(
            {
                "text": whole.output,
                "output_tokens": whole.usage.output_tokens,
                "streamed": "".join(pieces),
                "pieces": len(pieces),
                "person": person.output.model_dump(),
                "asked": asked,
                "calls": calls,
                "told": told.output,
                "report": {
                    "whole": "adaptation" in repr(whole.all_messages()),
                    "pieces": "adaptation" in repr(stream.all_messages()),
                    "id": whole.response.provider_response_id,
                    "headers": seen[0],
                },
            }
        )
    )


asyncio.run(main())
