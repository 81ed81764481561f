"""Embedding what an index lacks, batch by batch, on one thread of its own.

After a change of the embedder every record lacks a vector: minutes of work, during which recall
finds what is there already. Tenants take turns.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

log = logging.getLogger(__name__)


class Backfill:
    """Calls `step` for each tenant that lacks vectors, until it says that nothing is left."""

    def __init__(self, step: Callable[[str], bool]) -> None:
        self._step = step
        self._thread = ThreadPoolExecutor(1, "memory-backfill")
        self._lock = threading.Lock()
        self._tenants: set[str] = set()
        self._closed = False

    def begin(self, tenant: str) -> None:
        """See to a tenant, unless that is being done."""
        with self._lock:
            if tenant not in self._tenants and not self._closed:
                self._tenants.add(tenant)
                self._thread.submit(self._go_on, tenant)

    def is_busy(self, tenant: str) -> bool:
        """Whether the tenant is being seen to."""
        return tenant in self._tenants

    def _go_on(self, tenant: str) -> None:
        more = False
        try:
            more = self._step(tenant)
        except Exception:  # the thread's boundary: an executor would swallow it
            log.exception("embedding stops here until the next recall")
        finally:
            with self._lock:
                if more and not self._closed:
                    self._thread.submit(self._go_on, tenant)  # behind the other tenants
                else:
                    self._tenants.discard(tenant)

    def close(self) -> None:
        """Stop after the batch under way."""
        with self._lock:
            self._closed = True
        self._thread.shutdown(cancel_futures=True)
