"""One file per command of `whet`: `add_parser(subparsers)` describes it, `run(args)` does it.

A command is imported only when it is asked for, so that `whet --help` loads neither torch nor vLLM.
"""
