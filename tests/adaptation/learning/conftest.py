"""The tiny model and its jobs, as the tests of the process have them."""

from tests.adaptation.training.conftest import job, tiny_model

__all__ = ["job", "tiny_model"]
