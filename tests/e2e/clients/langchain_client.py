"""What LangChain gets from a server: `python langchain_client.py URL` prints it as JSON."""

import json
import sys

from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel

URL, MODEL = f"{sys.argv[1]}/v1", "whet-pebble"
STORY = "Tom has 12 apples. He buys 7 more and gives 5 away. How many apples does Tom have?"


class Person(BaseModel):
    """Somebody."""

    name: str
    age: int


@tool
def get_weather(city: str) -> str:
    """Tell the weather."""
    return f"18 degrees in {city}"


llm = ChatOpenAI(
    base_url=URL, api_key="none", model=MODEL, max_retries=0, include_response_headers=True
)
whole = llm.invoke(STORY)
pieces = list(llm.stream(STORY, stream_usage=True))
called = llm.bind_tools([get_weather]).invoke("What is the weather in Paris?")
person = llm.with_structured_output(Person).invoke(
    "Reply in JSON with keys name and age: Tom is 12."
)
embeddings = OpenAIEmbeddings(
    base_url=URL, api_key="none", model="all-MiniLM-L6-v2", check_embedding_ctx_length=False
)
print(
    json.dumps(
        {
            "text": whole.content,
            "usage": whole.usage_metadata,
            "streamed": "".join(piece.content for piece in pieces),
            "pieces": sum(bool(piece.content) for piece in pieces),
            "streamed_usage": [p.usage_metadata for p in pieces if p.usage_metadata][-1],
            "calls": [{"name": c["name"], "args": c["args"]} for c in called.tool_calls],
            "person": person.model_dump(),
            "batch": [reply.content for reply in llm.batch([STORY, "What is 2 + 3?"])],
            "report": {
                "whole": "adaptation" in repr(whole),
                "pieces": any("adaptation" in repr(piece) for piece in pieces),
                "id": whole.response_metadata["id"],
                "headers": whole.response_metadata["headers"].get("x-whet-strategy"),
                "stream_headers": next(
                    (
                        piece.response_metadata["headers"].get("x-whet-strategy")
                        for piece in pieces
                        if "headers" in piece.response_metadata
                    ),
                    None,
                ),
            },
            "dimensions": [len(vector) for vector in embeddings.embed_documents(["a", "b"])],
        }
    )
)
