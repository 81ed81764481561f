"""Test-time training of one request: an adapter for the length of a block, or the reason why."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from adaptation.errors import EngineError, NoTurnError, TrainerError
from adaptation.learning.adapted import Adapted
from adaptation.learning.attempt import Attempt
from adaptation.learning.neighbours import TrainingSet, select_training_set
from adaptation.learning.time_to_train import seconds_left
from adaptation.policy import Policy
from adaptation.services import Services
from adaptation.stopwatch import Stopwatch
from adaptation.types import Query
from adaptation.voting.pool import SamplePool
from memory.types import Neighbour

logger = logging.getLogger(__name__)


@asynccontextmanager
async def adapted(
    query: Query,
    neighbours: Sequence[Neighbour],
    services: Services,
    clock: Stopwatch,
    pool: SamplePool,
) -> AsyncIterator[Adapted]:
    """Train on `neighbours` and hold the adapter in the engine for the length of the block.

    What is spent is billed to `pool`.

    Never raises `TrainerError` or `EngineError` on the way in: it yields the reason instead.
    """
    with clock.measure("select"):
        chosen = _select(neighbours, services.policy)
    async with AsyncExitStack() as stack:
        attempt = Attempt(query, chosen, services, clock, pool, stack)
        try:
            obstacle = await _obstacle(attempt, _longest_s(query, services.policy))
        except NoTurnError as error:
            obstacle = str(error)
            if services.wanted is not None:  # for the requests to come
                services.wanted.note(attempt.place.key, query)
        finally:
            await attempt.examination.close()
        outcome = attempt.outcome if obstacle is None else attempt.outcome.unused(obstacle)
        if outcome.reason:
            logger.info("request %s is answered without an adapter: %s", query.id, outcome.reason)
        yield outcome


async def _obstacle(attempt: Attempt, longest_s: float) -> str | None:
    """Run an attempt; return what ended it, None where it ended by itself.

    Raises `NoTurnError` where it had no time.
    """
    try:
        async with asyncio.timeout(longest_s):
            await attempt.run()
    except TimeoutError as error:
        raise NoTurnError("the deadline left no time for training") from error
    except TrainerError as error:
        return f"training failed: {error}"
    except EngineError as error:
        return f"the engine did not take the adapter: {error}"
    except OSError as error:
        return f"no room for the adapter's files: {error.strerror}"
    return None


def _select(neighbours: Sequence[Neighbour], policy: Policy) -> TrainingSet:
    return select_training_set(
        neighbours,
        count=policy.neighbours + policy.holdout,
        holdout=policy.holdout,
        min_similarity=policy.min_similarity,
    )


def _longest_s(query: Query, policy: Policy) -> float:
    """Return what training may take with all its waits; also bounds what has no deadline."""
    return min(seconds_left(query), policy.train_wait_s + policy.train_timeout_s)
