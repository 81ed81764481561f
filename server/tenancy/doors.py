"""Which route asks for which access: every route of Whet's and of vLLM's, in one table.

A route that is not in it is the operator's, so that nothing is open by oversight.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from starlette.routing import BaseRoute, Match
from starlette.types import Scope

from server.tenancy.principal import Access

DOORS: Mapping[str, Access | Mapping[str, Access]] = {
    # Whether the server lives.
    "/health": Access.PUBLIC,
    "/ping": Access.PUBLIC,
    "/ready": Access.PUBLIC,
    # The web page: its files, no data.
    "/": Access.PUBLIC,
    "/console": Access.PUBLIC,
    "/console/{path:path}": Access.PUBLIC,
    # OpenAI's and Anthropic's.
    "/v1/chat/completions": Access.USER,
    "/v1/chat/completions/batch": Access.USER,
    "/v1/completions": Access.USER,
    "/v1/responses": Access.USER,
    "/v1/responses/compact": Access.USER,
    "/v1/responses/input_tokens": Access.USER,
    "/v1/responses/{response_id}": Access.USER,
    "/v1/responses/{response_id}/input_items": Access.USER,
    "/v1/responses/{response_id}/cancel": Access.USER,
    "/v1/conversations": Access.USER,
    "/v1/conversations/{conversation_id}": Access.USER,
    "/v1/conversations/{conversation_id}/items": Access.USER,
    "/v1/conversations/{conversation_id}/items/{item_id}": Access.USER,
    "/v1/messages": Access.USER,
    "/v1/messages/count_tokens": Access.USER,
    "/v1/embeddings": Access.USER,
    "/v1/models": Access.USER,
    "/v1/models/{model:path}": {"GET": Access.USER, "DELETE": Access.ADMIN},
    "/v1/files": Access.USER,
    "/v1/files/{file_id}": Access.USER,
    "/v1/files/{file_id}/content": Access.USER,
    "/v1/batches": Access.USER,
    "/v1/batches/{batch_id}": Access.USER,
    "/v1/batches/{batch_id}/cancel": Access.USER,
    "/v1/fine_tuning/alpha/graders/run": Access.USER,
    "/v1/fine_tuning/alpha/graders/validate": Access.USER,
    "/v1/evals": Access.USER,
    "/v1/evals/{eval_id}": Access.USER,
    "/v1/evals/{eval_id}/runs": Access.USER,
    "/v1/evals/{eval_id}/runs/{run_id}": Access.USER,
    "/v1/evals/{eval_id}/runs/{run_id}/cancel": Access.USER,
    "/v1/evals/{eval_id}/runs/{run_id}/output_items": Access.USER,
    "/v1/evals/{eval_id}/runs/{run_id}/output_items/{output_id}": Access.USER,
    "/invocations": Access.USER,
    "/tokenize": Access.USER,
    "/detokenize": Access.USER,
    "/generative_scoring": Access.USER,
    "/v1/chat/completions/render": Access.USER,
    "/v1/chat/completions/derender": Access.USER,
    "/v1/completions/render": Access.USER,
    "/v1/completions/derender": Access.USER,
    "/v1/messages/render": Access.USER,
    "/v1/responses/render": Access.USER,
    # Whet's own.
    "/v1/feedback": Access.USER,
    "/v1/reports/{completion_id}": Access.USER,
    "/v1/ledger": {"GET": Access.REVIEWER, "POST": Access.ADMIN},
    "/v1/memory/records": Access.REVIEWER,
    "/v1/memory/records/{record_id}": Access.REVIEWER,
    "/v1/memory/records/{record_id}/certificate": Access.REVIEWER,
    "/v1/memory/import": Access.ADMIN,
    "/v1/memory/export": Access.ADMIN,
    "/v1/trace/{thing_id:path}": Access.REVIEWER,
    "/v1/traces": Access.REVIEWER,
    "/v1/traces/live": Access.REVIEWER,
    "/v1/traces/{trace_id}": Access.REVIEWER,
    "/v1/console": Access.USER,
    "/v1/adapters": Access.REVIEWER,
    "/v1/adapters/warm": {"GET": Access.REVIEWER, "POST": Access.ADMIN},
    "/v1/adapters/rollback": Access.ADMIN,
    "/v1/adapters/{adapter_id}/offer": Access.ADMIN,
    "/v1/adapters/{adapter_id}/approve": Access.REVIEWER,
    "/v1/adapters/{adapter_id}/reject": Access.REVIEWER,
    "/v1/adapters/reset": Access.ADMIN,
    "/v1/adapters/{adapter_id}": Access.REVIEWER,
    "/v1/adapters/{adapter_id}/promote": Access.ADMIN,
    "/v1/fine_tuning/jobs": {"GET": Access.USER, "POST": Access.ADMIN},
    "/v1/fine_tuning/jobs/{job_id}": Access.USER,
    "/v1/fine_tuning/jobs/{job_id}/events": Access.USER,
    "/v1/fine_tuning/jobs/{job_id}/checkpoints": Access.USER,
    "/v1/fine_tuning/jobs/{job_id}/cancel": Access.ADMIN,
    "/v1/fine_tuning/jobs/{job_id}/pause": Access.ADMIN,
    "/v1/fine_tuning/jobs/{job_id}/resume": Access.ADMIN,
    "/v1/jobs": {"GET": Access.REVIEWER, "POST": Access.ADMIN},
    "/v1/jobs/{job_id}": Access.REVIEWER,
    "/v1/jobs/{job_id}/events": Access.REVIEWER,
    "/v1/jobs/{job_id}/cancel": Access.ADMIN,
    "/v1/jobs/{job_id}/pause": Access.ADMIN,
    "/v1/jobs/{job_id}/resume": Access.ADMIN,
    "/v1/admin/keys": Access.ADMIN,
    "/v1/admin/keys/{key_id}": Access.ADMIN,
    "/v1/admin/keys/{key_id}/rotate": Access.ADMIN,
    "/v1/admin/tenants": Access.OPERATOR,
    "/v1/admin/tenants/{tenant}": Access.OPERATOR,
    # What the server is.
    "/docs": Access.USER,
    "/docs/oauth2-redirect": Access.USER,
    "/redoc": Access.USER,
    "/openapi.json": Access.USER,
    "/static": Access.USER,
    "/version": Access.USER,
    # How all tenants together fare.
    "/metrics": Access.OPERATOR,
    "/load": Access.OPERATOR,
    "/server_info": Access.OPERATOR,
    # vLLM has these only where its operator switched them on.
    "/v1/load_lora_adapter": Access.OPERATOR,
    "/v1/unload_lora_adapter": Access.OPERATOR,
    "/adapters": Access.OPERATOR,
    "/adapters/{adapter_name}": Access.OPERATOR,
    "/start_profile": Access.OPERATOR,
    "/stop_profile": Access.OPERATOR,
    "/reset_prefix_cache": Access.OPERATOR,
    "/reset_mm_cache": Access.OPERATOR,
    "/reset_encoder_cache": Access.OPERATOR,
    "/collective_rpc": Access.OPERATOR,
    "/sleep": Access.OPERATOR,
    "/wake_up": Access.OPERATOR,
    "/is_sleeping": Access.OPERATOR,
    "/release_kv_cache_memory": Access.OPERATOR,
    "/pause": Access.OPERATOR,
    "/resume": Access.OPERATOR,
    "/is_paused": Access.OPERATOR,
    "/abort_requests": Access.OPERATOR,
    "/init_weight_transfer_engine": Access.OPERATOR,
    "/shutdown_weight_transfer_engine": Access.OPERATOR,
    "/start_weight_update": Access.OPERATOR,
    "/start_draft_weight_update": Access.OPERATOR,
    "/update_weights": Access.OPERATOR,
    "/finish_weight_update": Access.OPERATOR,
    "/update_weight_version": Access.OPERATOR,
    "/weight_info": Access.OPERATOR,
    "/weight_checker": Access.OPERATOR,
    "/get_world_size": Access.OPERATOR,
    # vLLM always has these.
    "/kv_event_sources": Access.ENGINE,
    "/scale_elastic_ep": Access.ENGINE,
    "/is_scaling_elastic_ep": Access.ENGINE,
    "/inference/v1/generate": Access.ENGINE,
    "/inference/v1/abort_requests": Access.ENGINE,
    "/v1/systemone": Access.ENGINE,
}


class Doors:
    """Tells what a request needs, by the route that Starlette would have answer it."""

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        """`routes` are the application's, in its own order."""
        self._routes = routes

    def least(self, scope: Scope) -> Access:
        """Return the least access that a request needs; where there is no route, any key does."""
        pattern = self.pattern_of(scope)
        if pattern is None:
            return Access.USER
        least = DOORS.get(pattern, Access.OPERATOR)
        if isinstance(least, Access):
            return least
        method = scope.get("method", "GET")
        return least.get("GET" if method == "HEAD" else method, Access.OPERATOR)

    def pattern_of(self, scope: Scope) -> str | None:
        """Return the path of a request's route, its parameters by name; None: there is no route."""
        route = self._route(scope)
        return None if route is None else getattr(route, "path", "")

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
