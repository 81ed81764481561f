"""The trainer on a real Ray cluster of several processes; what happens to it happens in order."""

from __future__ import annotations

import asyncio
import signal
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest
import pytest_asyncio
from safetensors.torch import load_file, save_file

from adaptation.errors import TrainerError, TrainerLostError
from adaptation.learning.ray.files import PREFIX, scratch
from adaptation.learning.ray.placement import Placement
from adaptation.learning.ray.trainer import RayTrainer
from adaptation.learning.training.adapter_files import CONFIG, WEIGHTS
from adaptation.learning.training.process import ProcessTrainer
from adaptation.learning.training.trainer import Recipe, Spent, TrainingJob
from tests.adaptation.training.on_ray import ClientServer, Nodes
from tests.adaptation.training.working import LONG, in_training

pytestmark = pytest.mark.asyncio(loop_scope="module")
Job = Callable[..., TrainingJob]
START_S = 500.0
WAIT_S = 300.0
HEAVY_BYTES = 40 * 2**20


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    if find_spec("ray") is None:
        pytest.skip("Ray is not installed")
    with tempfile.TemporaryDirectory(prefix="whet-nodes-") as folder:  # short: it holds sockets
        nodes = Nodes(folder)
        nodes.add()
        yield nodes
        nodes.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def on_ray(nodes: Nodes, tiny_model: Path) -> AsyncIterator[RayTrainer]:
    """A trainer of one or two actors, each with one core."""
    placement = on_ray_at(nodes.address)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # as its nodes: on 127.0.0.1
        patch.setenv("RAY_AUTH_MODE", "disabled")
        patch.setenv("RAY_gcs_rpc_server_reconnect_timeout_s", "5")
        trainer = RayTrainer(tiny_model, placement)
        await trainer.start()
        yield trainer
        await trainer.close()


def on_ray_at(address: str) -> Placement:
    return Placement(address=address, fewest=1, most=2, cpus=1, device="cpu", start_s=START_S)


def actors_below(nodes: Nodes) -> list[psutil.Process]:
    family = psutil.Process(nodes.pid).children(recursive=True)
    return [each for each in family if "ray::TrainerActor" in " ".join(each.cmdline())]


def orphans() -> list[Path]:
    """Folders of actors that are gone; those of others on this machine may be at work."""
    owned = {
        each: each.name.removeprefix(PREFIX).split("-")[0] for each in scratch().glob(f"{PREFIX}*")
    }
    return [each for each, pid in owned.items() if not psutil.pid_exists(int(pid))]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not condition():  # noqa: ASYNC110  of other processes
            await asyncio.sleep(0.1)


def actors(trainer: RayTrainer) -> int:
    return trainer.standing.actors if trainer.standing else 0


async def test_adapters_are_those_of_the_single_process_to_the_last_byte(
    on_ray: RayTrainer, trainer: ProcessTrainer, tmp_path: Path, job: Job
) -> None:
    found = []
    for each, folder in ((on_ray, tmp_path / "ray"), (trainer, tmp_path / "process")):
        folder.mkdir()
        first = await each.train(job(folder / "a"), 300)
        again = job(folder / "b", parent=first.path, recipe=Recipe(steps=3, rank=16, min_loss=0.0))
        second = await each.train(again, 300)
        asked = [job(folder / "a").holdout[0].until(1)]
        found.append(
            (
                [(folder / x / name).read_bytes() for x in "ab" for name in (WEIGHTS, CONFIG)],
                [(each.losses, each.holdout_after, each.tokens) for each in (first, second)],
                await each.generate(asked, second.path, 8, 300),
                await each.measure(job(folder / "a").holdout, second.path, 512, 300),
                await each.check(job(folder / "a").holdout, 300),
            )
        )
        assert first.path == str(folder / "a")
    assert found[0] == found[1]
    assert on_ray.parameters == trainer.parameters
    assert on_ray.status == "ready"
    assert on_ray.device_bytes is None


