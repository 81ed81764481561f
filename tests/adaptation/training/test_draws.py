"""Seeds of replies: a reply is drawn alike whatever is asked beside it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from adaptation.learning.training.draws import seeds_of
from adaptation.learning.training.trainer import Draw

PROMPTS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=12)


@given(PROMPTS, PROMPTS)
def test_a_reply_has_its_own_seed_and_later_replies_to_a_prompt_go_on(
    prompts: list[tuple[int, ...]], more: list[tuple[int, ...]]
) -> None:
    seeds = seeds_of(Draw(seed=5), prompts)
    assert len(set(seeds)) == len(seeds)
    assert seeds_of(Draw(seed=5), [*prompts, *more])[: len(prompts)] == seeds
    assert not {*seeds} & {*seeds_of(Draw(seed=6), prompts)}
    one, three = seeds_of(Draw(first=1), [(1, 2)]), seeds_of(Draw(), [(1, 2)] * 3)
    assert one == three[1:2]
