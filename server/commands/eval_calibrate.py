"""`whet eval --calibrate`: from a run's votes to the bar above which one sample will do."""

from __future__ import annotations

from collections.abc import Collection

from adaptation.evaluation.results import Results
from adaptation.voting.calibration import calibrate, fewest
from server.calibrations import CALIBRATIONS
from server.config import Settings
from server.console import console


def calibrate_from(
    results: Results, suites: Collection[str], agreement: float, settings: Settings
) -> None:
    """Find the bar, keep it, and say what it is worth; finding none takes an older one away.

    Counts the base model's votes on `suites`: the file may hold other suites, and other arms, whose
    votes on the same questions would count twice or come through adapters.
    """
    voted = [
        trial
        for trial in results.trials
        if trial.case.arm == "consistency" and trial.case.suite in suites and trial.samples > 1
    ]
    votes = [trial.first_sample for trial in voted if trial.first_sample]
    model = results.header.model  # served by this command, under its own name or its folder's
    found = calibrate(votes, agreement)
    path = CALIBRATIONS.save(settings.data_dir, model, found)
    out = console(stderr=True)
    if found is None:
        out.print(
            f"no bar: {len(votes)} votes do not show that any share of {model}'s first samples "
            f"agrees with its votes {agreement:.0%} of the time: every question is voted on. "
            f"It takes at least {fewest(agreement)} votes, better some hundred: raise -n",
            soft_wrap=True,
        )
        return
    out.print(
        f"{model}: {found.accepted} of {found.votes} first samples clear a group confidence of "
        f"{found.bar:.3f}, and {found.agreed} of them are what the vote came to. Kept in {path}; "
        "servers on this data folder use it from their next start",
        soft_wrap=True,
    )
