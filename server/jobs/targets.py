"""What a generation aims at, as far as can be seen before it is begun."""

from __future__ import annotations


def refusal_of(target: str | None, rebuild: str | None) -> str | None:
    """Return why a target cannot be aimed at; None where it can.

    A suite of reasoning-gym is looked for when the job is done.
    """
    if target is None:
        return None
    if rebuild is not None:
        return "a version that is rebuilt is judged as it was: leave out the target"
    from adaptation.evaluation.suites import SuiteError
    from adaptation.learning.distillation.target import check_name

    try:
        check_name(target)
    except SuiteError as error:
        return str(error)
    return None
