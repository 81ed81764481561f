"""For all tests: no network, and no deadlines, since the machines they run on are shared."""

from __future__ import annotations

import os

from hypothesis import settings

os.environ.setdefault("HF_HUB_OFFLINE", "1")
settings.register_profile("whet", deadline=None)
settings.register_profile("quick", deadline=None, max_examples=30)  # `make test-fast`
settings.load_profile("whet")
