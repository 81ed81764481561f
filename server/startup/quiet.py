"""What libraries say of a start: errors alone, unless `whet serve --verbose` asks for the rest.

vLLM warns of what is as it should be here (no Triton, no compilation), and its libraries of each
other. It tells more wherever the environment says so.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Mapping

LEVEL, WARNINGS = "VLLM_LOGGING_LEVEL", "PYTHONWARNINGS"
QUIET = {
    LEVEL: "ERROR",
    "SAGEMAKER_CONTAINER_LOG_LEVEL": "ERROR",
    "TORCH_CPP_LOG_LEVEL": "ERROR",
    WARNINGS: "ignore",
}
"""Set where the environment says nothing, for this process and those that it starts."""
QUIET_FLAGS = {"use_tqdm_on_load": False, "uvicorn_log_level": "warning"}
"""Defaults for vLLM's flags."""


def hush(environment: Mapping[str, str] = os.environ) -> None:
    """Have this process say no more than its environment has it say, while vLLM is imported too."""
    level = environment.get(LEVEL, "")
    if level in logging.getLevelNamesMapping():
        logging.getLogger("vllm").setLevel(level)
    if environment.get(WARNINGS) == QUIET[WARNINGS]:
        warnings.simplefilter("ignore")
