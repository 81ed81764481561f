"""The names of OpenTelemetry's semantic conventions that are used here, and our own beside them.

GenAI's have a repository of their own (open-telemetry/semantic-conventions-genai, status
Development); these are of the version that semantic conventions 1.41 ended with. The memory's are
newer than the package `opentelemetry-semantic-conventions`.
"""

from __future__ import annotations

OPERATION, PROVIDER = "gen_ai.operation.name", "gen_ai.provider.name"
REQUEST_MODEL, RESPONSE_MODEL = "gen_ai.request.model", "gen_ai.response.model"
CHOICES, SEED = "gen_ai.request.choice.count", "gen_ai.request.seed"
OUTPUT_TYPE = "gen_ai.output.type"
RESPONSE_ID, FINISH_REASONS = "gen_ai.response.id", "gen_ai.response.finish_reasons"
INPUT_TOKENS, OUTPUT_TOKENS = "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"
REASONING_TOKENS = "gen_ai.usage.reasoning.output_tokens"
"""Generated and not returned: the votes that lost, as in `usage`."""
TOKEN_TYPE = "gen_ai.token.type"
EVALUATION = "gen_ai.evaluation.result"
EVALUATION_NAME, EVALUATION_LABEL = "gen_ai.evaluation.name", "gen_ai.evaluation.score.label"
RECORD_ID, RECORD_COUNT = "gen_ai.memory.record.id", "gen_ai.memory.record.count"

TOKEN_USAGE = "gen_ai.client.token.usage"
REQUEST_DURATION = "gen_ai.server.request.duration"
HTTP_DURATION = "http.server.request.duration"
STEP_DURATION = "whet.step.duration"

CHAT, TEXT_COMPLETION = "chat", "text_completion"
WHET = "whet"
"""The provider: none of the well-known ones."""
ERROR_TYPE = "error.type"

METHOD, PATH, ROUTE = "http.request.method", "url.path", "http.route"
METHODS = frozenset(
    {"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"}
)
OTHER_METHOD = "_OTHER"
"""For every other word that a client makes up: each would be a series of its own."""
STATUS, SCHEME, CLIENT = "http.response.status_code", "url.scheme", "client.address"

OPERATIONS = {"retrieve": "search_memory", "remember": "upsert_memory"}
"""Steps that are GenAI operations of their own."""
SPANS = {**OPERATIONS, "judge": "gate", "hand_off": "load_adapter"}
"""What the spans of steps are called, where they have another name than in a report."""

SECONDS = tuple(0.01 * 2**n for n in range(14))
"""Bounds of buckets, from the convention; likewise the next two."""
TOKENS = tuple(4.0**n for n in range(14))
HTTP_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
