"""What every tenant has used of its limits.

Counted in this process, or by all servers together where a database serves several; records are
counted in the database in any case.
"""

from __future__ import annotations

from collections.abc import Mapping

from memory.quota_counts import QuotaCounts
from memory.tenants import Limits, TenantStore
from memory.threads import Threads
from server.telemetry.metrics import TenantUse
from server.tenancy.followed import Followed
from server.tenancy.quota import Quota
from server.tenancy.records_left import records_left
from server.tenancy.settling import Settling

FEW = 1000
"""Tenants that are remembered whether they use anything or not."""


class Quotas:
    """Every tenant's use, under the limits that the database has for it, else the server's."""

    def __init__(
        self,
        store: TenantStore,
        defaults: Limits,
        threads: Threads,
        counts: QuotaCounts | None = None,
    ) -> None:
        """`counts` are those of all servers, where there may be several."""
        self._defaults, self._store = defaults, store
        self._limits = Followed("limits", store.revision, store.list, threads)
        self._known: Mapping[str, Limits] = {}
        self._quotas: dict[str, Quota] = {}
        self._tidy_at = FEW
        self.settling = None if counts is None else Settling(counts)
        """With the other servers."""
        self.use: TenantUse | None = None
        """Where it is counted for `/metrics` as well."""

    async def of(self, tenant: str) -> Quota:
        """Return a tenant's use, under the limits of now."""
        self._known = await self._limits.value()
        quota, limits = self.now(tenant), self._limits_of(tenant)
        if quota.limits != limits:
            quota.update(limits)
        return quota

    async def entering(self, tenant: str) -> Quota:
        """Return a tenant's use for a request that begins before anything else is waited for.

        Where servers share limits, it may have to wait for what the database says.
        """
        quota = await self.of(tenant)
        if self.settling is not None:
            await self.settling.room(tenant)
        return quota

    async def close(self) -> None:
        """Let the other servers have what this one has, where they share limits."""
        if self.settling is not None:
            await self.settling.close()

    def now(self, tenant: str) -> Quota:
        """Return a tenant's use, without a look whether its limits have changed."""
        quota = self._quotas.get(tenant)
        if quota is None:
            self._tidy()
            quota = self._quotas.setdefault(tenant, self._made(tenant))
        return quota

    def weight(self, tenant: str) -> float:
        """Return a tenant's share beside others."""
        return self._limits_of(tenant).weight or 1.0

    def training_steps(self, tenant: str) -> int | None:
        """Return how many steps a tenant may still train today; None: no limit."""
        return self.now(tenant).training_steps_left

    def trained(self, tenant: str, steps: int) -> None:
        """Note steps of training."""
        self.now(tenant).note_trained(steps)

    def records(self, tenant: str) -> int | None:
        """See `records_left`."""
        return records_left(self._store, tenant, self._defaults)

    async def files_bytes(self, tenant: str) -> int | None:
        """Return how much all files of a tenant may come to; None: no limit."""
        megabytes = (await self.of(tenant)).limits.files_mb
        return None if megabytes is None else megabytes * 10**6

    async def response_bytes(self, tenant: str) -> int | None:
        """Return how much a tenant's responses and conversations may come to; None: no limit."""
        megabytes = (await self.of(tenant)).limits.responses_mb
        return None if megabytes is None else megabytes * 10**6

    def spent(self, tenant: str, tokens: int) -> None:
        """Note tokens that were read and generated."""
        self.now(tenant).spend_tokens(tokens)
        if self.use is not None:
            self.use.tokens.labels(tenant).inc(tokens)

    def begun(self, tenant: str) -> None:
        """Note a request that was let in."""
        if self.use is not None:
            self.use.requests.labels(tenant).inc()

    def forget(self) -> None:
        """Have the next request see limits that were changed here."""
        self._limits.forget()

    def _made(self, tenant: str) -> Quota:
        limits = self._limits_of(tenant)
        return Quota(limits) if self.settling is None else self.settling.quota(tenant, limits)

    def _tidy(self) -> None:
        """Forget those of tenants that have used nothing lately: a gateway may name any number."""
        if len(self._quotas) < self._tidy_at:
            return
        for tenant, quota in list(self._quotas.items()):
            if quota.is_unused:
                self._quotas.pop(tenant, None)
                if self.settling is not None:
                    self.settling.forget(tenant)
        self._tidy_at = 2 * len(self._quotas) + FEW

    def _limits_of(self, tenant: str) -> Limits:
        own = self._known.get(tenant)
        return self._defaults if own is None else own.over(self._defaults)
