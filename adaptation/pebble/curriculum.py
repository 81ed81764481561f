"""What the training draws from the suites: ordinary tasks and endless fresh worlds.

Only questions of the training split and world seeds that no evaluation uses.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from adaptation.evaluation.suites import SUITES
from adaptation.evaluation.suites.solved import Solved
from adaptation.evaluation.suites.split import Split, draw_from
from adaptation.evaluation.suites.suite import WORLD_SEEDS, Generated, Group
from adaptation.evaluation.suites.world import Shifted, World
from adaptation.pebble.drills import DRILLS
from adaptation.pebble.recipe import Mixture


def _generated(group: Group) -> dict[str, Generated]:
    return {
        name: suite
        for name, suite in SUITES.items()
        if isinstance(suite, Generated) and suite.group is group
    }


ORDINARY = _generated(Group.IN_DISTRIBUTION)
GUARDS = _generated(Group.GUARD)
SHIFTED = {name: suite for name, suite in SUITES.items() if isinstance(suite, Shifted)}


def ordinary(rng: Random, mixture: Mixture) -> Solved:
    """One task of the suites in distribution, or a drill, in their shares."""
    name = _chosen(rng, mixture.tasks)
    if name in DRILLS:
        return draw_from(Split.TRAINING, DRILLS[name], rng)
    return _of_any_level(rng, ORDINARY[name], mixture.hardest.get(name))


def manner(rng: Random, name: str) -> Solved:
    """One exchange of a guard suite."""
    return _of_any_level(rng, GUARDS[name])


def _of_any_level(rng: Random, suite: Generated, hardest: int | None = None) -> Solved:
    level = rng.randint(suite.levels[0], hardest or suite.levels[-1])
    return draw_from(Split.TRAINING, lambda rng: suite.draw(rng, level), rng)


def _chosen(rng: Random, shares: dict[str, float]) -> str:
    return rng.choices(list(shares), list(shares.values()))[0]


@dataclass(frozen=True)
class Classroom:
    """One world and the level its questions are asked at."""

    world: World
    level: int

    def solved(self, n: int, rng: Random) -> list[Solved]:
        """`n` questions of the training split; in a small world some come twice."""
        return [
            draw_from(Split.TRAINING, lambda rng: self.world.draw(rng, self.level), rng)
            for _ in range(n)
        ]


def classrooms(rng: Random, mixture: Mixture) -> Iterator[Classroom]:
    """Fresh worlds without end, none of which evaluation will ever use."""
    seeds = WORLD_SEEDS[Split.TRAINING]
    while True:
        suite = SHIFTED[_chosen(rng, mixture.worlds)]
        yield Classroom(suite.world(rng.choice(seeds)), rng.choice(suite.levels))
