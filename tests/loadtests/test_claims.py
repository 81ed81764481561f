"""The claims' judges: each met on results that show it, missed on results that do not."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from adaptation.evaluation.results import Results
from adaptation.evaluation.suites.suite import Group
from adaptation.evaluation.trial import Trial
from adaptation.pebble import model_path
from adaptation.policy import Policy
from loadtests import claims as measured
from loadtests import claims_table
from loadtests.claims import ALL, FEW, default_folder, questions_for
from loadtests.measure import claims
from server.config import Settings
from server.models.named import Chosen
from server.models.size import Size
from tests.adaptation.evaluation.made_up import outcomes, run

N = 200


def test_a_model_whose_training_takes_minutes_is_asked_fewer_questions() -> None:
    small, real = (Size(count, 2 * count, 1, 1) for count in (3_500_000, 135_000_000))
    assert questions_for(small, on_gpu=False) == ALL
    assert questions_for(real, on_gpu=False) == FEW < ALL
    assert questions_for(real, on_gpu=True) == ALL
    assert questions_for(None, on_gpu=False) == FEW


def test_each_model_has_a_folder_of_its_own() -> None:
    assert default_folder("whet-pebble").name == "claims"
    assert default_folder("smollm2").name == "claims-smollm2"
    assert default_folder("/models/My.Q8_0.gguf").name == "claims-My.Q8_0"


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Return the commands that are run; each ends well and does nothing."""
    found: list[list[str]] = []
    monkeypatch.setattr(measured, "whet", lambda words: found.append([*words]) or 0)
    monkeypatch.setattr(measured, "load", lambda path: votes(stories=20, countdown=16))
    monkeypatch.setattr(measured, "choose", lambda model, data: Chosen(str(model_path())))
    return found


def test_every_command_is_told_of_the_model(told: list[list[str]], tmp_path: Path) -> None:
    measured.main(["--model", "smollm2", "--no-train", "--out", str(tmp_path)])
    assert told[0] == ["models", "get", "smollm2", "--data-dir", str(tmp_path / "data")]
    evaluations = told[1:]
    assert [words[0] for words in evaluations] == ["eval"] * 3
    for words in evaluations:
        assert words[words.index("--model") + 1] == "smollm2"
        assert not {"ttt", "auto"} & set(words)
    kept = json.loads((tmp_path / "claims.json").read_text("utf-8"))
    assert [claim["name"] for claim in kept["claims"]] == ["voting", "room to learn"]


def test_where_training_takes_minutes_a_worlds_questions_share_one_neighbourhood(
    told: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measured, "questions_for", lambda size, on_gpu: FEW)
    measured.main(["--model", "smollm2", "--no-train", "--out", str(tmp_path)])
    policy = Policy()
    for words in told[1:]:
        examples = int(words[words.index("--examples") + 1])
        assert examples == policy.neighbours + policy.holdout
        settings = tomllib.loads(Path(words[words.index("--config") + 1]).read_text("utf-8"))
        assert Settings(**settings).wall_s == settings["wall_s"] > 300
        assert float(words[words.index("--timeout") + 1]) > settings["wall_s"]


def test_the_adapter_is_distilled_on_the_model_that_was_asked(
    told: list[list[str]], tmp_path: Path
) -> None:
    files, path = measured.Files(tmp_path), tmp_path / "distilled.json"
    with pytest.raises(FileNotFoundError):  # no command has written it
        measured._distil(files, ["--model", "smollm2", "-n", "24"])
    assert told[-1] == [
        *("distill", "--data-dir", str(tmp_path / "data"), "--model", "smollm2"),
        *("--json", str(path)),
    ]


def test_tables_stand_side_by_side_and_say_what_was_not_measured(tmp_path: Path) -> None:
    docs = Path(__file__).parents[2] / "docs" / "claims.json"
    pebble = claims_table.read(docs)
    kept = json.loads(docs.read_text("utf-8"))
    kept["claims"] = kept["claims"][:1]
    kept["summary"]["header"] |= {"model": "smollm2", "questions": 24}
    kept["summary"]["suites"] = kept["summary"]["suites"][:1]
    (tmp_path / "other.json").write_text(json.dumps(kept))
    shown = claims_table.rendered([pebble, claims_table.read(tmp_path / "other.json")])
    heads, _, voting, room, *_ = shown.splitlines()
    assert "whet-pebble, 300 questions of a suite | smollm2, 24 questions of a suite |" in heads
    assert voting.count("stories: 74.7% → 80.7%") == 2
    assert room.endswith("| not measured |")
    assert "| stories | 80 / 80 |" in shown
    assert "| orders | 96 / – |" in shown


def first(right: int) -> list[bool]:
    """`N` outcomes, the first `right` of them right."""
    return [number < right for number in range(N)]


def arm(name: str, suite: str, right: int, **fields: Any) -> Sequence[Trial]:
    return outcomes(name, first(right), suite=suite, **fields)


