"""Learning rates of both methods by the size of the base: shares of a single request's.

Measured on whet-pebble: 64 questions whether a number is prime, an apology preferred to a made-up
sum, three epochs in batches of 8, β 0.1. Margin: β · (log-ratio of the preferred less that of the
other), mean of 32 pairs held out. Then greedy answers to ten other numbers, one of which the base
apologises for, and to four sums, all of which it gets right:

    share             margin   apologies   sums right
    1/8, four epochs   6.53          10            3
    1/16               3.81          10            3
    1/32               1.84          10            4

And reinforcement: 64 products and differences of which the base gets four in ten right, rewarded
where the answer ends with the right number; six epochs in batches of 8, eight answers to each. The
reward of 64 others, one answer to each, after as many steps:

    share    none      9     18     27     36    48
    1/4      0.36   0.50   0.70   0.75   0.88   0.88
    1/8      0.36      –   0.50   0.48      –     –   (four epochs: 0.56 after 32)

Greedy, of 120 further questions: 43 right before, 111 after 1/4.
"""

from __future__ import annotations

from adaptation.learning.training.recipes import recipe_for

DPO_SHARE, REINFORCEMENT_SHARE = 1 / 32, 1 / 4


def dpo_rate(parameters: int) -> float:
    """Return the rate that a multiplier of 1 stands for."""
    return recipe_for(parameters).learning_rate * DPO_SHARE


def reinforcement_rate(parameters: int) -> float:
    """Return the rate that a multiplier of 1 stands for."""
    return recipe_for(parameters).learning_rate * REINFORCEMENT_SHARE
