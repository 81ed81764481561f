"""What bench-loop makes of draws: claims that can be missed, a run that goes on, votes."""

from pathlib import Path

import pytest

from loadtests.loop.place import Place
from loadtests.loop.sampling import vote
from loadtests.measure.loop import VOTES, Asked, Generation, Tried, as_served, claims, runs_of
from memory.identity.answers import Answer, extract
from memory.identity.answers.options import AnswerOptions


def tried(right: int, *, suite: str = "facts", drawn: int = 16, near: float = 1.0) -> Tried:
    """A question to which so many of sixteen samples are right."""
    return Tried(
        suite=suite,
        right=tuple(place < right for place in range(VOTES)),
        tokens=(10,) * VOTES,
        voted=right > VOTES // 2,
        drawn=drawn,
        early=right > VOTES // 2,
        distinct=2,
        near=near,
    )


def asked(version: str, right: int, everyday: int, drawn: int = 16, near: float = 0.1) -> Asked:
    questions = tuple(tried(right, drawn=drawn) for _ in range(20))
    others = tuple(tried(everyday, suite="stories", near=near) for _ in range(20))
    return Asked(target="facts", version=version, questions=questions, everyday=others)


def generation(number: int, served: str) -> Generation:
    decision = "promoted" if number else "base"
    return Generation.model_validate(
        {"target": "facts", "number": number, "decision": decision, "served": served}
        | {"reasons": (), "records": 48}
    )


def met(*versions: Asked) -> dict[str, bool]:
    generations = [generation(number, each.version) for number, each in enumerate(versions)]
    found = claims(runs_of(generations, versions), least=0.7)
    return {claim.name.removeprefix("facts: "): claim.met for claim in found}


def test_a_run_in_which_all_is_well_meets_every_target() -> None:
    assert all(met(asked("base", 4, 12), asked("ad_1", 16, 12, drawn=4)).values())


@pytest.mark.parametrize(
    ("after", "missed"),
    [
        (asked("ad_1", 8, 12), "one sample for 16 votes"),
        (asked("ad_1", 2, 12, drawn=4), "the target over generations"),
        (asked("ad_1", 16, 12, drawn=15), "votes a question"),
        (asked("ad_1", 0, 12), "pass@16"),
        (asked("ad_1", 16, 8, near=0.9), "everyday questions"),
    ],
)
def test_each_target_can_be_missed(after: Asked, missed: str) -> None:
    assert not met(asked("base", 10, 12), after)[missed]


def test_a_base_that_stays_has_not_learned_what_its_votes_never_get_right() -> None:
    base = asked("base", 0, 12)
    rejected = generation(1, "base").model_copy(update={"decision": "rejected"})
    one, *_ = claims(runs_of([generation(0, "base"), rejected], [base]), least=0.7)
    assert one.name == "facts: one sample for 16 votes"
    assert not one.met
    assert "nothing was promoted" in one.found[0]


def test_a_generation_that_falls_in_between_is_not_forgotten() -> None:
    found = met(asked("base", 4, 12), asked("ad_1", 16, 12), asked("ad_2", 8, 12))
    assert not found["the target over generations"]


def test_what_is_far_from_memory_is_the_bases_to_answer() -> None:
    base, after = asked("base", 4, 12), asked("ad_1", 16, 3, near=0.2)
    assert as_served(after, base, 0.7) == base.everyday
    assert as_served(after, base, 0.1) == after.everyday


def test_a_run_goes_on_after_a_line_that_was_cut_off(tmp_path: Path) -> None:
    place = Place(tmp_path / "run")
    assert place.generations == []
    place.keep(generation(0, "base"))
    with (place.folder / "generations.jsonl").open("a") as file:
        file.write('{"target": "facts", "num')
    assert [each.number for each in place.generations] == [0]
    place.keep(generation(1, "ad_1"))
    assert [each.number for each in place.generations] == [0, 1]
    place.keep(asked("base", 4, 12))
    runs = runs_of(place.generations, place.asked)
    assert [len(run.generations) for run in runs] == [1], "ad_1 was not asked yet"


def test_the_default_rule_stops_where_all_agree_and_not_where_none_do() -> None:
    def read(*answers: int) -> list[tuple[str, Answer | None]]:
        texts = [f"#### {answer}" for answer in answers]
        return [(text, extract(text, AnswerOptions())) for text in texts]

    assert vote(read(*[7] * VOTES), by_rule=True) == ("#### 7", 4)
    _, drawn = vote(read(*range(VOTES)), by_rule=True)
    assert drawn > 4
    assert vote(read(1, 2, 2, *[3] * 13), by_rule=False) == ("#### 3", VOTES)
