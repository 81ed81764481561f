"""Several hundred techniques against sandbox and grader: none gets out, none is called right."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from adaptation.verifiers import sandbox
from adaptation.verifiers.python_tests import PythonSpec, PythonTests
from loadtests.bench_sandbox import bare
from tests.adaptation.verifiers.tries.running import every_try, run_all, table
from tests.adaptation.verifiers.tries.surroundings import Surroundings, surroundings

pytestmark = pytest.mark.skipif(
    not sandbox.available().usable, reason=f"no sandbox here: {sandbox.available().detail}"
)
MOST_FALSE_ACCEPTS = 0.005
"""Of all tries."""
MOST_GROWTH_BYTES = 256 * 2**20
"""Of this process, whatever the tries send it."""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Surroundings]:
    tmp_path.chmod(0o755)
    with surroundings(tmp_path) as world:
        yield world


async def test_no_technique_escapes_and_none_is_called_right(world: Surroundings) -> None:
    tries = every_try(world.around)
    assert len(tries) >= 200
    assert len({(tried.kind, tried.name) for tried in tries}) == len(tries)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    outcomes = await run_all(tries, world)

    print(table(outcomes))
    assert [outcome for outcome in outcomes if outcome.escaped] == []
    accepted = [outcome for outcome in outcomes if outcome.accepted]
    assert len(accepted) <= MOST_FALSE_ACCEPTS * len(tries), accepted
    assert world.left_behind() == []
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown * 1024 <= MOST_GROWTH_BYTES


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("read", "open {0}"),
        ("read", "cat {0}"),
        ("environment", "environ"),
        ("write", "open"),
        ("write", "new file"),
        ("socket", "tcp"),
        ("socket", "udp"),
        ("socket", "local path"),
        ("socket", "local name"),
        ("signal", "stop"),
        ("signal", "priority"),
    ],
)
async def test_without_the_sandbox_a_technique_would_be_noticed(
    world: Surroundings, kind: str, name: str
) -> None:
    """Or else the tries above would prove nothing."""
    (tried,) = (t for t in every_try(world.around) if (t.kind, t.name) == (kind, name))
    verifier = PythonTests(PythonSpec(type="python", tests=tried.tests), bare)

    report = await verifier.verify(question="", text=tried.code, answer=None)

    told = world.around.canary in (report.detail or "")
    assert told or await world.reached_soon()


async def test_without_the_sandbox_a_process_would_be_left_behind(world: Surroundings) -> None:
    (tried,) = (t for t in every_try(world.around) if (t.kind, t.name) == ("process", "daemon"))
    verifier = PythonTests(PythonSpec(type="python", tests=tried.tests), bare)

    await verifier.verify(question="", text=tried.code, answer=None)

    left = world.left_behind()
    for pid in left:
        psutil.Process(pid).kill()
    assert left
