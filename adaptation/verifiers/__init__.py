"""Verifiers: external signals that say whether an answer is right, and what that is worth.

Owns running them, untrusted code included (`sandbox`). Knows nothing of votes or of memory beyond
the tier a pass may earn. A verifier that cannot run raises; it never passes by default.
"""

from adaptation.verifiers.base import Verifier
from adaptation.verifiers.registry import VERIFIERS, build_verifiers

__all__ = ["VERIFIERS", "Verifier", "build_verifiers"]
