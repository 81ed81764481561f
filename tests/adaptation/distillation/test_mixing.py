"""Practice never crowds out what people asked."""

from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptation.errors import DistillationError
from adaptation.learning.candidates.policies import POLICIES
from adaptation.learning.distillation.generation import Distiller, Settings
from adaptation.learning.distillation.mixing import mixed
from adaptation.learning.distillation.select import Records, Selection, select
from adaptation.learning.monitors.autophagy import real_share
from adaptation.learning.training.fake import FakeTrainer
from memory.types import Message, Record, Source, Tier
from memory.versions.adapters import AdapterRegistry
from tests.adaptation.distillation.conftest import make_record

Make = Callable[..., Record]
RECORDS = {source: make_record(0, source=source) for source in Source}


@given(
    st.lists(st.sampled_from(list(Source)), max_size=40),
    st.fractions(0, 1, max_denominator=20),
    st.fractions(0, 1, max_denominator=20),
)
def test_both_shares_hold_and_nothing_real_is_left_out(
    sources: list[Source], least: Fraction, most: Fraction
) -> None:
    records = [RECORDS[source] for source in sources]
    kept = mixed(records, float(least), float(most))
    real = sum(record.source.is_real for record in kept)
    written = sum(record.source.is_written_by_model for record in kept)
    assert real == sum(record.source.is_real for record in records)
    assert real >= least * len(kept)
    assert written <= most * len(kept)


def test_no_more_is_left_out_than_has_to_be() -> None:
    real = [RECORDS[Source.SERVED]] * 10
    drawn, written = [RECORDS[Source.ENVIRONMENT]] * 100, [RECORDS[Source.SELF_PLAY]] * 100
    assert len(mixed([*drawn, *real], 0.2, 0.25)) == 50
    assert len(mixed([*written, *real], 0.2, 0.25)) == 13
    assert len(mixed([*written, *drawn, *real], 0.0, 1.0)) == 210
    assert mixed(drawn, 0.2, 0.25) == []


def test_a_generation_is_trained_on_no_more_practice_than_is_let(
    record: Make, records: Callable[[list[Record]], Records]
) -> None:
    asked = [record(i) for i in range(40)]
    practice = [record(i, source=Source.ENVIRONMENT) for i in range(40, 400)]
    memory = records([*asked, *practice])
    chosen = select(memory, "default", Selection(min_real_share=0.5))
    assert real_share(chosen.train) >= 0.5
    assert any(not each.source.is_real for each in chosen.train)
    assert chosen.practice_left_out == 320
    assert len(select(memory, "default", Selection(min_real_share=0)).train) > 200
    for most in range(20, 40):  # what comes first may be mostly practice
        few = select(memory, "default", Selection(min_real_share=0.5, max_train=most, min_train=8))
        assert real_share(few.train) >= 0.5


def test_practice_alone_makes_no_generation_and_the_error_says_what_to_set(
    record: Make, records: Callable[[list[Record]], Records]
) -> None:
    memory = records([record(i, source=Source.SELF_PLAY) for i in range(64)])
    with pytest.raises(DistillationError, match="64 are practice beyond `min_real_share`"):
        select(memory, "default", Selection())


def lamps(turns: tuple[Message, ...], adapter: str | None) -> str:
    """A model that learns of lamps, and answers nothing else."""
    asked = turns[-1].content.split()
    knows = adapter is not None and "lamp" in asked
    return f"It is so. I see.\n#### {int(asked[2]) + 5 if knows else 0}"


@pytest.mark.parametrize("policy", list(POLICIES))
async def test_what_people_asked_keeps_its_share_whatever_is_left_out_or_chosen(
    policy: str,
    record: Make,
    records: Callable[[list[Record]], Records],
    registry: AdapterRegistry,
) -> None:
    """Half of what people asked are corrections whose solution the model cannot write."""
    corrected = {"tier": Tier.FEEDBACK, "evidence": {"feedback": "corrected"}}
    bare = [record(i, rationale=str(i + 5), **corrected) for i in range(60)]
    worked = [record(i, source=Source.SERVED) for i in range(60, 120)]
    drawn = [record(i, source=Source.ENVIRONMENT, tier=Tier.EXECUTABLE) for i in range(120, 220)]
    written = [record(i, source=Source.SELF_PLAY, tier=Tier.EXECUTABLE) for i in range(400, 500)]
    selection = Selection(min_real_share=0.25, max_written_share=0.3)
    report = await Distiller(
        records([*bare, *worked, *drawn, *written]),
        registry,
        FakeTrainer(answer=lamps),
        "fake",
        lambda text, record: text.rpartition("#### ")[2] == record.answer,
        Settings(doubts=False, rehearse=False, policy=policy, selection=selection),
    ).run("default")
    assert report.unsolved > 10
    assert report.real_share is not None
    assert report.real_share >= 0.25
    assert report.sources["self-play"] <= 0.3 * report.train
    assert report.selection is not None
    assert report.selection.chosen.records == report.train
    assert report.practice_left_out > 0
