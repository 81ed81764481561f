"""Every parser of what others send refuses it in its own words: a few hundred inputs each."""

from __future__ import annotations

import gc
import logging
import random
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.fuzz.targets import SEEDS, TARGETS

# Starlette leaves the file of a part that never ends to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:Unclosed file:ResourceWarning")
PIECES = [seed for seeds in SEEDS.values() for seed in seeds]


@pytest.fixture(autouse=True)
def silent() -> Iterator[None]:
    """Refusals are logged, thousands of them."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)
    gc.collect()  # here, where nobody minds what was left to it


def mutated(seed: bytes, seed_of_chance: int) -> bytes:
    """The bytes with a few of them cut, doubled, replaced or taken from another seed."""
    chance, data = random.Random(seed_of_chance), bytearray(seed)
    for _ in range(chance.randint(1, 4)):
        start = chance.randint(0, len(data))
        end = min(len(data), start + chance.randint(0, 9))
        other = chance.choice(PIECES)
        cut = chance.randint(0, len(other))
        data[start:end] = chance.choice(
            [b"", data[start:end] * 2, chance.randbytes(end - start), other[cut : cut + 20]]
        )
    return bytes(data)


def test_every_target_has_inputs_to_begin_from() -> None:
    assert SEEDS.keys() == TARGETS.keys()


@pytest.mark.parametrize("name", TARGETS)
@given(data=st.data())
def test_a_parser_refuses_in_its_own_words(name: str, data: st.DataObject) -> None:
    seeds = st.sampled_from(SEEDS[name])
    TARGETS[name](data.draw(seeds))
    TARGETS[name](data.draw(st.builds(mutated, seeds, st.integers(0, 2**32))))
    TARGETS[name](data.draw(st.binary(max_size=300)))
    TARGETS[name](data.draw(st.text(max_size=100)).encode("utf-8", "surrogatepass"))
