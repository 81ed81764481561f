"""Who may write: the machine's owner, not any page that the owner's browser has open."""

from __future__ import annotations

import pytest
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient

from server.http.same_origin import refuse_cross_site
from server.refusals.errors import install_handlers


@pytest.fixture
def client() -> TestClient:
    app = FastAPI(dependencies=[Depends(refuse_cross_site)])
    install_handlers(app)

    @app.api_route("/write", methods=["GET", "POST"])
    def write() -> str:
        return "done"

    return TestClient(app, base_url="http://127.0.0.1:8000")


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("POST", {}, 200),
        ("POST", {"origin": "http://127.0.0.1:8000"}, 200),
        ("POST", {"origin": "https://elsewhere.example"}, 403),
        ("POST", {"origin": "null"}, 403),
        ("POST", {"sec-fetch-site": "cross-site"}, 403),
        ("GET", {"origin": "https://elsewhere.example"}, 200),
    ],
)
def test_only_writes_of_foreign_pages_are_refused(
    client: TestClient, method: str, headers: dict[str, str], status: int
) -> None:
    response = client.request(method, "/write", headers=headers)
    assert response.status_code == status
    if status == 403:
        assert response.json()["error"]["type"] == "permission_error"
