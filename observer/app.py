"""The factory: wires readers, tail, routes and pages into one application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import SecretStr
from starlette.exceptions import HTTPException
from starlette.responses import Response

from ai.clock import Clock
from ai.errors import StoreError
from observer.api import SENTENCES, api_routes
from observer.pages import Pages
from observer.readers import Readers
from observer.security import HEADERS, Keeper, SecurityHeaders
from observer.source import Source, sentence_of
from observer.static_files import StaticFiles
from observer.tail import Tail
from observer.wire import Json


def create_app(*, data_dir: Path, being: str, clock: Clock, token: SecretStr) -> FastAPI:
    """The page, its API and its stream about `being`, read from the store in `data_dir`, which need not exist yet.

    `token` is the keeper's: with it, the journal and the stream show the keeper's rows too. Run it with
    `observer.server.serve`, which ends the streams through `app.state.tail` before it stops.
    """
    source = Source(data_dir)
    readers = Readers(source, being, clock)
    tail = Tail(readers)
    pages = Pages(readers, clock)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await source.close()

    app = FastAPI(
        title="Am I Alive?",
        description="One artificial being that lives on a monthly budget of real money.",
        docs_url=None,  # the packaged ones load scripts from elsewhere; ours is in pages.py
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.tail = tail
    app.add_middleware(SecurityHeaders)
    app.include_router(api_routes(readers, tail, Keeper(token)))
    app.include_router(pages.routes(app.openapi))
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"), name="static")
    _translate_errors(app, pages)
    return app


def _translate_errors(app: FastAPI, pages: Pages) -> None:
    """Every refusal is one plain sentence: JSON under /api, a page elsewhere."""

    def refuse(request: Request, status: int, sentence: str, headers: dict[str, str] | None = None) -> Response:
        if request.url.path.startswith(("/api", "/healthz", "/static", "/view")):
            return Json({"detail": sentence}, status_code=status, headers=headers)
        return pages.refusal(status, sentence, headers)

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, exc: HTTPException) -> Response:
        sentence = exc.detail
        if sentence == HTTPStatus(exc.status_code).phrase:  # the framework's own, which is no sentence
            sentence = f"There is nothing here ({exc.status_code} {sentence})."
        return refuse(request, exc.status_code, sentence, dict(exc.headers or {}))

    @app.exception_handler(RequestValidationError)
    async def bad_value(request: Request, exc: RequestValidationError) -> Response:
        name = str(exc.errors()[0]["loc"][-1])
        return refuse(request, 422, SENTENCES.get(name, f"“{name}” cannot be used as it stands."))

    @app.exception_handler(StoreError)
    async def store_failed(request: Request, exc: StoreError) -> Response:
        return refuse(request, 503, sentence_of(exc), {"Retry-After": "5"})

    @app.exception_handler(Exception)
    async def our_fault(_: Request, __: Exception) -> Response:
        # Answered outside every middleware, so it brings the headers itself; the server logs the traceback.
        return Json({"detail": "Something went wrong here; the log says what."}, status_code=500, headers=HEADERS)
