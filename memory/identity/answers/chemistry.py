"""Formulas of substances: `H₂O`, `H_2O` and `\\text{H}_2\\text{O}` are `H2O`."""

from __future__ import annotations

import re

from memory.identity.answers.fold import SUBSCRIPTS
from memory.identity.answers.words import words

_ELEMENTS = frozenset(
    words(
        """H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge
        As Se Br Kr Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu
        Gd Tb Dy Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np
        Pu"""
    )
)
_MAX_CHARS = 120
_COMMAND = re.compile(r"\\(?:text|mathrm|ce|rm)\s?|[{}$\s_]")
_FORMULA = re.compile(r"(?:\(?[A-Z][a-z]?[0-9]{0,3}(?:\)[0-9]{0,3})?){2,20}")
_ELEMENT = re.compile(r"[A-Z][a-z]?")


def substance(text: str) -> str | None:
    """The formula of a substance of two elements or more, in plain letters; None for other texts.

    Upper and lower case stay: `CO` is no `Co`.
    """
    if len(text) > _MAX_CHARS or not ("_" in text or any("₀" <= char <= "₉" for char in text)):
        return None
    bare = _COMMAND.sub("", text.translate(SUBSCRIPTS))
    elements = set(_ELEMENT.findall(bare))
    is_formula = _FORMULA.fullmatch(bare) and bare.count("(") == bare.count(")")
    return bare if is_formula and len(elements) > 1 and elements <= _ELEMENTS else None
