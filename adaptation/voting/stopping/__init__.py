"""When to stop voting: one rule per file, chosen by name."""

from collections.abc import Callable

from adaptation.voting.stopping.bayesian import BayesianRule
from adaptation.voting.stopping.beta import BetaRule
from adaptation.voting.stopping.certain import CertainRule
from adaptation.voting.stopping.esc import EscRule
from adaptation.voting.stopping.fixed import FixedRule
from adaptation.voting.stopping.rule import StoppingRule, next_wave
from adaptation.voting.stopping.shapes import Floats

RULES: dict[str, Callable[[Floats, float], StoppingRule]] = {
    "bayesian": BayesianRule,
    "beta": lambda *_: BetaRule(),
    "certain": lambda *_: CertainRule(),
    "esc": lambda *_: EscRule(),
    "fixed": lambda *_: FixedRule(),
}
"""Rules by name, each made from a prior over `stopping.shapes` and the price of a sample."""
WITH_PRIOR = frozenset({"bayesian"})
"""Rules that use the prior."""

__all__ = [
    "RULES",
    "WITH_PRIOR",
    "BayesianRule",
    "BetaRule",
    "CertainRule",
    "EscRule",
    "FixedRule",
    "StoppingRule",
    "next_wave",
]