async def test_what_is_wrong_with_a_job_is_told_as_the_process_tells_it(
    on_ray: RayTrainer, tmp_path: Path, job: Job
) -> None:
    with pytest.raises(TrainerError, match="missing holds no adapter") as told:
        await on_ray.train(job(tmp_path, parent=str(tmp_path / "missing")), 300)
    assert told.type is TrainerError, "no trainer was lost"
    gone = job(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(TrainerError, match="the adapter cannot be written") as told:
        await on_ray.train(gone, 300)
    assert told.type is TrainerError


async def test_a_cancelled_job_ends_and_a_slow_one_returns_what_it_has(
    on_ray: RayTrainer, nodes: Nodes, tmp_path: Path, job: Job
) -> None:
    (before,) = actors_below(nodes)
    work = await in_training(on_ray, job(tmp_path / "a"))
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    spent = Spent()
    slow = await on_ray.train(job(tmp_path / "b", recipe=LONG, holdout=()), 8.0, None, spent)
    assert 0 < slow.steps < LONG.steps
    assert (spent.steps, spent.tokens) == (slow.steps, slow.tokens)
    assert actors_below(nodes) == [before]


def heavy(adapter: Path) -> str:
    """Have an adapter take long on its way to an actor, and return its folder."""
    weights = adapter / WEIGHTS
    save_file(load_file(weights), weights, {"filler": "x" * HEAVY_BYTES})
    return str(adapter)


async def test_a_job_that_is_cancelled_on_its_way_to_the_actor_costs_nobody_anything(
    on_ray: RayTrainer, nodes: Nodes, tmp_path: Path, job: Job
) -> None:
    (before,) = actors_below(nodes)
    parent = heavy(Path((await on_ray.train(job(tmp_path / "a"), 300)).path))
    beside = await in_training(on_ray, job(tmp_path / "beside"))
    for n, pause_s in enumerate((0.01, 0.05, 0.1, 0.15, 0.2)):
        asked = job(tmp_path / f"b{n}", parent=parent, recipe=LONG)
        work = asyncio.create_task(on_ray.train(asked, 300))
        await asyncio.sleep(pause_s)
        work.cancel()
        await asyncio.wait([work])
    assert (await on_ray.train(job(tmp_path / "c"), 300)).steps == 6
    assert not beside.done()
    assert actors_below(nodes) == [before]
    beside.cancel()
    await asyncio.wait([beside])


async def test_where_the_client_s_server_is_lost_work_is_refused_at_once(
    on_ray: RayTrainer, nodes: Nodes, tiny_model: Path, tmp_path: Path, job: Job
) -> None:
    async with AsyncExitStack() as opened:
        nodes.add()
        opened.callback(nodes.remove)
        through = ClientServer(nodes.address)
        opened.callback(through.kill)
        by_client = RayTrainer(tiny_model, on_ray_at(through.address))
        opened.push_async_callback(by_client.close)
        await by_client.start()
        assert (await by_client.train(job(tmp_path / "a"), 300)).steps == 6
        work = await in_training(by_client, job(tmp_path / "b"))
        through.kill()
        with pytest.raises(TrainerLostError):
            await asyncio.wait_for(work, WAIT_S)
        unreached = f"failed: no Ray cluster is reached at {through.address}"
        await until(lambda: by_client.status.startswith(unreached))
        with pytest.raises(TrainerLostError, match=r"no Ray cluster is reached .*--ray-address"):
            await by_client.train(job(tmp_path / "c"), 300)
    assert on_ray.status == "ready"


async def test_jobs_train_together_and_where_they_are_many_an_actor_is_added(
    on_ray: RayTrainer, nodes: Nodes, tmp_path: Path, job: Job
) -> None:
    assert actors(on_ray) == 1
    works = await asyncio.gather(
        *(in_training(on_ray, job(tmp_path / str(n), recipe=LONG)) for n in range(5))
    )
    assert not any(work.done() for work in works), "all are in training, with one actor"
    assert len(actors_below(nodes)) == 1
    nodes.add()  # what an autoscaler does where an actor finds no room
    await until(lambda: actors(on_ray) == 2)
    for work in works:
        work.cancel()
    await asyncio.wait(works)
    assert len(actors_below(nodes)) == 2


async def test_a_killed_actor_costs_its_own_job_and_is_started_again(
    on_ray: RayTrainer, nodes: Nodes, tmp_path: Path, job: Job
) -> None:
    works = [await in_training(on_ray, job(tmp_path / name)) for name in "ab"]
    actors_below(nodes)[0].send_signal(signal.SIGKILL)
    done, going_on = await asyncio.wait(works, return_when=asyncio.FIRST_COMPLETED)
    (lost,) = done
    assert "the trainer's actor was lost" in str(lost.exception())
    assert type(lost.exception()) is TrainerLostError
    assert (await on_ray.train(job(tmp_path / "c"), 300)).steps == 6
    assert len(going_on) == 1
    await until(lambda: actors(on_ray) == 2)
    next(iter(going_on)).cancel()
    await asyncio.wait(going_on)


async def test_a_lost_node_costs_its_own_job(
    on_ray: RayTrainer, nodes: Nodes, tmp_path: Path, job: Job
) -> None:
    works = [await in_training(on_ray, job(tmp_path / name)) for name in "ab"]
    nodes.remove()
    done, going_on = await asyncio.wait(works, return_when=asyncio.FIRST_COMPLETED)
    assert [type(work.exception()) for work in done] == [TrainerLostError]
    for work in going_on:
        work.cancel()
    await asyncio.wait(going_on)
    await until(lambda: actors(on_ray) == 1)
    assert (await on_ray.train(job(tmp_path / "c"), 300)).steps == 6
    assert on_ray.status == "ready"


async def test_without_a_head_work_is_refused_at_once_and_nothing_is_left(
    on_ray: RayTrainer, nodes: Nodes, tmp_path: Path, job: Job
) -> None:
    nodes.end()
    await until(lambda: on_ray.status.startswith("failed: no Ray cluster is reached at 127.0.0.1"))
    loop = asyncio.get_running_loop()
    began = loop.time()
    with pytest.raises(TrainerLostError, match=r"no Ray cluster is reached .*--ray-address"):
        await on_ray.train(job(tmp_path), 300)
    assert loop.time() - began < 1
    assert on_ray.standing is None
    assert not actors_below(nodes)
    await on_ray.close()
    assert not await asyncio.to_thread(orphans)
