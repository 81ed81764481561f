"""What openai-python shows of the report: `python openai_client.py URL` prints it as JSON."""

import json
import sys

from openai import OpenAI

URL, MODEL = f"{sys.argv[1]}/v1", "whet-pebble"
STORY = "Tom has 12 apples. He buys 7 more and gives 5 away. How many apples does Tom have?"
CHAT = {"model": MODEL, "messages": [{"role": "user", "content": STORY}]}

client = OpenAI(base_url=URL, api_key="none", max_retries=0)


def strategy(shown) -> str | None:
    """Return the strategy that the report in `shown` names, if there is one."""
    report = (getattr(shown, "model_extra", None) or {}).get("adaptation")
    return report["strategy"] if report else None


def of_any(parts) -> str | None:
    """Return the strategy that the last part names which names one."""
    return next(filter(None, map(strategy, reversed(list(parts)))), None)


whole = client.chat.completions.create(**CHAT)
chunks = list(client.chat.completions.create(**CHAT, stream=True))
with client.chat.completions.stream(**CHAT) as events:
    seen = [event.chunk for event in events if event.type == "chunk"]
    gathered = events.get_final_completion()
response = client.responses.create(model=MODEL, input=STORY)
with client.responses.stream(model=MODEL, input=STORY) as events:
    told = [event.response for event in events if hasattr(event, "response")]
    final = events.get_final_response()
print(
    json.dumps(
        {
            "text": gathered.choices[0].message.content,
            "status": final.status,
            "report": {
                "whole": strategy(whole),
                "chunks": of_any(chunks),
                "stream_events": of_any(seen),
                "stream_gathered": strategy(gathered) or of_any(gathered.choices),
                "response": strategy(response),
                "response_events": of_any(told),
                "response_gathered": strategy(final),
            },
        }
    )
)
