"""What can go wrong with an evaluation.

EvaluationError
├── ResultsError      a results file cannot be read, written or continued
├── ServerGoneError   the server does not answer any more
└── UnfitArmError     an arm or suite cannot be measured on this server
"""

from __future__ import annotations


class EvaluationError(Exception):
    """An evaluation cannot go on; the message says what to do."""


class ResultsError(EvaluationError):
    """A results file cannot be read, written or continued."""


class ServerGoneError(EvaluationError):
    """The server does not answer any more; what was measured is kept."""


class UnfitArmError(EvaluationError):
    """An arm cannot be measured on this server."""
