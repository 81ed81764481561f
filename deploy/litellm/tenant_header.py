"""Names the tenant of each request to Whet: the one in the metadata of the key it came with.

A hook has the last word on a request's headers; `litellm_params` have not.
"""

from fastapi import HTTPException
from litellm.integrations.custom_logger import CustomLogger

HEADER = "X-Tenant"


class TenantByKey(CustomLogger):
    """Sets the header that Whet trusts, whatever the client sends."""

    async def async_pre_call_hook(self, user_api_key_dict, cache, data, call_type):
        """Return the request with its tenant's name; a key without one asks nothing."""
        tenant = (user_api_key_dict.metadata or {}).get("tenant")
        if not tenant:
            raise HTTPException(403, "this key belongs to no tenant: its metadata name none")
        for place in ("extra_headers", "headers"):
            sent = data.get(place)
            kept = sent.items() if isinstance(sent, dict) else ()
            data[place] = {name: value for name, value in kept if name.lower() != HEADER.lower()}
        data["extra_headers"][HEADER] = tenant
        return data


by_key = TenantByKey()
