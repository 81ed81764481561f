"""How an answer is looked for: one strategy a file, chosen by name."""

from collections.abc import Mapping
from types import MappingProxyType

from adaptation.options import Strategy
from adaptation.strategies.auto import Auto
from adaptation.strategies.best_of_n import BestOfN
from adaptation.strategies.consistency import CONSISTENCY
from adaptation.strategies.debate import Debate
from adaptation.strategies.decompose import Decompose
from adaptation.strategies.demonstrations import Demonstrations
from adaptation.strategies.plain import Plain
from adaptation.strategies.refine import Refine
from adaptation.strategies.reflexion import Reflexion
from adaptation.strategies.strategy import Answering, Decision, obstacle
from adaptation.strategies.ttt import TestTimeTraining

STRATEGIES: Mapping[Strategy, Answering] = MappingProxyType(
    {
        Strategy.PLAIN: Plain(),
        Strategy.CONSISTENCY: CONSISTENCY,
        Strategy.DEMONSTRATIONS: Demonstrations(),
        Strategy.TTT: TestTimeTraining(),
        Strategy.AUTO: Auto(),
        Strategy.BEST_OF_N: BestOfN(),
        Strategy.REFINE: Refine(),
        Strategy.REFLEXION: Reflexion(),
        Strategy.DEBATE: Debate(),
        Strategy.DECOMPOSE: Decompose(),
    }
)

__all__ = ["STRATEGIES", "Answering", "Decision", "obstacle"]
