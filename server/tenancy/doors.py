"""Which route asks for which access: every route of Whet's and of vLLM's, in one table.

A route that is not in it is the operator's, so that nothing is open by oversight.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from starlette.routing import BaseRoute, Match
from starlette.types import Scope

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
    """Tells what a request needs, by the route that Starlette would have answer it."""

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        """`routes` are the application's, in its own order."""
        self._routes = routes

    def least(self, scope: Scope) -> Access:
        """Return the least access that a request needs; where there is no route, any key does."""
        route = self._route(scope)
        if route is None:
            return Access.USER
        doors, method = DOORS.get(getattr(route, "path", ""), {}), scope.get("method", "GET")
        return doors.get("GET" if method == "HEAD" else method, doors.get(ANY, Access.OPERATOR))

    def _route(self, scope: Scope) -> BaseRoute | None:
        """Return what `starlette.routing.Router` hands a request to."""
        partial = None
        for route in self._routes:
            match, _ = route.matches(scope)
            if match is Match.FULL:
                return route
            if match is Match.PARTIAL and partial is None:
                partial = route
        return partial
