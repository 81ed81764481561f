"""From what happened to the trace of a request: each sample, and when which step went on."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from adaptation.session import Session
from adaptation.types import Sample, Vote
from adaptation.voting.drawn import Drawn
from memory.history.traced import SampleState, Traced, TracedSample

MOST_TEXT = 16 * 1024
"""Characters of a sample that go on to the trace, which cuts them shorter: the longest of its head
and of its end."""


def traced_of(
    session: Session, vote: Vote, returned: Collection[int], losses: Sequence[float]
) -> Traced:
    """Return the trace of a request whose samples of the indices `returned` are served.

    `losses` are those of a training, nats per target token.
    """
    counted = {sample.index: sample for sample in vote.ranked}
    failed = {failure.index: str(failure) for failure in session.pool.failures}
    began = session.clock.began
    return Traced(
        session.clock.since_start_s,
        tuple(
            _sample(drawn, counted.get(drawn.index), drawn.index in returned, failed, began)
            for drawn in session.pool.drawn()
        ),
        tuple(session.clock.spans),
        tuple(losses),
    )


def traced_alone(sample: Sample, seconds: float) -> Traced:
    """Return the trace of a request that was answered by one sample, in so many seconds."""
    drawn = TracedSample(
        number=sample.index + 1,
        text=_shortened(sample.text),
        answer=None,  # nobody counts it
        key=None,
        tokens=sample.n_tokens,
        began_s=0.0,
        seconds=round(seconds, 4),
        state="returned",
        end=sample.finish_reason,
    )
    return Traced(seconds, (drawn,))


def _sample(
    drawn: Drawn, counted: Sample | None, is_returned: bool, failed: dict[int, str], began: float
) -> TracedSample:
    sample = counted or drawn.sample
    answer = counted.answer if counted else None
    return TracedSample(
        number=drawn.index + 1,
        text=_shortened(sample.text) if sample else "",
        answer=_shortened(answer.text) if answer else None,
        key=_shortened(answer.key) if answer else None,
        tokens=drawn.tokens,
        began_s=round(drawn.began - began, 4),
        seconds=round(drawn.ended - drawn.began, 4),
        state=_state(drawn, failed, is_returned),
        end=failed.get(drawn.index) or (sample.finish_reason if sample else None),
    )


def _state(drawn: Drawn, failed: Collection[int], is_returned: bool) -> SampleState:
    if is_returned:
        return "returned"
    if drawn.is_finished:
        return "losing"
    return "failed" if drawn.index in failed else "cancelled"


def _shortened(text: str) -> str:
    """Return a text that no trace shows in full without most of its middle: a queue holds many."""
    half = MOST_TEXT // 2
    return text if len(text) <= MOST_TEXT else text[:half] + text[-half:]
