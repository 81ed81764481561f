"""Which route asks for which access: every route of Whet's and of vLLM's, in one table.

A route that is not in it is the operator's, so that nothing is open by oversight.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from starlette.routing import BaseRoute, Mount, compile_path

from server.tenancy.principal import Access

ANY = "*"
"""Stands for every method that has no line of its own."""

DOORS: Mapping[str, Mapping[str, Access]] = {
    # Whether the server lives.
    "/health": {ANY: Access.PUBLIC},
    "/ping": {ANY: Access.PUBLIC},
    "/ready": {ANY: Access.PUBLIC},
    # OpenAI's and Anthropic's.
    "/v1/chat/completions": {ANY: Access.USER},
    "/v1/chat/completions/batch": {ANY: Access.USER},
    "/v1/completions": {ANY: Access.USER},
    "/v1/responses": {ANY: Access.USER},
    "/v1/responses/compact": {ANY: Access.USER},
    "/v1/responses/input_tokens": {ANY: Access.USER},
    "/v1/responses/{response_id}": {ANY: Access.USER},
    "/v1/responses/{response_id}/input_items": {ANY: Access.USER},
    "/v1/responses/{response_id}/cancel": {ANY: Access.USER},
    "/v1/messages": {ANY: Access.USER},
    "/v1/messages/count_tokens": {ANY: Access.USER},
    "/v1/embeddings": {ANY: Access.USER},
    "/v1/models": {ANY: Access.USER},
    "/v1/models/{model:path}": {ANY: Access.USER},
    "/invocations": {ANY: Access.USER},
    "/tokenize": {ANY: Access.USER},
    "/detokenize": {ANY: Access.USER},
    "/generative_scoring": {ANY: Access.USER},
    "/v1/chat/completions/render": {ANY: Access.USER},
    "/v1/chat/completions/derender": {ANY: Access.USER},
    "/v1/completions/render": {ANY: Access.USER},
    "/v1/completions/derender": {ANY: Access.USER},
    "/v1/messages/render": {ANY: Access.USER},
    "/v1/responses/render": {ANY: Access.USER},
    # Whet's own.
    "/v1/feedback": {ANY: Access.USER},
    "/v1/reports/{completion_id}": {ANY: Access.USER},
    "/v1/ledger": {"GET": Access.REVIEWER, "POST": Access.ADMIN},
    "/v1/memory/records": {ANY: Access.REVIEWER},
    "/v1/memory/records/{record_id}": {ANY: Access.REVIEWER},
    "/v1/memory/import": {ANY: Access.ADMIN},
    "/v1/memory/export": {ANY: Access.ADMIN},
    "/v1/adapters": {ANY: Access.REVIEWER},
    "/v1/adapters/warm": {"GET": Access.REVIEWER, "POST": Access.ADMIN},
    "/v1/adapters/rollback": {ANY: Access.ADMIN},
    "/v1/adapters/reset": {ANY: Access.ADMIN},
    "/v1/adapters/{adapter_id}": {ANY: Access.REVIEWER},
    "/v1/adapters/{adapter_id}/promote": {ANY: Access.ADMIN},
    "/v1/admin/keys": {ANY: Access.ADMIN},
    "/v1/admin/keys/{key_id}": {ANY: Access.ADMIN},
    "/v1/admin/keys/{key_id}/rotate": {ANY: Access.ADMIN},
    "/v1/admin/tenants": {ANY: Access.OPERATOR},
    "/v1/admin/tenants/{tenant}": {ANY: Access.OPERATOR},
    # What the server is.
    "/docs": {ANY: Access.USER},
    "/docs/oauth2-redirect": {ANY: Access.USER},
    "/redoc": {ANY: Access.USER},
    "/openapi.json": {ANY: Access.USER},
    "/static": {ANY: Access.USER},
    "/version": {ANY: Access.USER},
    # How all tenants together fare.
    "/metrics": {ANY: Access.OPERATOR},
    "/load": {ANY: Access.OPERATOR},
    "/server_info": {ANY: Access.OPERATOR},
    # vLLM has these only where its operator switched them on.
    "/v1/load_lora_adapter": {ANY: Access.OPERATOR},
    "/v1/unload_lora_adapter": {ANY: Access.OPERATOR},
    "/adapters": {ANY: Access.OPERATOR},
    "/adapters/{adapter_name}": {ANY: Access.OPERATOR},
    "/start_profile": {ANY: Access.OPERATOR},
    "/stop_profile": {ANY: Access.OPERATOR},
    "/reset_prefix_cache": {ANY: Access.OPERATOR},
    "/reset_mm_cache": {ANY: Access.OPERATOR},
    "/reset_encoder_cache": {ANY: Access.OPERATOR},
    "/collective_rpc": {ANY: Access.OPERATOR},
    "/sleep": {ANY: Access.OPERATOR},
    "/wake_up": {ANY: Access.OPERATOR},
    "/is_sleeping": {ANY: Access.OPERATOR},
    "/release_kv_cache_memory": {ANY: Access.OPERATOR},
    "/pause": {ANY: Access.OPERATOR},
    "/resume": {ANY: Access.OPERATOR},
    "/is_paused": {ANY: Access.OPERATOR},
    "/abort_requests": {ANY: Access.OPERATOR},
    "/init_weight_transfer_engine": {ANY: Access.OPERATOR},
    "/shutdown_weight_transfer_engine": {ANY: Access.OPERATOR},
    "/start_weight_update": {ANY: Access.OPERATOR},
    "/start_draft_weight_update": {ANY: Access.OPERATOR},
    "/update_weights": {ANY: Access.OPERATOR},
    "/finish_weight_update": {ANY: Access.OPERATOR},
    "/update_weight_version": {ANY: Access.OPERATOR},
    "/weight_info": {ANY: Access.OPERATOR},
    "/weight_checker": {ANY: Access.OPERATOR},
    "/get_world_size": {ANY: Access.OPERATOR},
    # vLLM always has these.
    "/kv_event_sources": {ANY: Access.ENGINE},
    "/scale_elastic_ep": {ANY: Access.ENGINE},
    "/is_scaling_elastic_ep": {ANY: Access.ENGINE},
    "/inference/v1/generate": {ANY: Access.ENGINE},
    "/inference/v1/abort_requests": {ANY: Access.ENGINE},
    "/v1/systemone": {ANY: Access.ENGINE},
}


class Doors:
    """Tells what a request for a path needs."""

    def __init__(self, routes: Iterable[BaseRoute]) -> None:
        """`routes` are the application's; those that no line of the table speaks of are closed to
        all but the operator."""
        unknown = {path: {ANY: Access.OPERATOR} for path in paths_of(routes) - DOORS.keys()}
        table = {**DOORS, **unknown}
        mounted = {path for route in routes if isinstance(route, Mount) for path in [route.path]}
        self._plain = {path: doors for path, doors in table.items() if "{" not in path}
        self._mounted = {f"{path}/": table[path] for path in mounted}
        self._patterns = [(_pattern(path), doors) for path, doors in table.items() if "{" in path]

    def least(self, method: str, path: str) -> Access:
        """Return the least access that a request needs; where there is no route, any key does."""
        doors = self._doors(path)
        if doors is None:
            return Access.USER
        return doors.get("GET" if method == "HEAD" else method, doors.get(ANY, Access.OPERATOR))

    def _doors(self, path: str) -> Mapping[str, Access] | None:
        found = self._plain.get(path) or self._plain.get(path.rstrip("/"))
        if found is not None:
            return found
        below = (doors for prefix, doors in self._mounted.items() if path.startswith(prefix))
        matching = (doors for pattern, doors in self._patterns if pattern.match(path))
        return next(below, None) or next(matching, None)


def paths_of(routes: Iterable[Any]) -> set[str]:
    """Return the paths of routes, as they were written."""
    return {route.path for route in routes}


def _pattern(path: str) -> re.Pattern[str]:
    return compile_path(path)[0]
