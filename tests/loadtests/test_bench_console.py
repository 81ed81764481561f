"""What `make bench-console` says of its figures."""

from __future__ import annotations

from loadtests.bench_console import name_of, table, targets
from loadtests.measure.first_view import FirstView

SOON = FirstView(100.0, 150.0, 45, 80_000, 4_000, 90.0)
LATE = FirstView(100.0, 500.0, 45, 80_000, 4_000, 90.0)
LOADS = {
    "live": {"cold": [SOON] * 3, "warm": [SOON] * 3},
    "memory": {"cold": [LATE] * 3, "warm": [SOON] * 3},
}


def test_a_view_that_is_late_is_told_as_missed_and_the_others_as_met() -> None:
    _, _, live, memory, _, cold, _ = table(LOADS).splitlines()
    assert live.startswith("| live | 50 ms (50 to 50) | 150 ms (150 to 150) |")
    assert live.endswith("| cold: met; warm: met |")
    assert memory.startswith("| memory | 400 ms")
    assert memory.endswith("| cold: MISSED; warm: met |")
    assert cold == "cold: 78 KB of files for 45 addresses (at most 78 KB, 45)"


def test_all_files_together_are_judged_as_well() -> None:
    *views, size = targets(LOADS)
    assert [each.met for each in views] == [True, True, False, True]
    assert size.met
    assert 10 < size.found.value < 150


def test_what_a_view_is_called_names_no_id() -> None:
    assert name_of("memory/rec_1") == "memory, one of them"
    assert name_of("memory?q=invoice") == "memory, a search: invoice"
