"""The arms: ways to get an answer to the same question, in one dict."""

from collections.abc import Mapping
from types import MappingProxyType

from adaptation.evaluation.arms.arm import Arm
from adaptation.evaluation.arms.copying import Copied
from adaptation.evaluation.arms.demonstrations import Demonstrated
from adaptation.evaluation.arms.sampling import Sampled
from adaptation.evaluation.arms.strategies import Adaptive
from adaptation.options import Strategy

__all__ = ["ARMS", "DEFAULT_ARMS", "Arm"]

ARMS: Mapping[str, Arm] = MappingProxyType(
    {
        "greedy": Sampled(greedy=True),
        "one": Sampled(),
        "plain": Sampled(),
        "vote": Sampled(vote=True),
        "consistency": Adaptive(Strategy.CONSISTENCY),
        "copy": Copied(),
        "demos-4": Demonstrated(4),
        "demos-8": Demonstrated(8),
        "demos-16": Demonstrated(16),
        "demos-16+vote": Demonstrated(16, vote=True),
        "ttt": Adaptive(Strategy.TTT),
        "auto": Adaptive(Strategy.AUTO),
    }
)
"""`plain` is `one` by the name of its strategy."""

DEFAULT_ARMS = ("one", "vote", "consistency", "demos-8", "ttt")
