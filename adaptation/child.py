"""The start of every process of ours: `python -P child.py PARENT MODULE [ARGUMENT …]`.

Runs MODULE as `python -m` would, but from the folder that holds this package: a `memory` or a
`server` of the user's own, in the working directory or on PYTHONPATH, is never imported. And it
ends with its parent, however that ended. Standard library only, for any interpreter.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import signal
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).absolute().parents[1]
LOOK_S = 0.5
"""Between two looks at whether the parent is still there."""


def command(
    module: str, *arguments: str, python: str = sys.executable, flags: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """Return the command line of `module` as a child of this process; `flags` are Python's own."""
    own = str(Path(__file__).absolute())
    return (python, "-P", *flags, own, str(os.getpid()), module, *arguments)


def end_with(parent: int) -> None:
    """End this process soon after `parent`, its parent by number, has ended.

    Linux can send a signal then, but does so when the *thread* that started this process ends.
    """
    watch = threading.Thread(target=_outlive, args=(parent,), name="end-with-parent", daemon=True)
    watch.start()


def end_if_spawned() -> bool:
    """End with the parent where this process was spawned by multiprocessing; say whether it was.

    To be called while the main module is imported, which a spawned process does first: it has the
    name of its task by then.
    """
    is_spawned = multiprocessing.current_process().name != "MainProcess"
    if is_spawned:
        threading.Thread(target=_outlive_spawner, name="end-with-parent", daemon=True).start()
    return is_spawned


def _outlive_spawner() -> None:
    """The parent may be gone already: who it was is known after the imports, or never, and then
    the process ends by itself for want of a task."""
    while (spawner := multiprocessing.parent_process()) is None:
        time.sleep(LOOK_S)
    assert spawner.pid is not None
    _outlive(spawner.pid)


def _outlive(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(LOOK_S)
    os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Watch the parent and become the module."""
    _, parent, module, *arguments = sys.argv
    end_with(int(parent))
    sys.path.insert(0, str(ROOT))
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
