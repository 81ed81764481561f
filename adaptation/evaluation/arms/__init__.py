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
        **{f"vote-{n}": Sampled(vote=True, most=n) for n in (2, 4, 8)},
        "consistency": Adaptive(Strategy.CONSISTENCY),
        "copy": Copied(),
        "demos-4": Demonstrated(4),
        "demos-8": Demonstrated(8),
        "demos-16": Demonstrated(16),
        "demos-16+vote": Demonstrated(16, vote=True),
        "ttt": Adaptive(Strategy.TTT),
        "auto": Adaptive(Strategy.AUTO),
        "demonstrations": Adaptive(Strategy.DEMONSTRATIONS),
        "best_of_n": Adaptive(Strategy.BEST_OF_N),
        "refine": Adaptive(Strategy.REFINE),
        "reflexion": Adaptive(Strategy.REFLEXION, is_checked=True),
        "retry": Adaptive(Strategy.BEST_OF_N, is_checked=True),
        "debate": Adaptive(Strategy.DEBATE),
        "decompose": Adaptive(Strategy.DECOMPOSE),
    }
)
"""`plain` is `one` by the name of its strategy. `reflexion` is told by a verifier whether its
answer is right, and so is `retry`, blind resampling: compare these with each other only."""

DEFAULT_ARMS = ("one", "vote", "consistency", "demos-8", "ttt")
