"""For all tests: no network, and no deadlines, since the machines they run on are shared.

Models here are tiny: a second thread of torch only waits for the first, and waits by spinning where
nobody says otherwise. So one does, in the processes that tests start as well.
"""

from __future__ import annotations

import os

from hypothesis import settings

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
settings.register_profile("whet", deadline=None)
settings.register_profile("quick", deadline=None, max_examples=30)  # `make test-fast`
settings.load_profile("whet")
