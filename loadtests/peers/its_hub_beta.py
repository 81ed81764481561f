"""its_hub's Beta self-consistency behind a pipe; runs in its_hub's own environment, knows no Whet.

Arguments: the URL of an OpenAI-compatible server, a model, the most samples, the temperature, and
the most tokens of one. Reads a question per line of stdin, as JSON, and writes the chosen text so.
"""

import asyncio
import json
import logging
import sys

from its_hub.core.algorithms.beta_self_consistency import BetaSelfConsistency
from its_hub.core.algorithms.self_consistency import create_regex_projection_function
from its_hub.core.lms.openai_lm import OpenAICompatibleLanguageModel

ANSWER = r"####\s*([^\n]*)"
"""How the built-in model marks its answer; its_hub compares whole texts unless it is told."""


async def main(url: str, model: str, votes: int, temperature: float, max_tokens: int) -> None:
    """Answer questions until stdin ends."""
    logging.disable(logging.WARNING)
    answers = BetaSelfConsistency(0.95, create_regex_projection_function(ANSWER))
    settings = {"temperature": temperature, "max_completion_tokens": max_tokens}
    async with OpenAICompatibleLanguageModel(url, "none", model, **settings) as lm:
        while line := await asyncio.to_thread(sys.stdin.readline):
            chosen = await answers.ainfer(lm, json.loads(line), votes)
            print(json.dumps(chosen["content"]), flush=True)


if __name__ == "__main__":
    _, url, model, votes, temperature, max_tokens = sys.argv
    asyncio.run(main(url, model, int(votes), float(temperature), int(max_tokens)))