def shifted(suite: str, **right: int) -> list[Sequence[Trial]]:
    """One suite's arms; `demos` is every number of demonstrations."""
    demos = dict.fromkeys(claims.DEMONSTRATIONS, right["demos"])
    rest = {name: n for name, n in right.items() if name != "demos"}
    return [arm(name, suite, n, group=Group.SHIFTED) for name, n in (demos | rest).items()]


def test_a_claim_whose_suites_were_not_asked_is_not_judged() -> None:
    def both(group: Group) -> list[list[Trial]]:
        return [outcomes(arm, [True, False], group=group) for arm in ("consistency", "ttt")]

    assert measured.judged(run(*both(Group.SHIFTED))) == []
    assert [claim.name for claim in measured.judged(run(*both(Group.IN_DISTRIBUTION)))] == [
        "no harm"
    ]


def votes(**gains: int) -> Results:
    """Suites whose vote has so many more right than one sample."""
    return run(
        *(arm("one", suite, 100) for suite in gains),
        *(arm("vote", suite, 100 + gain) for suite, gain in gains.items()),
    )


@pytest.mark.parametrize(
    ("gains", "met"),
    [
        ({"stories": 20, "units": 16}, True),
        ({"stories": 20, "units": 15}, False),  # 7.5 points
        ({"stories": 40}, False),  # one suite alone
    ],
)
def test_voting_needs_eight_points_on_two_suites(gains: dict[str, int], met: bool) -> None:
    claim = claims.voting(votes(**gains))
    assert claim.met is met
    assert len(claim.found) == len(gains)


def test_a_gain_that_may_be_luck_is_no_gain() -> None:
    rights = [number % 2 == 0 for number in range(20)]
    better = [*rights[:-2], True, True]
    some = {"suite": "units"}, {"suite": "stories"}
    results = run(
        *(outcomes("one", rights, **each) for each in some),
        *(outcomes("vote", better, **each) for each in some),
    )
    assert not claims.voting(results).met


@pytest.mark.parametrize(("any_right", "met"), [(140, True), (119, False)])
def test_room_is_what_some_sample_got_and_the_vote_did_not(any_right: int, met: bool) -> None:
    trials = [
        trial.model_copy(update={"any_right": number < any_right})
        for number, trial in enumerate(arm("vote", "countdown", 100))
    ]
    assert claims.room(run(trials)).met is met


@pytest.mark.parametrize(("demos", "met"), [(50, True), (49, False)])
def test_in_context_learning_needs_twenty_points_on_one_suite(demos: int, met: bool) -> None:
    assert claims.in_context(run(*shifted("jargon", one=10, demos=demos))).met is met


@pytest.mark.parametrize(
    ("facts", "met"),
    [
        ({"consistency": 10, "ttt": 60, "demos": 60}, True),
        ({"consistency": 10, "ttt": 49, "demos": 20}, False),  # 19.5 points
        ({"consistency": 10, "ttt": 60, "demos": 61}, False),  # the same neighbours do better
    ],
)
def test_training_needs_twenty_points_and_to_beat_its_own_neighbours_on_two_suites(
    facts: dict[str, int], met: bool
) -> None:
    good = shifted("jargon", one=5, consistency=10, ttt=190, demos=100)
    assert claims.training(run(*good, *shifted("facts", one=5, **facts))).met is met


def test_no_harm_is_judged_over_all_suites_by_the_lower_bound() -> None:
    def results(hurt: int, suites: int = 6) -> Results:
        """So many questions of the first suites are hurt, one in each."""
        names = [f"s{i}" for i in range(suites)]
        return run(
            *(arm("consistency", name, 150) for name in names),
            *(arm("ttt", name, 150 - (place < hurt)) for place, name in enumerate(names)),
        )

    assert claims.no_harm(results(hurt=0)).met
    assert claims.no_harm(results(hurt=5)).met  # at most 0.97 points lost: Wilson's for 5 of 1200
    assert not claims.no_harm(results(hurt=6)).met  # 1.09
    assert "6 hurt" in claims.no_harm(results(hurt=6)).found[0]
    assert "score bound -1.09" in claims.no_harm(results(hurt=6)).found[0]
    assert claims.no_harm(results(hurt=0, suites=2)).met  # 400 questions: 0.95
    assert not claims.no_harm(results(hurt=0, suites=1)).met  # 200 questions: 1.88


@pytest.mark.parametrize(
    ("plain", "guard", "met"), [(184, 198, True), (183, 198, False), (190, 197, False)]
)
def test_distillation_keeps_what_training_gained_and_the_guards(
    plain: int, guard: int, met: bool
) -> None:
    manners = {"suite": "refusal", "group": Group.GUARD}
    before = run(
        arm("ttt", "jargon", 190, group=Group.SHIFTED),
        outcomes("greedy", first(200), **manners),
    )
    after = run(
        arm("greedy", "jargon", plain, group=Group.SHIFTED),
        arm("one", "jargon", plain, group=Group.SHIFTED),
        outcomes("greedy", first(guard), **manners),
    )
    assert claims.distillation(before, after, "jargon").met is met
