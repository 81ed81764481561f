"""A model that solves most stories, and what people asked it: the world that the console shows."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from transformers import AutoTokenizer

from adaptation.evaluation.plan import make_plan
from adaptation.evaluation.suites import SUITES
from adaptation.evaluation.suites.solved import Solved
from adaptation.evaluation.suites.split import Split
from tests.server.composed import Reply

SEED = 7
LEVEL = 3
SKILL = 0.55
"""Share of the samples that are right."""
PACE_S = 0.6
"""Between two samples of a question that is answered slowly."""
SLOWLY = "Take your time."
"""Said in a question, it lets the votes fall one by one."""


class World:
    """Stories, their answers, and a model that gets most of them right."""

    def __init__(self, weights: str) -> None:
        """`weights` is the folder of the served model, for its tokenizer."""
        self._weights = weights
        self._rng = random.Random(SEED)
        self._slow = 0
        suite = SUITES["stories"]
        self.stories: Sequence[Solved] = suite.problems(
            400, split=Split.DEVELOPMENT, seed=SEED, level=LEVEL
        )
        asked = make_plan([suite], questions=24, examples=0, seed=0, levels={"stories": LEVEL})
        evaluated = [problem for world in asked.worlds for problem in world.problems]
        self._known = {each.question: each for each in (*self.stories, *evaluated)}

    @cached_property
    def _tokenizer(self) -> Any:
        return AutoTokenizer.from_pretrained(self._weights)

    def reply(self, request: Any) -> Reply:
        """Answer as the engine would: rightly most of the time, and slowly where that is asked."""
        prompt = self._tokenizer.decode(request.prompt_token_ids)
        story = self._story(prompt)
        if story is None:
            return Reply("I can solve short stories about numbers.")
        gate = self._gate() if SLOWLY in prompt else None
        return Reply(self._text(story), gate=gate, logprob=-0.05 - 0.4 * self._rng.random())

    def _story(self, prompt: str) -> Solved | None:
        """Return the story that was asked last: those before it are examples."""
        places = ((prompt.rfind(question), question) for question in self._known)
        place, question = max(places)
        return self._known[question] if place >= 0 else None

    def _text(self, story: Solved) -> str:
        if self._rng.random() < SKILL:
            return story.rationale
        wrong = int(story.answer) + self._rng.choice((-10, -1, -1, -1, 2, 10))
        head, _, _ = story.rationale.rpartition("####")
        return f"{head}#### {wrong}"

    def _gate(self) -> asyncio.Event:
        """Return what is set a while after the gates before."""
        gate = asyncio.Event()
        self._slow = self._slow % 12 + 1
        asyncio.get_running_loop().call_later(self._slow * PACE_S, gate.set)
        return gate
