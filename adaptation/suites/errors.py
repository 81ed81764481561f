"""What can go wrong when a suite is asked for.

SuiteError
├── UnknownSuiteError       there is no suite of that name
├── MissingPackageError     the suite's generator is not installed
└── TooFewQuestionsError    it has not as many different questions as were asked for
"""


class SuiteError(Exception):
    """A suite cannot be had; the message says what to do."""


class UnknownSuiteError(SuiteError):
    """There is no suite of that name."""


class MissingPackageError(SuiteError):
    """The suite's generator is not installed."""


class TooFewQuestionsError(SuiteError):
    """It has not as many different questions as were asked for."""
