"""Names the tenant of each request to Whet: the one in the metadata of the key it came with."""

from contextvars import ContextVar

from fastapi import HTTPException
from litellm.integrations.custom_logger import CustomLogger

HEADER = "X-Tenant"
TENANT = ContextVar("tenant", default="litellm")
"""Whose request is served; LiteLLM's own name for what no key asks, such as a health check."""


class TenantByKey(CustomLogger):
    """Sets the header that Whet trusts, whatever the client sends."""

    async def async_pre_call_hook(self, user_api_key_dict, cache, data, call_type):
        """Note whose request it is; a key without a tenant asks nothing."""
        tenant = (user_api_key_dict.metadata or {}).get("tenant")
        if not tenant:
            raise HTTPException(403, "this key belongs to no tenant: its metadata name none")
        TENANT.set(tenant)

    async def async_pre_call_deployment_hook(self, kwargs, call_type):
        """Return the request as it goes to Whet, also one of the fallbacks that a client names."""
        for place in ("extra_headers", "headers"):
            sent = kwargs.get(place)
            kept = sent.items() if isinstance(sent, dict) else ()
            kwargs[place] = {name: value for name, value in kept if name.lower() != HEADER.lower()}
        kwargs["extra_headers"][HEADER] = TENANT.get()
        kwargs.pop("provider_specific_header", None)  # it would be set after these
        return kwargs


by_key = TenantByKey()
