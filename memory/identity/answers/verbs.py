"""Verbs whose object a sentence states: `it is 5`, `Tom has 5`, `that costs $5`."""

from __future__ import annotations

from memory.identity.answers.words import words

COPULAS = frozenset(words("is are was were be been equals equal = :"))
_OTHERS = words(
    """become becomes starts start begins begin ends end opens closes departs
    meet meets intersect intersects occurs lies
    totals total makes make made gives give yields comes amounts adds remain
    remains have has had having cost costs costing take takes took pay pays paid need needs needed
    earn earns earned get gets got weigh weighs weighed spend spends spent travel travels
    traveled travelled run runs ran leave leaves left contain contains hold holds receive
    receives received sell sells sold buy buys bought eat eats ate save saves saved measure
    measures reach reaches reached drop drops dropped rise rises rose find finds obtain
    obtains produce produces arrive arrives arrived boil boils leaving giving last lasts walk
    walks walked drive drives drove read reads score scores scored collect collects owe owes
    charge charges requires require use uses used see sees does jump jumps lay lays know drew
    draw fell falls climbed climbs lose loses lost win wins won miss misses missed pick picks
    picked plant plants planted grow grows add adds adding sum sums"""
)
STATING = COPULAS | frozenset(_OTHERS)
NOUNS_TOO = frozenset(
    words(
        """cost costs run runs need needs score scores walk walks drive drives use uses charge
        charges total totals make drop drops rise rises measure measures jump jumps plant plants
        read reads win wins last left"""
    )
)
"""Of these: `the cost of 5 shirts` states no 5."""
RESULTS = COPULAS | frozenset(
    words(
        """gives give yields makes make becomes totals get leaves results obtain find comes add adds
        adding sum sums"""
    )
)
"""What they state comes of all that was said before."""
WITH_NAMES = frozenset(words("takes took take costs cost leaves left gives gave makes earns"))
"""Between these and the value a name may stand: `It takes Anna 5 hours`."""
