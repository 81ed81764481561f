"""What differs between the releases of vLLM that Whet serves with: all of it is told here.

| | 0.32 | 0.33 |
|---|---|---|
| flags of `vllm serve` | `launchers.cli_args` | `common.cli_args` |
| a paused engine | holds requests back | refuses them (`refusals.told`) |
| a response cut short | `response.completed` | `response.incomplete` (`gateway.response_form`) |

Every name that is used was imported from 0.33.0's sources, and what is rested on was read there;
nothing was served with it. It needs torch 2.14, with which the rest of Whet was not run, so
`pyproject.toml` asks for 0.32.
"""

from __future__ import annotations

import vllm

if vllm.__version__.startswith("0.32."):
    from vllm.entrypoints.launchers.cli_args import (
        make_arg_parser,
        resolve_default_chat_template_kwargs,
        validate_parsed_serve_args,
    )
else:
    from vllm.entrypoints.common.cli_args import (
        make_arg_parser,
        resolve_default_chat_template_kwargs,
        validate_parsed_serve_args,
    )

__all__ = [
    "make_arg_parser",
    "resolve_default_chat_template_kwargs",
    "validate_parsed_serve_args",
]
