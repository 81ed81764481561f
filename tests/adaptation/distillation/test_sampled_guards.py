"""What chance makes of sampled guards, where a model is weak."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from random import Random

from adaptation.conversation import Conversation
from adaptation.learning.distillation.guards import Probe
from adaptation.learning.distillation.sampling import Sampling, sampled_objections
from adaptation.learning.training.trainer import Foreseen
from memory.types import Record

FAR = [Probe(f"What is {n}?", "^yes$", "odd") for n in range(8)]
TRIALS = 150
Chance = Callable[[Random], float]
"""Draws the chance of one question that a reply is right."""


def weak(rng: Random) -> float:
    """Return that of a model which has 30 % right, and finds every other answer by 16 replies."""
    return rng.betavariate(0.3, 0.7)


def left(share: float) -> Chance:
    """Return that of a model as weak, which has lost all but a share of the questions."""
    return lambda rng: weak(rng) * (rng.random() < share)


async def passes(held_out: Sequence[Record], candidate: Chance, rng: Random) -> bool:
    """Whether sampled guards let a candidate pass; what is served is weak."""
    chances: defaultdict[tuple[str, bool], float] = defaultdict(lambda: 0.0)
    for each in (*FAR, *held_out):
        chances |= {(each.question, True): candidate(rng), (each.question, False): weak(rng)}

    async def sample(
        phase: str, prompts: Sequence[Conversation], adapter: str | None, first: int
    ) -> list[str]:
        asked = [(prompt.messages[-1].content, adapter is not None) for prompt in prompts]
        return ["yes" if rng.random() < chances[each] else f"{rng.random()}" for each in asked]

    async def measure(said: Sequence[Conversation], adapter: str | None) -> list[Foreseen]:
        return [Foreseen(tokens=1, loss=1.0, right=1) for _ in said]

    sampling = Sampling(sample, measure, lambda text, record: text == record.answer)
    before = await sampling.before(FAR, held_out, None)
    after = await sampling.after(FAR, held_out, "candidate")
    return not sampled_objections(await sampling.compared(before, after, "candidate"))


async def test_a_candidate_as_good_as_a_weak_model_passes_and_one_half_as_good_rarely(
    record: Callable[..., Record],
) -> None:
    """By losses alone one in ten of those as good passed."""
    held_out, rng = [record(n, answer="yes") for n in range(8)], Random(3)

    async def share(candidate: Chance) -> float:
        return sum([await passes(held_out, candidate, rng) for _ in range(TRIALS)]) / TRIALS

    assert await share(weak) > 0.7
    assert await share(left(0.5)) < 0.4
    assert await share(left(0.1)) < 0.05
