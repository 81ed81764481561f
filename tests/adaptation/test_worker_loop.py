"""A question has its time of a processor, and a bound by the clock."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

LIMIT_S = 0.25
BUSY = "while True: pass"


@pytest.mark.parametrize(
    ("does", "status"),
    [
        (BUSY, -signal.SIGPROF),
        (f"time.sleep({LIMIT_S * 2})", 0),
        ("time.sleep(60)", -signal.SIGALRM),
    ],
    ids=["computes", "waits for a while", "waits"],
)
def test_what_computes_too_long_ends_and_what_waits_for_a_while_does_not(
    does: str, status: int
) -> None:
    code = f"""
import time
from adaptation.workers.worker_loop import time_limit
with time_limit({LIMIT_S}):
    {does}
"""
    ended = subprocess.run([sys.executable, "-c", code], timeout=60, check=False)
    assert ended.returncode == status


def test_nothing_ends_once_the_block_has() -> None:
    code = f"""
import time
from adaptation.workers.worker_loop import time_limit
with time_limit({LIMIT_S}):
    pass
end = time.process_time() + {2 * LIMIT_S}
while time.process_time() < end:
    pass
"""
    subprocess.run([sys.executable, "-c", code], timeout=60, check=True)
