"""What has to be installed for who does a generation's work: seen before anything is begun."""

from __future__ import annotations

from server.installation import installed, vllm_build

NO_VLLM = (
    'vLLM is not installed here, and it is to draw the replies: pip install "whet[cpu]" or '
    '"whet[cuda]", or have the trainer draw them (--replies trainer, distill_replies = "trainer")'
)
NO_RAY = 'Ray is not installed here, and its workers are asked: pip install "whet[ray]"'


def obstacle(ray: str | None, replies: str | None) -> str | None:
    """Return what is missing; None where all is there.

    `ray` is the address of a cluster, on whose hosts vLLM is needed in place of here.
    """
    if ray is not None:
        return NO_RAY if installed("ray") is None else None
    return NO_VLLM if replies == "vllm" and vllm_build()[1] is None else None
