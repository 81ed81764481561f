"""Where the description of the installed vLLM is: with Whet for one release, else asked of vLLM.

What vLLM says of another release is kept in the user's cache folder, under its version.
"""

from __future__ import annotations

import contextlib
import subprocess
from pathlib import Path

import platformdirs

from adaptation import child
from server.installation import IMPORT_TIMEOUT_S, VLLM_SERIES, VLLM_WANTED, vllm_build
from server.terminal import CommandError, complain
from server.vllm_flags.description import Group, of_json

SHIPPED = Path(__file__).parent
DESCRIBER = "server.engine.described"


def vllm_flags(cache: Path | None = None) -> tuple[Group, ...]:
    """Return what the installed vLLM takes; `cache` is a folder, the platform's by default.

    Raises `CommandError` where there is no vLLM that Whet can serve with.
    """
    name, version = vllm_build()
    if version is None:
        raise CommandError("vLLM is not installed: run `make install`")
    if not version.startswith(VLLM_SERIES):
        raise CommandError(f"{name} {version} is installed, Whet needs {VLLM_WANTED}")
    kept = (cache or platformdirs.user_cache_path("whet", appauthor=False)) / "vllm-flags"
    for folder in (SHIPPED, kept):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            return of_json((folder / f"{version}.json").read_text("utf-8"))
    text = _asked(f"{name} {version}")
    try:
        found = of_json(text)
    except (ValueError, KeyError, TypeError) as error:  # a plugin of vLLM's may print as well
        told = f"{name} {version} does not tell its flags; see `whet doctor --deep`"
        raise CommandError(told) from error
    with contextlib.suppress(OSError):  # it is asked again the next time
        kept.mkdir(parents=True, exist_ok=True)
        (kept / f"{version}.json").write_text(text, "utf-8")
    return found


def _asked(build: str) -> str:
    """Have vLLM describe itself in a process of its own, which takes as long as its import."""
    complain(f"reading the flags of {build}, once: ten seconds")
    command = child.command(DESCRIBER, "--help")  # which has vLLM keep its help
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=IMPORT_TIMEOUT_S, check=True
        )
    except subprocess.CalledProcessError as error:
        last = (error.stderr.strip().splitlines() or [f"status {error.returncode}"])[-1]
        raise CommandError(f"{build} cannot be read: {last}; see `whet doctor --deep`") from error
    except subprocess.TimeoutExpired as error:
        raise CommandError(f"{build} was not imported in {IMPORT_TIMEOUT_S} s") from error
    return done.stdout
