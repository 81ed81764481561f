"""Defaults by model size, for whoever has measured nothing better.

Large: 1e-4 and few steps, as Akyürek et al. 2024 (arXiv 2411.07279) at 8B, whose loss is
memorised after five. Small: measured on whet-pebble (3.5 M parameters, 16 neighbours, 3 held
out, 6 unseen worlds of each suite, development questions; 0 to 12 % right without training):

    steps, least loss    jargon  house rules  house format  facts   questions each
    12, 2e-3               96 %         88 %          71 %   54 %   24
    20, 2e-4              100 %        100 %          94 %   89 %   18

A loss is a mean over all tokens, most of which such a model knows: at 2e-3 the few that matter
may not be learned yet.

In between: measured on SmolLM2-135M-Instruct (16 neighbours, rank 16, constant rate, one world
of development, right of 24 questions without a vote; 0 of each without training):

    steps, rate   jargon  facts  house format  house rules
    8, 3e-4            0      0             0            0
    24, 3e-4           3      1            10           24
    64, 3e-4           9     14            11           22
    64, 1e-3           5     10             6           20

Low rates with many steps generalise; high ones memorise at once. Past a loss of 0.003 nothing
was gained: jargon stopped there after 48 steps with 3 of 24 right, and had 3 after 128 (other
examples, on a CPU). Batches of 4 learn what those of 16 do from a quarter of the tokens
(another world, harder house rules, right of 24 questions, on a CPU):

    batch                           jargon  facts  house format  house rules    tokens
    16                                   8     13             6            8   260,000
    4                                    8     11             9            7    71,000
    4, 128 steps, no end by loss         6     15            10            7   180,000

More neighbours teach more, of both models, and take few steps more (development questions without
a vote, 24 a world; in brackets the mean of the steps until the loss had been learned):

    neighbours, most steps                jargon     facts  house format  house rules
    SmolLM2, a world: 16, 64             2  (60)   8  (50)       8  (38)     12  (43)
    SmolLM2, the same: 48, 192          11  (84)  15  (60)      13  (45)     14  (72)
    SmolLM2, another: 48, 192           19  (77)  18  (61)      15  (90)     11  (83)
    whet-pebble, four worlds: 16, 20    92  (20)  77  (20)      96   (7)     95  (10)
    whet-pebble, the same: 48, 40       96  (28)  95  (28)      96  (10)     96  (13)

With 48 neighbours and only 20 steps whet-pebble lost facts: 22, 24 and 12 of three worlds.
"""

from __future__ import annotations

import math

from adaptation.learning.training.trainer import Recipe

SMALL, MEDIUM = 50_000_000, 3_000_000_000


def recipe_for(parameters: int | None, steps: int | None = None) -> Recipe:
    """The recipe of a per-request job for a base of `parameters` (None: unknown).

    `whet tune` finds what a model needs.
    """
    if parameters is None or parameters > MEDIUM:
        return Recipe(rank=16, learning_rate=1e-4, steps=steps or 8, min_loss=0.05)
    if not _is_small(parameters):
        return Recipe(
            rank=16,
            learning_rate=3e-4,
            steps=steps or 96,
            schedule="constant",
            batch_size=4,
            min_loss=0.003,
        )
    return Recipe(rank=8, learning_rate=6e-3, steps=steps or 40, min_loss=0.0002)


def distillation_recipe(parameters: int | None, records: int) -> Recipe:
    """The recipe of an offline generation on `records` records, in batches of 8.

    Small steps, many times: at an eighth of the rate of a single request's job for a small model,
    at half of it for a larger one. Measured on whet-pebble with 51 records of one unseen
    world and as many rehearsals: right of 60 fresh questions of the world, and change on 200 that
    ask for JSON and on 200 everyday sums (development questions):

        steps, rate       jargon    facts      JSON               sums
        48, a half        100 %      12 %     −3.5, −3.5 points  −4.5, −2.0 points
        192, an eighth    100 %     100 %     −1.0, −1.0         −3.0, −2.5

    Those were 49 prompts of rehearsal; with today's 65 the second row is −0.7 and −1.0 points on
    average of three other worlds (jargon, facts, house format), all learned to 100 %.

    Fewer steps save the time of some worlds and cost others what they teach. Right of 40 fresh
    questions of one world each, whet-pebble with 38 records, after 192, 128 and 96 steps: house
    rules 40, 40, 40, whose loss is below 0.002 from step 50 on; facts 35, 30, 15, from step 112 on.

    Measured on SmolLM2-135M with 53 records of a development world and as many rehearsals: right of
    24 fresh questions, greedy, of which the base has 1 and 0:

        steps, rate    house rules  facts
        48, 1.5e-4               8      1
        96, 1.5e-4              23     15
        192, 1.5e-4             24     16
        96, 3e-4                24     15
    """
    once = recipe_for(parameters)
    slower, epochs = _patience(parameters)
    return once.model_copy(
        update={
            "rank": 16,
            "learning_rate": once.learning_rate / slower,
            "batch_size": 8,
            "steps": epochs * max(24, math.ceil(records / 8)),
            "min_loss": 0.0,
        }
    )


def _patience(parameters: int | None) -> tuple[int, int]:
    """Return by what the rate is divided, and how often each record is seen."""
    if _is_small(parameters):
        return 8, 8
    return (2, 2) if parameters is None or parameters > MEDIUM else (2, 4)


def _is_small(parameters: int | None) -> bool:
    return parameters is not None and parameters <= SMALL
