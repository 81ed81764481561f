"""`/docs`: the routes as a page, with the assets that vLLM brings: nothing comes from elsewhere."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse

NO_ICON = "data:,"


def docs_router(app: FastAPI, *, offline: bool) -> APIRouter:
    """Return the page of `app`'s routes in place of vLLM's; none where the operator wants another.

    `offline` says whether vLLM serves the assets.
    """
    router = APIRouter()
    if app.openapi_url is None or not offline:
        return router

    @router.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> HTMLResponse:
        root = str(request.scope.get("root_path", "")).rstrip("/")
        return get_swagger_ui_html(
            openapi_url=f"{root}{app.openapi_url}",
            title=app.title,
            swagger_js_url=f"{root}/static/swagger-ui-bundle.js",
            swagger_css_url=f"{root}/static/swagger-ui.css",
            swagger_favicon_url=NO_ICON,
        )

    return router
