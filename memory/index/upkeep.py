"""Building indexes beside the searches, one at a time, on one thread.

Owns the thread and its end. Knows nothing of what is built.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from memory.errors import StorageUnavailableError
from memory.index.sealed import StoppedError

log = logging.getLogger(__name__)


class Upkeep:
    """Takes each tenant's work once, however often it is asked for it meanwhile."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "memory-index")
        self._tenants: set[str] = set()
        self._lock = threading.Lock()
        self._stop = threading.Event()

    def begin(self, tenant: str, work: Callable[[threading.Event], None]) -> None:
        """Have `work` done, unless the tenant has some already; it is told when to give up."""
        with self._lock:
            if tenant not in self._tenants and not self._stop.is_set():
                self._tenants.add(tenant)
                self._thread.submit(self._do, tenant, work)

    def is_busy(self, tenant: str) -> bool:
        """Whether the tenant's work is waiting or being done."""
        return tenant in self._tenants

    def _do(self, tenant: str, work: Callable[[threading.Event], None]) -> None:
        try:
            work(self._stop)
        except StoppedError:
            pass
        except StorageUnavailableError as error:
            log.warning("no index snapshot written: %s", error)
        except Exception:  # the thread's boundary: an executor would swallow it
            log.exception("the index stays as it is until the next recall")
        finally:
            with self._lock:
                self._tenants.discard(tenant)

    def close(self) -> None:
        """Call off the work under way, and wait for it to notice."""
        with self._lock:
            self._stop.set()
        self._thread.shutdown(cancel_futures=True)
