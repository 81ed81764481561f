"""`/openapi.json` and `/docs`: the routes as a document, and as a page with the assets that vLLM
brings. Nothing comes from elsewhere."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, Response

from server.openapi import Document

NO_ICON = "data:,"


def docs_router(app: FastAPI, *, offline: bool) -> APIRouter:
    """Return both in place of vLLM's, and none where the operator wants none.

    `offline` says whether vLLM serves the assets; without them the page is vLLM's.
    """
    router = APIRouter()
    if app.openapi_url is None:
        return router
    whole = Document(app)

    async def document(request: Request) -> Response:
        """Return the OpenAPI document of all routes."""
        return Response(await whole.read(), media_type="application/json")

    router.add_route(app.openapi_url, document, include_in_schema=False)  # HEAD too
    if not offline:
        return router

    @router.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> HTMLResponse:
        """Return a page to read that document in, and to try the routes."""
        root = str(request.scope.get("root_path", "")).rstrip("/")
        return get_swagger_ui_html(
            openapi_url=f"{root}{app.openapi_url}",
            title=app.title,
            swagger_js_url=f"{root}/static/swagger-ui-bundle.js",
            swagger_css_url=f"{root}/static/swagger-ui.css",
            swagger_favicon_url=NO_ICON,
        )

    return router
