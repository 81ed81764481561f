"""Whatever goes wrong, wherever, a client reads one shape."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Annotated, Any

import httpx
import pytest
from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse, PlainTextResponse, StreamingResponse
from openai import APIStatusError, AsyncOpenAI
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from starlette.types import Message, Receive, Scope, Send

from adaptation.errors import InvalidOptionsError
from adaptation.options import Options
from memory.errors import ConflictError, NotFoundError, StorageUnavailableError
from memory.lines.origin import Licence
from server.evals.specs import ItemReference
from server.finetuning.forms import SUFFIX
from server.refusals.error_shape import OpenAIErrorShape
from server.refusals.errors import ApiError, first_error, install_handlers
from server.refusals.wording import of_pydantic
from server.routes.paging import Id
from server.routes.records import Text
from server.routes.tenants import Name

LIMIT_BYTES = 1000


class Question(BaseModel):
    model_config = ConfigDict(extra="forbid")
    text: str
    stop: Annotated[list[str], Field(max_length=2)] | str | None = None
    n: int = Field(default=1, ge=1)


def an_app() -> FastAPI:
    app = FastAPI()
    install_handlers(app)

    @app.post("/v1/ask")
    def ask(question: Question) -> dict[str, str]:
        return {"text": question.text}

    @app.get("/raise/{name}")
    def fail(name: str) -> None:
        raise {
            "missing": NotFoundError("no record rec_1"),
            "conflict": ConflictError("already erased"),
            "storage": StorageUnavailableError("the database is read-only"),
            "options": InvalidOptionsError("no such kind", "adaptation.answer.kind"),
            "busy": ApiError(429, "too many requests", retry_after_s=7),
            "bug": RuntimeError("secret /etc/path"),
        }[name]

    @app.get("/vllm/{status}")
    def vllm(status: int) -> JSONResponse:
        error = {"message": "words of vLLM", "type": "BadRequestError", "param": None}
        return JSONResponse({"error": error | {"code": status}}, status)

    @app.get("/odd/{name}")
    def odd(name: str) -> Response:
        return {
            "empty": Response(status_code=503),
            "plain": PlainTextResponse("Disallowed CORS origin", 400),
            "string": JSONResponse({"error": "Unauthorized"}, 401, {"www-authenticate": "Bearer"}),
            "html": Response("<h1>502</h1>", 502, media_type="text/html"),
            "unprocessable": JSONResponse({"detail": [{"loc": ["body", "n"], "msg": "bad"}]}, 422),
            "model": JSONResponse(
                {"error": {"message": "no m. Valid aliases: of-others.", "param": "model"}}, 404
            ),
            "unknown": Response(status_code=499),
            "crash": JSONResponse({"error": {"message": "at /srv/x.py", "code": 500}}, 500),
        }[name]

    return app


def client(app: Any = None) -> httpx.AsyncClient:
    shaped = OpenAIErrorShape(app or an_app(), LIMIT_BYTES)
    transport = httpx.ASGITransport(shaped, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://whet")


def error_of(response: httpx.Response) -> dict[str, Any]:
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-request-id"]
    assert set(response.json()) == {"error"}
    error: dict[str, Any] = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert isinstance(error["message"], str)
    assert error["message"]
    assert isinstance(error["type"], str)
    assert error["param"] is None or isinstance(error["param"], str)
    assert error["code"] is None or isinstance(error["code"], str)
    return error


@pytest.mark.parametrize(
    ("path", "status", "code", "words"),
    [
        ("/nowhere", 404, "not_found", "no GET /nowhere"),
        ("/v1/ask", 405, "method_not_allowed", "takes POST, not GET"),
        ("/raise/missing", 404, "not_found", "no record rec_1"),
        ("/raise/conflict", 409, "conflict", "already erased"),
        ("/raise/storage", 503, "service_unavailable", "read-only"),
        ("/raise/options", 400, None, "no such kind"),
        ("/raise/busy", 429, "rate_limit_exceeded", "too many requests"),
        ("/vllm/400", 400, None, "words of vLLM"),
        ("/vllm/404", 404, "not_found", "words of vLLM"),
        ("/vllm/501", 501, None, "words of vLLM"),
        ("/odd/empty", 503, "service_unavailable", "Service Unavailable"),
        ("/odd/plain", 400, None, "Disallowed CORS origin"),
        ("/odd/string", 401, "invalid_api_key", "Authorization: Bearer"),
        ("/odd/html", 502, None, "Bad Gateway"),
        ("/odd/unprocessable", 400, None, "`n`: bad"),
        ("/odd/model", 404, "model_not_found", "no m"),
        ("/odd/unknown", 499, None, "499"),
    ],
)
async def test_every_error_has_the_one_shape(
    path: str, status: int, code: str | None, words: str
) -> None:
    async with client() as http:
        response = await http.get(path)
    error = error_of(response)
    assert response.status_code == status
    assert error["code"] == code
    assert words in error["message"]
    assert "of-others" not in error["message"]


async def test_headers_that_carry_meaning_survive() -> None:
    async with client() as http:
        assert (await http.get("/v1/ask")).headers["allow"] == "POST"
        assert (await http.get("/odd/string")).headers["www-authenticate"] == "Bearer"
        assert (await http.get("/raise/busy")).headers["retry-after"] == "7"
        assert (await http.get("/raise/storage")).headers["retry-after"] == "1"
        assert (await http.get("/odd/empty")).headers["retry-after"] == "1"


@pytest.mark.parametrize("path", ["/raise/bug", "/odd/crash"])
async def test_a_crash_tells_the_log_and_not_the_client(
    path: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with client() as http:
        response = await http.get(path, headers={"x-request-id": "mine-1"})
    error = error_of(response)
    assert response.status_code == 500
    assert error["type"] == "server_error"
    assert "mine-1" in error["message"]
    assert "/etc" not in response.text
    assert "/srv" not in response.text
    assert any(r.levelno >= logging.ERROR and "mine-1" in r.getMessage() for r in caplog.records)


@pytest.mark.parametrize(
    ("body", "kind", "param", "words"),
    [
        ('{"text": ', "application/json", None, "not valid JSON"),
        ('{"text": 1}', "application/json", "text", "`text` must be a string"),
        ('{"txt": "x", "text": ""}', "application/json", "txt", "`txt` is not a known key"),
        ('{"text": "", "stop": 3}', "application/json", "stop", "must be a list or a string"),
        ('{"text": "", "stop": ["a", "b", "c"]}', "application/json", "stop", "at most 2 entries"),
        ('{"text": "", "stop": ["a", 7]}', "application/json", "stop.1", "must be a string"),
        ('{"text": "", "n": 0}', "application/json", "n", "`n` must be at least 1"),
        ('{"text": "", "n": 1.5}', "application/json", "n", "`n` must be a whole number"),
        ("{}", "application/json", "text", "`text` is required"),
        ("", "application/json", None, "is empty"),
        ("[]", "application/json", None, "must be a JSON object"),
        ('{"text": ""}', "text/plain", None, "Content-Type: application/json"),
    ],
)
async def test_a_wrong_body_is_a_400_that_names_the_key(
    body: str, kind: str, param: str | None, words: str
) -> None:
    async with client() as http:
        response = await http.post("/v1/ask", content=body, headers={"content-type": kind})
    error = error_of(response)
    assert response.status_code == 400
    assert error["param"] == param
    assert words in error["message"]


async def test_a_large_body_is_refused_whether_or_not_it_declares_its_length() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield b" " * (LIMIT_BYTES // 2)

    async with client() as http:
        for content in (b" " * (LIMIT_BYTES + 1), chunks()):
            headers = {"content-type": "application/json"}
            response = await http.post("/v1/ask", content=content, headers=headers)
            assert response.status_code == 413
            assert error_of(response)["code"] == "request_too_large"


async def test_a_sane_request_id_is_echoed_and_any_other_replaced() -> None:
    async with client() as http:
        ok = await http.post("/v1/ask", json={"text": "x"}, headers={"x-request-id": "abc-1"})
        assert ok.headers["x-request-id"] == "abc-1"
        assert ok.json() == {"text": "x"}
        odd = await http.get("/nowhere", headers={"x-request-id": "a b\t" + "x" * 500})
        assert odd.headers["x-request-id"].startswith("req_")


async def test_a_stream_passes_message_by_message() -> None:
    more, sent = asyncio.Event(), []

    async def events() -> AsyncIterator[str]:
        yield "data: 1\n\n"
        await more.wait()
        yield "data: 2\n\n"

    async def streaming(scope: Scope, receive: Receive, send: Send) -> None:
        await StreamingResponse(events(), media_type="text/event-stream")(scope, receive, send)

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)
        if b"1" in message.get("body", b""):
            more.set()  # were the stream held back, nothing would ever set it

    scope = {"type": "http", "asgi": {"spec_version": "2.4"}, "method": "GET", "headers": []}
    await OpenAIErrorShape(streaming, LIMIT_BYTES)(scope, receive, send)
    assert [m.get("body") for m in sent[1:]] == [b"data: 1\n\n", b"data: 2\n\n", b""]


async def test_a_stream_that_breaks_is_cut_and_not_answered_twice() -> None:
    sent: list[Message] = []

    async def breaks(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise RuntimeError("engine gone")

    async def receive() -> Message:
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
    with pytest.raises(RuntimeError, match="engine gone"):
        await OpenAIErrorShape(breaks, LIMIT_BYTES)(scope, receive, send)
    assert [m["type"] for m in sent] == ["http.response.start", "http.response.body"]


@pytest.mark.parametrize(
    ("value", "param"),
    [
        ({"stratgy": "auto"}, "adaptation.stratgy"),
        ({"budget": {"train_steps": 999}}, "adaptation.budget.train_steps"),
        ({"Confidence": 1}, "adaptation.Confidence"),
        ({"answer": {"kind": "regex"}}, "adaptation.answer"),
        ({"max_samples": 0}, "adaptation.max_samples"),
    ],
)
def test_the_options_own_errors_name_a_dotted_path(value: dict[str, Any], param: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Options.model_validate(value)
    message, found = first_error(caught.value, "adaptation")
    assert found == param
    assert param in message
    assert ApiError.invalid(caught.value, "adaptation").param == param


@pytest.mark.parametrize(
    ("field", "given"),
    [
        (Id, "../file"),
        (Name, "two words"),
        (Licence, "two words"),
        (Text, "  "),
        (Annotated[str, Field(pattern=SUFFIX)], "two words"),
        (ItemReference, {"type": "item_reference", "item_reference": "input"}),
    ],
)
def test_what_a_pattern_asks_for_is_told_in_words(field: Any, given: object) -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(field).validate_python(given)
    (error,) = caught.value.errors()
    assert error["ctx"]["pattern"] not in of_pydantic(error)


@pytest.mark.parametrize("named", ["input_tokens", "input_text"])
@pytest.mark.parametrize(
    ("path", "param"),
    [
        ("/v1/chat/completions", "messages"),
        ("/v1/completions", "prompt"),
        ("/v1/responses", "input"),
    ],
)
async def test_a_prompt_beyond_the_context_has_the_code_and_the_key_that_clients_know(
    path: str, param: str, named: str
) -> None:
    told = {"message": "maximum context length is 9", "type": "BadRequestError"}
    vllm = JSONResponse({"error": told | {"param": named, "code": 400}}, 400)
    async with client(vllm) as http:
        response = await http.post(path)
    error = error_of(response)
    assert response.status_code == 400
    assert (error["type"], error["param"]) == ("invalid_request_error", param)
    assert error["code"] == "context_length_exceeded"
    assert "context length is 9" in error["message"]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (404, "not_found_error"),
        (405, "invalid_request_error"),
        (413, "request_too_large"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (503, "overloaded_error"),
        (504, "timeout_error"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/count_tokens"])
async def test_anthropics_clients_read_errors_in_anthropics_shape(
    path: str, status: int, kind: str
) -> None:
    told = {"message": "top_p must be in (0, 1], got 7. (parameter=top_p, value=7)", "param": None}
    vllm = JSONResponse({"error": told | {"type": "BadRequestError", "code": status}}, status)
    async with client(vllm) as http:
        response = await http.post(path)
    body = response.json()
    assert response.status_code == status
    assert body.keys() == {"type", "error"}
    assert body["error"].keys() == {"type", "message"}
    assert (body["type"], body["error"]["type"]) == ("error", kind)
    assert body["error"]["message"]


async def test_a_body_too_large_for_messages_is_told_in_anthropics_shape() -> None:
    async with client() as http:
        response = await http.post("/v1/messages", content=b" " * (LIMIT_BYTES + 1))
    assert response.status_code == 413
    assert response.json()["error"]["type"] == "request_too_large"


@pytest.mark.parametrize(
    ("said", "param", "words"),
    [
        (
            "temperature must be in [0, 2], got 3.0. (parameter=temperature, value=3.0)",
            "temperature",
            "`temperature` must be from 0 to 2",
        ),
        ("top_p must be in (0, 1], got 7.", "top_p", "`top_p` must be above 0 and at most 1"),
        (
            "max_tokens must be at least 1, got 0. (parameter=max_tokens, value=0)",
            "max_tokens",
            "`max_tokens` must be at least 1",
        ),
        (
            "token_id(s) [9] in logit_bias contain out-of-vocab token ids. Vocabulary size: 8 "
            "(parameter=logit_bias, value=[9])",
            "logit_bias",
            "outside the vocabulary of 8, such as 9",
        ),
        (
            "Stream options can only be defined when `stream=True`. (parameter=stream_options)",
            "stream_options",
            "`stream_options` needs `stream`: true",
        ),
        (
            "n must be at most 9, got 10. To increase this limit, set the VLLM_MAX_N_SEQUENCES "
            "environment variable.",
            "n",
            "`n` must be at most 9",
        ),
    ],
)
async def test_vllms_words_about_a_request_become_ours(said: str, param: str, words: str) -> None:
    error = {"message": said, "type": "BadRequestError", "param": None, "code": 400}
    async with client(JSONResponse({"error": error}, 400)) as http:
        found = error_of(await http.post("/v1/chat/completions"))
    assert words in found["message"]
    assert "parameter=" not in found["message"]
    assert "VLLM_" not in found["message"]
    assert found["param"] == param


async def test_openais_client_sends_what_is_refused_for_good_once() -> None:
    app, asked = an_app(), list[str]()

    async def counted(scope: Scope, receive: Receive, send: Send) -> None:
        asked.append(scope["path"])
        await app(scope, receive, send)

    http = httpx.AsyncClient(transport=httpx.ASGITransport(counted))
    async with AsyncOpenAI(base_url="http://127.0.0.1", api_key="none", http_client=http) as client:
        with pytest.raises(APIStatusError, match="already erased"):
            await client.get("/raise/conflict", cast_to=object)
    assert asked == ["/raise/conflict"]


async def test_a_route_that_vllm_keeps_closed_is_told_in_our_words() -> None:
    said = "Scale-out endpoints are disabled. Restart vllm serve with --enable-scale-out."
    async with client(JSONResponse({"detail": said}, 403)) as http:
        found = error_of(await http.post("/v1/chat/completions/render"))
    assert "the server's operator" in found["message"]
    assert "vllm" not in found["message"]
