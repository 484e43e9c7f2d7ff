"""The application: routes, the guard before them, and the worker's own pages."""

from __future__ import annotations

from fastapi import FastAPI, Response

from pipeline.api import advice, alerts, page, people, read, silences
from pipeline.api.guard import Guard, add_error_answers
from pipeline.api.parts import Parts

ABOUT = """Alerts in, and what became of them. An alert payload is answered 202 only after Kafka has it; 503 says try again."""


def create_app(parts: Parts) -> FastAPI:
    """An ASGI application over `parts`. It starts and stops nothing: that is the server's part."""
    app = FastAPI(title="Flux AI", version="1", description=ABOUT, redoc_url=None, docs_url="/docs")
    app.include_router(alerts.routes(parts))
    app.include_router(people.routes(parts))
    app.include_router(page.routes(parts))
    app.include_router(read.routes(parts.archive, parts.prefix))
    app.include_router(silences.routes(parts))
    app.include_router(advice.routes(parts))
    for path in ("/metrics", "/health", "/ready"):
        add_page(app, parts, path)
    add_error_answers(app)
    app.add_middleware(Guard, parts=parts)
    return app


def add_page(app: FastAPI, parts: Parts, path: str) -> None:
    """One of the pages that every worker has."""

    @app.get(path, tags=["operations"], name=path.strip("/"), response_class=Response)
    async def page() -> Response:
        status, kind, body = parts.health.answer(path)
        return Response(body, status, media_type=kind)
