"""vLLM's own API server with the flags Whet gives it, LoRA on too: what Whet is measured against.

`python -m loadtests.bare_vllm [any vllm serve flag]`. The command `vllm serve` does not run in the
CPU build, so this starts the same server through vLLM's Python API.
"""

from __future__ import annotations

import sys

from server.config import Settings
from server.startup import engine_defaults


def main(argv: list[str]) -> None:
    """Serve until SIGTERM; engine flags and defaults are those of `whet serve`."""
    engine_defaults.prepare_environment()

    import uvloop
    from vllm.entrypoints.launchers.api_server.entry import run_server

    from server.engine import launch

    parser = launch.make_parser()
    parser.set_defaults(model=None, **engine_defaults.flags_for(launch.on_cpu()))
    args = parser.parse_args(argv)
    engine_defaults.complete(args, Settings(), launch.on_cpu())
    launch.validate(args)
    uvloop.run(run_server(args))


if __name__ == "__main__":  # the engine's processes import this module again
    main(sys.argv[1:])
