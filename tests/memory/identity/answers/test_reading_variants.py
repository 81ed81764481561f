"""More of each kind of mistake: other units, signs, corrections and languages."""

from __future__ import annotations

import pytest

from memory.identity.answers import agree, canonical, extract
from memory.identity.answers.options import AnswerKind, AnswerOptions
from tests.memory.identity.answers.reading import key_of


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("7 milligrams", "7 micrograms"), ("7 mcg", "7 mg"), ("7 light-years", "7 years"),
        ("7 nautical miles", "7 miles"), ("7 fluid ounces", "7 ounces"), ("7 psi", "7 bar"),
        ("7 lux", "7 lumens"), ("7 tesla", "7 gauss"), ("7 picometers", "7 nanometers"),
        ("7 megawatts", "7 kilowatts"), ("7 decibels", "7 hertz"), ("7 ppm", "7 ppb"),
        ("7 nickels", "7 dimes"), ("7 krona", "7 zloty"), ("7 baht", "7 dong"),
        ("7 words per minute", "7 words per hour"), ("7 mpg", "7 mph"),
        ("7 steps forward", "7 steps backward"), ("7 becquerels", "7 sieverts"),
        ("7 millennia", "7 centuries"), ("7 pixels", "7 inches"), ("7 torr", "7 atm"),
    ],
)  # fmt: skip
def test_two_measures_are_two_answers(one: str, other: str) -> None:
    assert not agree(canonical(one), canonical(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("7 µg", "7 micrograms"), ("7 eV", "7 electronvolts"), ("7 N·m", "7 Nm"),
        ("7 kWh", "7 kilowatt-hours"), ("7 cc", "7 cm³"), ("7 Kg", "7 kg"), ("7 KM", "7 km"),
        ("7 kΩ", "7 kiloohms"), ("7 rpm", "7 revolutions per minute"), ("7 kn", "7 knots"),
        ("7 psi", "7 pounds per square inch"), ("7 kB", "7 kilobytes"), ("7 light years", "7 light-years"),
        ("60 words per minute", "60 per minute"),
    ],
)  # fmt: skip
def test_one_measure_has_one_name(one: str, other: str) -> None:
    assert canonical(one) == canonical(other)
