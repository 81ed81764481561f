"""Voting on the fake engine: when it stops, what it cancels, and that the bill adds up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from adaptation.errors import DeadlineError, EngineError
from adaptation.fake_engine import FakeEngine, Reply
from adaptation.report import StopReason
from adaptation.types import Draw, Query, Sample, Vote
from adaptation.voting.draws import Drawer, instructed
from adaptation.voting.pool import SamplePool
from adaptation.voting.reader import Reader
from adaptation.voting.representative import Representative
from adaptation.voting.stopping import BetaRule, CertainRule, FixedRule, StoppingRule
from adaptation.voting.voting import FREE_TEXT_WAVE, IN_FLIGHT, Voting
from adaptation.voting.weights import WEIGHTS, count
from adaptation.workers.algebra import Algebra
from memory.identity.answers import Answer
from memory.types import Message

Says = Callable[..., FakeEngine]
MakeQuery = Callable[..., Query]


async def embed_by_length(texts: Sequence[str]) -> np.ndarray:
    """Put texts on a half circle by their length: similar length, similar text."""
    angles = np.array([len(text) for text in texts]) / 50
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


async def hold_vote(
    query: Query,
    engine: FakeEngine,
    rule: StoppingRule | None = None,
    weigh: Callable[[Sample], float] = count,
    instructions: Sequence[str] = (),
    ask: bool = False,
) -> tuple[Vote, SamplePool]:
    voting = Voting(
        query,
        rule or BetaRule(),
        Drawer(query, engine, instructions),
        Representative(query, engine, embed_by_length, ask=ask),
        Reader(query),
        weigh,
    )
    async with SamplePool(engine, query, query.options.budget.tokens) as pool:
        stop = await voting.poll(pool, query.options.max_samples, adapter=None)
        return await voting.conclude(pool, stop), pool


async def test_a_unanimous_vote_stops_after_four_samples(says: Says, make_query: MakeQuery) -> None:
    engine = says(["42"])
    vote, pool = await hold_vote(make_query(), engine)
    assert (vote.answer, vote.stop_reason, vote.agreement) == ("42", StopReason.CONFIDENT, 1.0)
    assert len(engine.drawn) == 4
    assert pool.sample_counts().finished == 4


async def test_a_split_vote_draws_every_sample_it_may(says: Says, make_query: MakeQuery) -> None:
    engine = says(["1", "2"])
    vote, _ = await hold_vote(make_query(max_samples=8), engine)
    assert vote.stop_reason is StopReason.EXHAUSTED
    assert len(engine.drawn) == 8
    assert [entry.count for entry in vote.counts] == [4, 4]
    assert vote.answer == "1", "a tie goes to the answer that arrived first"


async def test_the_most_voted_answer_wins_not_the_first(says: Says, make_query: MakeQuery) -> None:
    vote, _ = await hold_vote(make_query(), says(["7", "42", "42", "42", "42", "42", "42"]))
    assert vote.answer == "42"
    assert "42" in vote.winner.text


async def test_what_still_runs_when_a_vote_ends_is_cancelled_and_billed(
    make_query: MakeQuery,
) -> None:
    never = asyncio.Event()
    engine = FakeEngine(
        lambda q, draw: Reply(
            "#### 2", tokens=5 + draw.index, gate=never if draw.index == 2 else None
        )
    )
    query = make_query(max_samples=4, query_deadline=time.monotonic() + 0.3)
    vote, pool = await hold_vote(query, engine, FixedRule())
    tokens = pool.token_counts(lambda index: index == vote.winner.index)
    assert engine.running == set()
    assert engine.cancelled == {2}
    assert pool.sample_counts().cancelled == 1
    assert tokens.cancelled == 6, "all but the last of the seven tokens of draw 2"
    assert tokens.returned == vote.winner.n_tokens
    assert tokens.generated == engine.tokens


async def test_what_an_engine_holds_back_of_a_cancelled_sample_is_billed_too(
    make_query: MakeQuery,
) -> None:
    never = asyncio.Event()
    engine = FakeEngine(lambda q, draw: Reply("#### 2", tokens=9, bundle=100, gate=never))
    query = make_query(max_samples=2, query_deadline=time.monotonic() + 0.1)
    vote, pool = await hold_vote(query, engine, FixedRule())
    tokens = pool.token_counts(lambda index: index == vote.winner.index)
    assert engine.tokens == 16
    assert (tokens.returned, tokens.cancelled) == (8, 8)
    assert vote.winner.finish_reason == "length"


async def test_a_vote_whose_samples_are_all_given_up_says_so(make_query: MakeQuery) -> None:
    never = asyncio.Event()
    engine = FakeEngine(lambda q, draw: Reply("#### 2", gate=never))
    vote = asyncio.create_task(hold_vote(make_query(), engine))
    await asyncio.sleep(0.02)
    await engine.end([draw.request_id for draw in engine.drawn])
    with pytest.raises(EngineError, match="gave a sample up"):
        await vote


async def test_the_first_wave_holds_no_sample_that_the_quickest_decision_could_spare(
    says: Says, make_query: MakeQuery
) -> None:
    for confidence, wave in ((0.95, 4), (0.9, 3), (0.8, 2)):
        engine = says(["1"])
        vote, _ = await hold_vote(make_query(confidence=confidence), engine)
        assert vote.stop_reason is StopReason.CONFIDENT
        assert len(engine.drawn) == wave


async def test_in_doubt_samples_are_drawn_ahead_and_what_is_left_over_is_cancelled(
    says: Says, make_query: MakeQuery
) -> None:
    engine = says(["1", "2", "2", "2", "2", "2", "2", "2", "2", "2", "2"], tokens=5)
    vote, pool = await hold_vote(make_query(), engine)
    counts, tokens = pool.sample_counts(), pool.token_counts(lambda i: i == vote.winner.index)
    assert vote.answer == "2"
    assert vote.stop_reason is StopReason.CONFIDENT
    assert counts.started == counts.finished + counts.cancelled <= 7 + IN_FLIGHT
    assert tokens.generated == engine.tokens
    assert engine.running == set()


async def test_the_requests_own_temperature_and_seed_do_not_make_the_votes_alike(
    says: Says, make_query: MakeQuery
) -> None:
    engine = says(["42"])
    await hold_vote(make_query(temperature=0.7, query_seed=100), engine)
    assert [draw.temperature for draw in engine.drawn] == [0.7] * 4
    assert [draw.seed for draw in engine.drawn] == [100, 101, 102, 103]


@pytest.mark.parametrize(
    ("own", "drawn"), [({}, [0.5, 0.8, 1.2, 0.5, 0.8]), ({"temperature": 0.7}, [0.7] * 5)]
)
def test_temperatures_take_turns_unless_the_request_names_one(
    make_query: MakeQuery, own: dict[str, float], drawn: list[float]
) -> None:
    drawer = Drawer(make_query(**own), FakeEngine(lambda *_: Reply("")), (), (0.5, 0.8, 1.2))
    assert [drawer.draw(index, None).temperature for index in range(5)] == drawn


async def test_a_seeded_vote_does_not_depend_on_which_sample_finishes_first(
    make_query: MakeQuery,
) -> None:
    def engine_with(delays: Sequence[int]) -> FakeEngine:
        answers = ["1", "2", "2", "2", "1", "1", "2", "2"]
        return FakeEngine(
            lambda query, draw: Reply(
                f"#### {answers[draw.index]}", tokens=1 + delays[draw.index % len(delays)]
            )
        )

    outcomes = []
    for delays in ([0, 5, 2, 9], [9, 2, 5, 0]):
        vote, _ = await hold_vote(make_query(max_samples=8, query_seed=1), engine_with(delays))
        outcomes.append((vote.winner.index, vote.counts, vote.stop_reason))
    assert outcomes[0] == outcomes[1]


async def test_the_token_budget_ends_the_vote_with_the_best_so_far(
    says: Says, make_query: MakeQuery
) -> None:
    engine = says([str(n) for n in range(16)], tokens=10)
    vote, _ = await hold_vote(make_query(budget={"tokens": 60}), engine, FixedRule())
    assert vote.stop_reason is StopReason.BUDGET
    assert engine.tokens <= 60 + 16
    assert engine.running == set()


async def test_a_deadline_returns_the_best_answer_so_far(make_query: MakeQuery) -> None:
    never = asyncio.Event()
    engine = FakeEngine(lambda q, draw: Reply("#### 42", gate=never if draw.index else None))
    query = make_query(query_deadline=time.monotonic() + 0.2)
    vote, _ = await hold_vote(query, engine)
    assert (vote.answer, vote.stop_reason) == ("42", StopReason.DEADLINE)
    assert engine.running == set()


async def test_a_deadline_before_any_sample_ends_serves_the_longest_partial(
    make_query: MakeQuery,
) -> None:
    never = asyncio.Event()
    engine = FakeEngine(lambda q, draw: Reply("abcdefghijkl", tokens=3 + draw.index, gate=never))
    vote, _ = await hold_vote(make_query(query_deadline=time.monotonic() + 0.2), engine)
    assert vote.winner.finish_reason == "length"
    assert vote.winner.n_tokens == max(2 + draw.index for draw in engine.drawn)


async def test_a_deadline_before_the_first_token_is_an_error(make_query: MakeQuery) -> None:
    engine = FakeEngine(lambda q, draw: Reply("#### 1", tokens=1, gate=asyncio.Event()))
    with pytest.raises(DeadlineError, match="wall_s"):
        await hold_vote(make_query(query_deadline=time.monotonic() + 0.1), engine)
    assert engine.running == set()


async def test_free_text_is_settled_by_the_medoid_after_one_wave(make_query: MakeQuery) -> None:
    replies = ["short", "the middle one, somewhat longer", "also of a middling length", "x" * 90]
    engine = FakeEngine(lambda q, draw: Reply(replies[draw.index]))
    vote, _ = await hold_vote(make_query(), engine)
    assert len(engine.drawn) == FREE_TEXT_WAVE
    assert vote.answer is None
    assert vote.winner.text in replies[1:3]


async def test_n_choices_come_best_first_and_draw_at_least_n(
    says: Says, make_query: MakeQuery
) -> None:
    engine = says(["1", "2", "2", "2", "2", "2", "2", "2"])
    vote, _ = await hold_vote(make_query(query_choices=6), engine)
    assert len(engine.drawn) >= 6
    assert "#### 2" in vote.ranked[0].text
    assert "#### 1" in vote.ranked[1].text
    assert len(vote.ranked) >= 6


def failing(*draws: int) -> FakeEngine:
    """Answer 1 but for the draws that fail; these fail first."""
    return FakeEngine(
        lambda q, draw: Reply("#### 1", error="boom" if draw.index in draws else None)
    )


async def test_an_engine_that_fails_every_sample_is_an_error_and_is_not_asked_on_and_on(
    make_query: MakeQuery,
) -> None:
    engine = failing(*range(16))
    with pytest.raises(EngineError, match="boom"):
        await hold_vote(make_query(), engine)
    assert len(engine.drawn) == 4, "the first wave, and no more"


@pytest.mark.parametrize("seed", [None, 7])
@pytest.mark.parametrize("draws", [(0,), (3,), (0, 1), (2, 4)])
async def test_samples_that_fail_do_not_cost_those_that_finish(
    draws: tuple[int, ...], seed: int | None, make_query: MakeQuery
) -> None:
    engine = failing(*draws)
    async with asyncio.timeout(20):
        vote, pool = await hold_vote(make_query(query_seed=seed), engine)
    assert (vote.answer, vote.stop_reason) == ("1", StopReason.CONFIDENT)
    assert {failure.index for failure in pool.failures} == set(draws)
    assert pool.token_counts(lambda index: False).generated == engine.tokens


async def test_an_engine_that_dies_leaves_the_answer_of_what_had_finished(
    make_query: MakeQuery,
) -> None:
    engine = FakeEngine(lambda q, draw: Reply(f"#### {draw.index % 2}"))

    def script(query: Query, draw: Draw) -> Reply:
        engine.dead = engine.dead or draw.index == 5
        return Reply(f"#### {draw.index % 2}", error="dead" if draw.index > 2 else None)

    engine.script = script
    vote, pool = await hold_vote(make_query(), engine)
    assert (vote.answer, vote.stop_reason) == ("0", StopReason.FAILED)
    assert vote.ballots.total == 3
    assert pool.launched < 16, "more have failed than came: it is asked for no more"
    assert engine.running == set()


async def test_a_failed_sample_is_paid_for_from_the_samples_that_are_allowed(
    make_query: MakeQuery,
) -> None:
    engine = FakeEngine(
        lambda q, draw: Reply(f"#### {draw.index % 2}", error="boom" if draw.index == 1 else None)
    )
    vote, pool = await hold_vote(make_query(max_samples=6), engine, FixedRule())
    assert vote.stop_reason is StopReason.EXHAUSTED
    assert (vote.ballots.total, pool.launched) == (5, 6)


async def test_a_deadline_after_a_failure_serves_what_there_is(make_query: MakeQuery) -> None:
    never = asyncio.Event()
    engine = FakeEngine(
        lambda q, draw: Reply("abcdef", gate=never, error=None if draw.index else "boom")
    )
    vote, _ = await hold_vote(make_query(query_deadline=time.monotonic() + 0.2), engine)
    assert vote.stop_reason is StopReason.DEADLINE
    assert vote.winner.index != 0


async def test_a_cancelled_request_cancels_every_sample(make_query: MakeQuery) -> None:
    engine, all_run = FakeEngine(lambda q, draw: next(replies)), asyncio.Event()
    never = asyncio.Event()

    def replies_until_all_run() -> Iterator[Reply]:
        for number in range(4):
            if number == 3:
                all_run.set()
            yield Reply("#### 1", gate=never)

    replies = replies_until_all_run()
    task = asyncio.create_task(hold_vote(make_query(), engine))
    await all_run.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert engine.running == set()
    assert engine.cancelled == {0, 1, 2, 3}


async def test_a_deadline_loses_no_seeded_sample_that_waits_for_its_turn(
    make_query: MakeQuery,
) -> None:
    never = asyncio.Event()
    engine = FakeEngine(lambda q, draw: Reply("#### 42", gate=None if draw.index else never))
    query = make_query(query_seed=1, query_deadline=time.monotonic() + 0.3)
    vote, _ = await hold_vote(query, engine)
    assert vote.answer == "42"
    assert vote.counts[0].count == 3
    assert vote.stop_reason is StopReason.DEADLINE


async def test_the_largest_seed_does_not_overflow_the_engines(
    says: Says, make_query: MakeQuery
) -> None:
    engine = says(["42"])
    await hold_vote(make_query(query_seed=2**63 - 1), engine)
    assert [draw.seed for draw in engine.drawn] == [2**63 - 1, 0, 1, 2]


def weighted_engine(replies: Sequence[tuple[str, float]]) -> FakeEngine:
    """Give each answer with the log-probability every one of its tokens has."""
    return FakeEngine(
        lambda q, draw: Reply(f"#### {replies[draw.index][0]}", logprob=replies[draw.index][1])
    )


@pytest.mark.parametrize(("weight", "winner"), [("count", "1"), ("mean_logprob", "2")])
async def test_a_weight_may_overrule_the_count_but_not_end_the_vote_early(
    weight: str, winner: str, make_query: MakeQuery
) -> None:
    unsure, sure = ("1", -4.0), ("2", -0.1)
    engine = weighted_engine([sure, unsure, unsure, unsure, unsure, unsure, unsure, unsure])
    query = make_query(max_samples=8)
    vote, _ = await hold_vote(query, engine, weigh=WEIGHTS[weight])
    assert vote.answer == winner
    assert vote.confidence < 0.5 or weight == "count"
    assert (vote.stop_reason is StopReason.EXHAUSTED) == (weight == "mean_logprob")


async def test_a_tie_goes_to_the_surer_answer_then_to_the_first(make_query: MakeQuery) -> None:
    for last, winner in ((-0.1, "2"), (-2.0, "1"), (-1.0, "1")):
        engine = weighted_engine([("1", -1.0), ("2", last)])
        vote, _ = await hold_vote(make_query(max_samples=2), engine, FixedRule())
        assert vote.answer == winner


async def test_instructions_take_turns_and_are_reported_with_the_answers(
    make_query: MakeQuery,
) -> None:
    replies = ["#### 1", "#### 2", "#### 1", "#### 1"]
    engine = FakeEngine(lambda q, draw: Reply(replies[draw.index]))
    query = make_query(max_samples=4, query_can_be_reworded=True)
    told = ["Count twice.", "Work backwards."]
    vote, _ = await hold_vote(query, engine, FixedRule(), instructions=told)
    assert [draw.instruction for draw in engine.drawn] == [0, 1, 2, 0]
    assert [draw.prompt for draw in engine.drawn] == [
        None,
        instructed(query.messages, "Count twice."),
        instructed(query.messages, "Work backwards."),
        None,
    ]
    assert [(entry.answer, entry.instructions) for entry in vote.counts] == [
        ("1", (0, 2)),
        ("2", (1,)),
    ]


async def test_a_prompt_of_more_than_messages_is_never_reworded(make_query: MakeQuery) -> None:
    engine = FakeEngine(lambda q, draw: Reply("#### 1"))
    vote, _ = await hold_vote(make_query(), engine, instructions=["Count twice."])
    assert {draw.prompt for draw in engine.drawn} == {None}
    assert vote.counts[0].instructions is None


def test_an_instruction_joins_the_system_message_there_is() -> None:
    user, system = Message(role="user", content="7?"), Message(role="system", content="Be brief.")
    assert instructed((user,), "Think.") == (Message(role="system", content="Think."), user)
    assert instructed((system, user), "Think.")[0].content == "Be brief.\n\nThink."


TEXTS = ["short", "the middle one, somewhat longer", "also of a middling length", "x" * 90]


@pytest.mark.parametrize(
    ("said", "chosen"),
    [
        ("Response 1 stands apart. The most consistent response is Response 4.", TEXTS[3]),
        ("I cannot say.", TEXTS[1]),
        ("The most consistent response is Response 9.", TEXTS[1]),
    ],
)
async def test_the_model_may_be_asked_which_text_is_the_most_consistent(
    said: str, chosen: str, make_query: MakeQuery
) -> None:
    engine = FakeEngine(lambda q, draw: Reply([*TEXTS, said][draw.index]))
    query = make_query("How are you?", query_can_be_reworded=True)
    vote, pool = await hold_vote(query, engine, ask=True)
    assert vote.winner.text == chosen
    (asked,) = engine.drawn[-1].prompt
    assert all(text in asked.content for text in TEXTS)
    assert query.question in asked.content
    assert pool.token_counts(lambda index: False).generated == engine.tokens


@pytest.mark.parametrize(
    ("last", "options"),
    [
        (Reply("", error="boom"), {}),
        (Reply("The most consistent response is Response 4."), {"max_samples": 4}),
        (Reply("Response 4 says more", finish_reason="length"), {}),
    ],
)
async def test_where_the_model_cannot_be_asked_the_medoid_is_taken(
    last: Reply, options: dict[str, Any], make_query: MakeQuery
) -> None:
    replies = [*map(Reply, TEXTS), last]
    engine = FakeEngine(lambda q, draw: replies[draw.index])
    query = make_query("How are you?", query_can_be_reworded=True, **options)
    vote, _ = await hold_vote(query, engine, ask=True)
    assert vote.winner.text == TEXTS[1]
    assert len(engine.drawn) <= query.options.max_samples


async def test_texts_are_likened_and_shown_without_their_deliberation(
    make_query: MakeQuery,
) -> None:
    """By their whole lengths the medoid would be another, and so would the choice of the model."""
    thoughts = ["x" * 40, "x" * 90, "", "x" * 150]
    replies = [
        Reply(thought + text, said=text) for thought, text in zip(thoughts, TEXTS, strict=True)
    ]
    chooses = Reply(
        "Response 4? The most consistent response is Response 3. Or Response 1",
        said="The most consistent response is Response 3.",
    )
    engine = FakeEngine(lambda q, draw: [*replies, chooses][draw.index])
    query = make_query("How are you?", query_can_be_reworded=True)
    vote, _ = await hold_vote(query, engine)
    assert vote.winner.text == replies[1].text
    vote, _ = await hold_vote(query, engine, ask=True)
    assert vote.winner.text == replies[2].text
    (asked,) = engine.drawn[-1].prompt
    assert "xxxxx" not in asked.content.replace(TEXTS[3], "")


async def test_a_sample_that_finished_as_the_tokens_ran_out_is_counted(
    make_query: MakeQuery,
) -> None:
    lengths = (4, 6)
    engine = FakeEngine(lambda q, draw: Reply(f"#### {draw.index}", tokens=lengths[draw.index]))
    query = make_query(max_samples=8, confidence=0.8, budget={"tokens": 6})
    vote, _ = await hold_vote(query, engine)
    assert vote.stop_reason is StopReason.BUDGET
    assert (vote.answer, vote.winner.finish_reason) == ("0", "stop")
    assert len(engine.drawn) == 2, "nothing is drawn after the end"


async def test_the_model_is_not_asked_where_time_or_tokens_are_up(make_query: MakeQuery) -> None:
    engine = FakeEngine(lambda q, draw: Reply(TEXTS[draw.index], tokens=4 + draw.index))
    query = make_query("Hi", query_can_be_reworded=True, budget={"tokens": 18})
    vote, _ = await hold_vote(query, engine, ask=True)
    assert vote.stop_reason is StopReason.BUDGET
    assert len(engine.drawn) == 4


async def test_a_sample_that_came_in_time_is_read(make_query: MakeQuery) -> None:
    answer = {"kind": "regex", "pattern": "ans=([0-9]+)"}
    query = make_query(answer=answer, query_deadline=time.monotonic())
    found = await Reader(query).read(Sample(0, "so ans=42", 4, "stop"), [])
    assert found
    assert found.text == "42"


class Undecided(Algebra):
    """Never comes to an end."""

    async def find(self, text: str, among: Sequence[str]) -> int | None:
        return await asyncio.Future()


@pytest.mark.parametrize("kind", ["math", "regex"])
async def test_reading_an_answer_takes_no_longer_than_the_request_has(
    kind: str, make_query: MakeQuery
) -> None:
    pattern = "(a|a?)+$" if kind == "regex" else None
    answer = {"kind": kind, "pattern": pattern}
    query = make_query(answer=answer, query_deadline=time.monotonic() + 0.05)
    sample = Sample(0, r"\boxed{x+1}" + "a" * 40, 4, "stop")
    before = [Answer("x+2", "x+2", structured=True)]
    began = time.monotonic()
    found = await Reader(query, Undecided()).read(sample, before)
    assert found is None if kind == "regex" else found and found.key == "1+x"
    assert time.monotonic() - began < 5


async def test_a_prompt_that_the_engine_refuses_costs_only_the_instruction(
    make_query: MakeQuery,
) -> None:
    engine = FakeEngine(lambda q, draw: Reply("#### 1"), failing={"prompt"})
    query = make_query(max_samples=3, query_can_be_reworded=True)
    vote, _ = await hold_vote(query, engine, FixedRule(), instructions=["Count twice."])
    assert vote.counts[0].count == 3
    assert {draw.prompt for draw in engine.drawn} == {None}
    texts = FakeEngine(lambda q, draw: Reply(TEXTS[draw.index]), failing={"prompt"})
    chosen, _ = await hold_vote(make_query("Hi", query_can_be_reworded=True), texts, ask=True)
    assert chosen.winner.text == TEXTS[1]


async def test_a_budget_that_finished_samples_use_up_ends_the_vote(
    says: Says, make_query: MakeQuery
) -> None:
    engine = says([str(n) for n in range(16)], tokens=1)
    vote, pool = await hold_vote(make_query(max_samples=16, budget={"tokens": 2}), engine)
    assert vote.stop_reason is StopReason.BUDGET
    assert len(engine.drawn) == pool.sample_counts().started == vote.ballots.total == 4


async def test_a_spent_budget_ends_the_next_poll_before_it_draws(
    says: Says, make_query: MakeQuery
) -> None:
    engine, query = says(["1"], tokens=1), make_query()
    voting = Voting(
        query,
        FixedRule(),
        Drawer(query, engine),
        Representative(query, engine, embed_by_length, ask=False),
        Reader(query),
    )
    async with SamplePool(engine, query, max_tokens=2) as pool:
        assert await voting.poll(pool, 2, adapter=None) is StopReason.EXHAUSTED
        assert await voting.poll(pool, 4, adapter=None) is StopReason.BUDGET
    assert engine.tokens == 2


async def test_an_answer_is_served_in_a_sample_that_was_not_cut_off(
    make_query: MakeQuery,
) -> None:
    reasons = ["length", "stop", "stop"]
    engine = FakeEngine(lambda q, draw: Reply("#### 2", finish_reason=reasons[draw.index]))
    vote, _ = await hold_vote(make_query(max_samples=3), engine, FixedRule())
    assert [sample.index for sample in vote.ranked] == [1, 0, 2]


@pytest.mark.parametrize(("weight", "drawn"), [("count", 5), ("mean_logprob", 8)])
async def test_a_weighted_vote_is_certain_only_by_weight(
    weight: str, drawn: int, make_query: MakeQuery
) -> None:
    engine = weighted_engine([("1", -2.0)] * 5 + [("2", -0.01)] * 3)
    query = make_query(max_samples=8)
    vote, _ = await hold_vote(query, engine, CertainRule(), weigh=WEIGHTS[weight])
    assert vote.ballots.total == drawn
    assert vote.answer == ("1" if weight == "count" else "2")
    assert (vote.stop_reason is StopReason.CERTAIN) == (weight == "count")


async def test_a_medoid_that_takes_too_long_gives_way_to_the_surest_text(
    make_query: MakeQuery,
) -> None:
    async def embed(texts: Sequence[str]) -> np.ndarray:
        await asyncio.sleep(10)
        return await embed_by_length(texts)

    for surest in (0, 2):
        samples = [
            Sample(i, text, 4, "stop", logprobs=(-0.1 if i == surest else -1.0,))
            for i, text in enumerate(TEXTS)
        ]
        engine = FakeEngine(lambda q, draw: Reply(""))
        query = make_query("Hi", query_deadline=time.monotonic())
        began = time.monotonic()
        async with SamplePool(engine, query) as pool:
            representative = Representative(query, engine, embed, ask=False)
            chosen = await representative.of(samples, pool, may_ask=False)
        assert chosen is samples[surest]
        assert time.monotonic() - began < 5
