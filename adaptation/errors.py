"""The error tree of the adaptation package.

AdaptationError
├── EngineError            the engine cannot serve this sample or adapter
│   └── ModelGoneError     the model that was asked for is there no more
├── DeadlineError          the deadline passed before there was anything to return
├── NoTurnError            training could not begin in time: too many are before it
├── TrainerError           the trainer died, hung, ran out of memory or diverged
│   └── TrainerLostError   it died or was not there: the same work may go well elsewhere, or later
├── VerifierError          a verifier cannot run (not: the answer failed it)
├── InvalidOptionsError    the request's options cannot be honoured; names the offending key
├── DistillationError      an offline generation cannot start or finish
└── ConversionError        a model file cannot become a folder that can be served
"""


class AdaptationError(Exception):
    """Base of every error this package raises on purpose."""


class EngineError(AdaptationError):
    """The engine cannot serve this sample or adapter."""


class ModelGoneError(EngineError):
    """The model that was asked for was deleted, or ended, while its turn was waited for."""


class DeadlineError(AdaptationError):
    """The deadline passed before there was anything to return."""


class NoTurnError(AdaptationError):
    """There was no time to train, or no turn: too many are before it."""


class TrainerError(AdaptationError):
    """The trainer died, hung, ran out of memory or diverged; the request falls back."""


class TrainerLostError(TrainerError):
    """The trainer died at the work, or was not there: says nothing about the work itself."""


class VerifierError(AdaptationError):
    """A verifier cannot run here; says nothing about the answer."""


class InvalidOptionsError(AdaptationError):
    """The options cannot be honoured."""

    def __init__(self, message: str, param: str) -> None:
        super().__init__(message)
        self.param = param
        """Dotted path of the offending key, such as `adaptation.answer.pattern`."""


class DistillationError(AdaptationError):
    """An offline generation cannot start or finish."""


class PracticeError(AdaptationError):
    """No exercise can be posed or tried."""


class ConversionError(AdaptationError):
    """A model file cannot be made into a folder that engine and trainer load."""
