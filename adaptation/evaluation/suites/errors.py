"""What can go wrong when a suite is asked for.

SuiteError
├── UnknownSuiteError       there is no suite of that name
├── MissingPackageError     the suite's generator is not installed
├── UnreliableSuiteError    its questions or its verdicts cannot be relied on
└── TooFewQuestionsError    it has not as many different questions as were asked for

ScorerError                 somebody else's scorer raised, or did not end in time
"""


class SuiteError(Exception):
    """A suite cannot be had; the message says what to do."""


class UnknownSuiteError(SuiteError):
    """There is no suite of that name."""


class MissingPackageError(SuiteError):
    """The suite's generator is not installed."""


class UnreliableSuiteError(SuiteError):
    """The suite's questions change from one drawing to the next, or its verdicts are not true."""


class TooFewQuestionsError(SuiteError):
    """The suite has fewer different questions than were asked for."""

    def __init__(self, message: str, available: int = 0) -> None:
        super().__init__(message)
        self.available = available
        """How many could be drawn."""


class ScorerError(Exception):
    """Somebody else's scorer raised, or did not end in time."""
