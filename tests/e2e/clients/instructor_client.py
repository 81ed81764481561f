"""What instructor gets from a server: `python instructor_client.py URL` prints it as JSON."""

import json
import sys

import instructor
from openai import OpenAI
from pydantic import BaseModel

URL, MODEL = f"{sys.argv[1]}/v1", "whet-pebble"
ASK = [{"role": "user", "content": "Reply in JSON with keys name and age: Tom is 12."}]


class Person(BaseModel):
    """Somebody."""

    name: str
    age: int


client = instructor.from_openai(
    OpenAI(base_url=URL, api_key="none"), mode=instructor.Mode.JSON_SCHEMA
)
replies: list = []
client.on("completion:response", replies.append)
person, completion = client.chat.completions.create_with_completion(
    model=MODEL, messages=ASK, response_model=Person, max_retries=0, max_tokens=60
)
pieces = list(
    client.chat.completions.create_partial(
        model=MODEL, messages=ASK, response_model=Person, max_retries=0, max_tokens=60
    )
)
stream = replies[-1]
found = {
    "person": person.model_dump(),
    "strategy": completion.model_extra["adaptation"]["strategy"],
    "request_id": completion._request_id,
    "streamed": pieces[-1].model_dump(),
    "streamed_report": any("adaptation" in repr(vars(piece)) for piece in pieces),
    "streamed_headers": stream.response.headers["x-whet-strategy"],
}
print(json.dumps(found))
