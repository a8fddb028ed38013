"""The ASGI application: the guard in front, the routes behind it, and the loops that live as long as it does."""

from __future__ import annotations

import os
from contextlib import AsyncExitStack, asynccontextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING

from fastapi import APIRouter, FastAPI, Security
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.security import HTTPBearer
from starlette.exceptions import HTTPException

import anytune
from anytune.errors import AnytuneError
from anytune.paths import home
from anytune.runtime import Runtime, runtime
from anytune.server.azure import EarlierPaths
from anytune.server.book import Book
from anytune.server.engines.names import Names
from anytune.server.engines.pool import Pool
from anytune.server.errors import REFUSALS, ApiError, api_error, invalid
from anytune.server.faults import FaultFile, WireFaults
from anytune.server.faults import read as read_faults
from anytune.server.guard import Guard
from anytune.server.guard.start import first_key
from anytune.server.hooks.sender import Hooks
from anytune.server.house import House
from anytune.server.metrics import Metrics
from anytune.server.routes import completions, files, jobs, models, service, unserved, uploads
from anytune.server.store import Store
from anytune.server.sweep import Sweep
from anytune.server.training.offers import Offers
from anytune.server.training.runner import Runner

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from fastapi import Request
    from fastapi.routing import APIRoute

    from anytune.server.config import ServeConfig

__all__ = ["create_app"]

_KEY = HTTPBearer(scheme_name="key", description="A key of `anytune serve keys add`; `api-key: …` is taken, too.", auto_error=False)
"""For the API's description only: the guard has looked at the key before."""

_PREFIXES = ("/v1", "/openai/v1")
"""OpenAI's own path, and the one under which clients of Azure OpenAI ask."""


def create_app(config: ServeConfig, *, context: Runtime | None = None, environ: Mapping[str, str] = os.environ) -> FastAPI:
    """Make the application. Nothing runs before its lifespan begins.

    Args:
        config: What the owner decided.
        context: Ledger, retries and clock; the process's own by default.
        environ: Where `ANYTUNE_API_KEY` may be set.

    Raises:
        ConfigError: A model's entry is wrong, or it would not be safe to start.
        BackendMissing: A backend is named that is not installed.
    """
    plan = FaultFile() if config.faults is None else read_faults(config.faults, config.backend)
    config = config.model_copy(update={"options": config.options | plan.options})
    house, hooks = _furnished(config, context or runtime())
    house.offers.check()
    first = first_key(house.book, config, environ)
    house.first_key = first.shown

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for part in (Sweep(house.book, house.store), house.runner, house.pool, hooks):
                await part.start()
                stack.push_async_callback(part.stop)
            yield

    app = FastAPI(
        title="anytune",
        summary="OpenAI's fine-tuning API over any backend.",
        version=anytune.__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        generate_unique_id_function=_operation,
        exception_handlers={ApiError: _refused, AnytuneError: _failed, RequestValidationError: _invalid, HTTPException: _unrouted},
    )
    app.state.house = house
    app.include_router(service.router)
    for place, prefix in enumerate(_PREFIXES):
        app.include_router(_api(), prefix=prefix, include_in_schema=place == 0, responses=REFUSALS, dependencies=[Security(_KEY)])
    app.router.routes[:0] = [route for prefix in _PREFIXES for route in completions.shortcuts(prefix)]
    if plan.wire:
        app.add_middleware(WireFaults, faults=plan.wire)
    app.add_middleware(Guard, house=house, held=first.held)
    app.add_middleware(EarlierPaths)
    return app


def _furnished(config: ServeConfig, context: Runtime) -> tuple[House, Hooks]:
    metrics = Metrics()
    book = Book(context.ledger.database)
    store = Store((config.home or home() / "server") / "files")
    offers = Offers(config, context)
    house = House(
        config=config,
        context=context,
        book=book,
        store=store,
        offers=offers,
        pool=Pool(config, context, Names(book, offers), metrics),
        runner=Runner(config, context, book, store, metrics),
        metrics=metrics,
    )
    return house, Hooks(config, book, metrics)


def _api() -> APIRouter:
    router = APIRouter()
    for noun in (files, uploads, jobs, models, completions, unserved):
        router.include_router(noun.router)
    return router


def _operation(route: APIRoute) -> str:
    """Name an operation in the API's description as its function is called: `create_file`."""
    return route.name


async def _refused(_: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, ApiError):
        raise error
    return JSONResponse(error.body, status_code=error.status, headers=error.headers)


async def _failed(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, AnytuneError):
        raise error
    return await _refused(request, api_error(error))


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    """Name the first field that is wrong, as OpenAI does."""
    if not isinstance(error, RequestValidationError):
        raise error
    return await _refused(request, invalid(error.errors()))


async def _unrouted(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise error
    if error.status_code == HTTPStatus.BAD_REQUEST:  # FastAPI's only one: it could not parse the body
        return await _refused(request, ApiError(400, "The body is not JSON.", code="invalid_json"))
    path = request.url.path
    hint = "" if path.startswith(tuple(f"{prefix}/" for prefix in _PREFIXES)) else " Clients' `base_url` ends in /v1 here."
    said = f"{request.method} {path}: {error.detail}.{hint} docs/reference/http-api.md lists what there is."
    return await _refused(request, ApiError(error.status_code, said, headers=dict(error.headers or {})))
