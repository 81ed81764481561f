"""`whet eval --calibrate`: from a run's votes to the bar above which one sample will do."""

from __future__ import annotations

from collections.abc import Collection

from adaptation.evaluation.results import Results
from adaptation.report import FirstSample
from adaptation.voting.calibration import calibrate, fewest
from server.config import Settings
from server.terminal import CommandError, console
from server.tuning.calibrations import keep


def calibrate_from(
    results: Results,
    suites: Collection[str],
    agreement: float,
    settings: Settings,
    tenant: str | None = None,
) -> None:
    """Find the bar, keep it, and say what it is worth; finding none takes an older one away.

    Raises `CommandError`, and leaves the older one, where the votes are too few to find any.

    With a `tenant` it is that tenant's own, and finding none has every question of it voted on.
    """
    votes = _votes_on(suites, results)
    if len(votes) < (least := fewest(agreement)):  # suites were left out, or votes failed
        raise CommandError(
            f"{len(votes)} votes can show nothing: --calibrate takes {least} at least; raise -n. "
            "What was found before stays"
        )
    model = results.header.model  # served by this command, under its own name or its folder's
    found = calibrate(votes, agreement)
    place = keep(found, settings, model, tenant)
    whose = "" if tenant is None else f" of tenant {tenant}"
    if found is None:
        told = (
            f"no bar: {len(votes)} votes do not show that any share of {model}'s first samples "
            f"agrees with its votes {agreement:.0%} of the time: every question{whose} is voted "
            f"on. It takes at least {least} votes, better some hundred: raise -n"
        )
    else:
        told = (
            f"{model}: {found.accepted} of {found.votes} first samples clear a group confidence of "
            f"{found.bar:.3f}, and {found.agreed} of them are what the vote came to. Kept in "
            f"{place}; servers there use it for requests{whose} from their next start"
        )
    console(stderr=True).print(told, soft_wrap=True)


def _votes_on(suites: Collection[str], results: Results) -> list[FirstSample]:
    """Return the base model's votes on `suites`.

    The file may hold other suites, and other arms, whose votes on the same questions would count
    twice or come through adapters.
    """
    return [
        trial.first_sample
        for trial in results.trials
        if trial.case.arm == "consistency"
        and trial.case.suite in suites
        and trial.samples > 1
        and trial.first_sample
    ]
