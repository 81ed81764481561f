"""The process of one target: `python -m loadtests.fuzz.inside NAME SECONDS FOLDER`."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["memory", "server", "adaptation", "loadtests"]):
    from loadtests.fuzz.targets import SEEDS, TARGETS

WORDS = Path(__file__).parent / "words.dict"


def main(name: str, seconds: str, folder: str) -> None:
    """Fuzz until the time is over or a fault is found."""
    logging.disable()
    corpus = Path(folder, name)
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(SEEDS[name]):
        (corpus / f"seed-{number}").write_bytes(seed)
    flags = [
        "fuzz", str(corpus), f"-max_total_time={seconds}", f"-dict={WORDS}", "-max_len=8192",
        "-rss_limit_mb=4096", "-timeout=20", f"-artifact_prefix={folder}/{name}-",
    ]  # fmt: skip
    atheris.Setup(flags, TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
