"""Self-consistency: draw samples, count their answers, stop as soon as another cannot matter.

Wang et al. 2022 (arXiv 2203.11171), with an adaptive stopping rule. Every sample is its own
engine request, so that a loser can be cancelled the moment the vote is decided.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from adaptation.errors import DeadlineError
from adaptation.medoid import Embed, medoid
from adaptation.pool import SamplePool
from adaptation.stopping import StoppingRule, next_wave
from adaptation.tally import Tally
from adaptation.types import Adapter, Draw, Query, Sample, StopReason, Vote

IN_FLIGHT = 4
"""Samples kept running once the votes disagree. Waiting for the last of the smallest wave that
could decide costs a whole sample's time, and a batch of four hardly more than one."""
MAX_SEED = 2**63
"""Engines keep seeds in 64 bits, signed; one that overflows there ends the engine."""
FREE_TEXT_WAVE = 4
"""Samples after which a question whose answers are all free text is settled by the medoid."""


async def poll(
    query: Query,
    pool: SamplePool,
    tally: Tally,
    rule: StoppingRule,
    max_samples: int,
    adapter: Adapter | None,
) -> StopReason:
    """Add samples to `tally` until `rule` stops, it holds `max_samples`, or time or tokens end.

    When it returns, nothing runs in the engine any more. Raises `EngineError`.
    """
    try:
        while (stop := _verdict(query, tally, rule, max_samples)) is None:
            _launch_wave(query, pool, tally, rule, max_samples, adapter)
            arrived = await pool.next()
            if isinstance(arrived, StopReason):
                return arrived
            await _count(query, tally, arrived)
        return stop
    finally:
        # Whatever ends the poll: its adapter is about to be unloaded.
        await pool.cancel()


async def _count(query: Query, tally: Tally, sample: Sample) -> None:
    if query.options.answer.kind == "regex":  # a caller's pattern may use up its time limit
        await asyncio.to_thread(tally.add, sample)
    else:
        tally.add(sample)
    if query.notify is not None:
        query.notify(tally.report())


def _launch_wave(
    query: Query,
    pool: SamplePool,
    tally: Tally,
    rule: StoppingRule,
    max_samples: int,
    adapter: Adapter | None,
) -> None:
    """Keep as many samples in flight as the quickest decision needs, and some more in doubt."""
    remaining = max_samples - tally.total
    wave = next_wave(rule, tally.counts, remaining, query.options.confidence)
    if len(tally.counts) > 1:  # in doubt: rather a few tokens too many than one wave more
        wave = max(wave, IN_FLIGHT)
    if tally.is_free_text:  # no more votes will settle it: see `_verdict`
        wave = max(0, FREE_TEXT_WAVE - tally.total)
    wave = min(max(wave, query.choices - tally.total), remaining)
    for _ in range(wave - pool.in_flight):
        pool.launch(_draw(query, pool.launched, adapter))


def _draw(query: Query, index: int, adapter: Adapter | None) -> Draw:
    return Draw(
        index=index,
        request_id=f"{query.id}-{index}",
        # The request's own temperature and seed would make all samples alike.
        temperature=query.options.temperature,
        seed=None if query.seed is None else (query.seed + index) % MAX_SEED,
        adapter=adapter,
    )


def _verdict(query: Query, tally: Tally, rule: StoppingRule, max_samples: int) -> StopReason | None:
    if tally.total < max(1, min(query.choices, max_samples)):
        return None
    if tally.is_free_text and tally.total >= FREE_TEXT_WAVE:
        return StopReason.EXHAUSTED
    if max_samples == 1:
        return StopReason.SINGLE
    return rule.stop(tally.counts, max_samples - tally.total, query.options.confidence)


async def conclude(tally: Tally, pool: SamplePool, stop: StopReason, embed: Embed) -> Vote:
    """Return the outcome of a finished vote.

    Raises `DeadlineError` where not one token was generated in time.
    """
    ranked = await _rank(tally, pool, embed)
    groups = tally.groups
    answer = groups[0].answer if groups and not tally.is_free_text else None
    return Vote(
        winner=ranked[0],
        answer=answer.text if answer else None,
        agreement=len(groups[0].samples) / tally.total if groups else 0.0,
        confidence=tally.confidence if groups else 0.0,
        counts=tally.report(),
        stop_reason=stop,
        readable=answer is not None and answer.structured,
        ranked=tuple(ranked),
    )


async def _rank(tally: Tally, pool: SamplePool, embed: Embed) -> list[Sample]:
    if tally.total == 0:
        return [_cut_short(pool)]
    best = [group.samples[0] for group in tally.groups]
    if tally.is_free_text:
        central = await asyncio.to_thread(medoid, best, embed)
        best = [central, *(sample for sample in best if sample is not central)]
    others = [sample for sample in tally.samples if sample not in best]
    return [*best, *others]


def _cut_short(pool: SamplePool) -> Sample:
    partial = pool.longest_partial()
    if partial is None:
        raise DeadlineError("the deadline passed before the first token: allow more wall_s")
    return replace(partial, finish_reason="length")
