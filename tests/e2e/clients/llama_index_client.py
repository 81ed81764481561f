"""What LlamaIndex gets from a server: `python llama_index_client.py URL` prints it as JSON."""

import json
import sys

from llama_index.core.llms import ChatMessage
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai_like import OpenAILike
from openai import DefaultHttpxClient
from pydantic import BaseModel

URL, MODEL = f"{sys.argv[1]}/v1", "whet-pebble"
STORY = "Tom has 12 apples. He buys 7 more and gives 5 away. How many apples does Tom have?"
PERSON = "Reply in JSON with keys name and age: Tom is 12."


class Person(BaseModel):
    """Somebody."""

    name: str
    age: int


def get_weather(city: str) -> str:
    """Tell the weather."""
    return f"18 degrees in {city}"


def asked(question: str) -> list[ChatMessage]:
    """Return a conversation of one question."""
    return [ChatMessage(role="user", content=question)]


def strategy(shown) -> str | None:
    """Return the strategy that the report names, where what came from the server shows it."""
    report = (getattr(shown.raw, "model_extra", None) or {}).get("adaptation")
    return report["strategy"] if report else None


seen: list[str | None] = []
"""The strategy in the headers of each response."""


def note(response) -> None:
    """Keep what a response's headers say."""
    seen.append(response.headers.get("x-whet-strategy"))


def model(**more) -> OpenAILike:
    """Return the server as a model."""
    return OpenAILike(
        model=MODEL, api_base=URL, api_key="none", is_chat_model=True,
        is_function_calling_model=True, max_retries=0,
        http_client=DefaultHttpxClient(event_hooks={"response": [note]}), **more,
    )  # fmt: skip


llm = model()
whole = llm.chat(asked(STORY))
pieces = list(llm.stream_chat(asked(STORY)))
tools = [FunctionTool.from_defaults(get_weather)]
called = llm.chat_with_tools(tools, user_msg="What is the weather in Paris?")
schema = {"name": "person", "schema": Person.model_json_schema()}
formatted = {"response_format": {"type": "json_schema", "json_schema": schema}}
person = model(additional_kwargs=formatted).chat(asked(PERSON))
print(
    json.dumps(
        {
            "text": whole.message.content,
            "streamed": pieces[-1].message.content,
            "pieces": sum(bool(piece.delta) for piece in pieces),
            "calls": [
                {"name": call.tool_name, "args": call.tool_kwargs}
                for call in llm.get_tool_calls_from_response(called)
            ],
            "person": Person.model_validate_json(person.message.content).model_dump(),
            "report": {
                "whole": strategy(whole),
                "pieces": next(filter(None, map(strategy, reversed(pieces))), None),
                "headers": seen[0],
            },
            "request_id": whole.raw._request_id,
        }
    )
)
