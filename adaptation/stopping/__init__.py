"""When to stop voting: one rule per file, chosen by name."""

from adaptation.stopping.beta import BetaRule
from adaptation.stopping.certain import CertainRule
from adaptation.stopping.fixed import FixedRule
from adaptation.stopping.rule import StoppingRule, next_wave

RULES: dict[str, type[StoppingRule]] = {
    "beta": BetaRule,
    "certain": CertainRule,
    "fixed": FixedRule,
}

__all__ = ["RULES", "BetaRule", "CertainRule", "FixedRule", "StoppingRule", "next_wave"]
