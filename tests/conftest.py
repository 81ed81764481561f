"""Shared helpers: a query to ask, and no network from any test."""

from __future__ import annotations

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
