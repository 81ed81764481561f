"""What keeps a grader from a score, in the words of OpenAI's error flags."""

from __future__ import annotations

from enum import StrEnum

from adaptation.errors import AdaptationError, InvalidOptionsError


class Fault(StrEnum):
    """Why there is no score; the flags of OpenAI's `metadata.errors`."""

    FORMULA_PARSE = "formula_parse_error"
    SAMPLE_PARSE = "sample_parse_error"
    TRUNCATED = "truncated_observation_error"
    UNRESPONSIVE = "unresponsive_reward_error"
    INVALID_VARIABLE = "invalid_variable_error"
    PYTHON_SERVER = "python_grader_server_error"
    PYTHON_RUNTIME = "python_grader_runtime_error"
    MODEL_SERVER = "model_grader_server_error"
    MODEL_REFUSAL = "model_grader_refusal_error"
    MODEL_PARSE = "model_grader_parse_error"
    OTHER = "other_error"


class GradingError(AdaptationError):
    """A grader gives no score."""

    def __init__(self, fault: Fault, message: str) -> None:
        super().__init__(message)
        self.fault = fault


class UngradableError(InvalidOptionsError):
    """A grader can score nothing, whatever the model says: it is wrong itself."""

    def __init__(self, message: str, param: str) -> None:
        super().__init__(f"`{param}` {message}", param)
