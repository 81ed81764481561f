"""Becomes a module of the build in a folder: `python -m loadtests.sound.of_build FOLDER MODULE …`.

In place of the module a script may stand, by its file: its own folder is not looked in, the build's
packages are. Both builds are started by this one, so that nothing but their code differs: the same
interpreter and libraries, no setting of threads that the user's shell happens to hold.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping


def environment(given: Mapping[str, str], folder: str) -> dict[str, str]:
    """Return the environment in which Python finds the build in `folder`, threads as it sets them.

    >>> environment({"OMP_NUM_THREADS": "8", "HOME": "/root"}, "/build")
    {'HOME': '/root', 'PYTHONPATH': '/build'}
    """
    kept = {name: value for name, value in given.items() if not name.startswith(("OMP_", "KMP_"))}
    return {**kept, "PYTHONPATH": folder}


def main(argv: list[str]) -> None:
    """Replace this process, so that signals reach the build."""
    folder, module, *arguments = argv
    os.chdir(folder)
    named = ["-P", module] if module.endswith(".py") else ["-m", module]
    command = [sys.executable, *named, *arguments]
    os.execve(sys.executable, command, environment(os.environ, folder))


if __name__ == "__main__":
    main(sys.argv[1:])
