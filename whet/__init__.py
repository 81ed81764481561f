"""What programs import that talk to a Whet server; `whet.client` is where to begin."""

LOCAL = "http://127.0.0.1:8000"
"""Where `whet serve` listens unless told otherwise."""
KEY_VARIABLES = ("WHET_API_KEY", "VLLM_API_KEY")
"""Where a key is looked for, in this order."""


def root_of(url: str) -> str:
    """Return a server's address without the path of OpenAI's routes, which may be named or not."""
    return url.rstrip("/").removesuffix("/v1")
