"""Routes about the server itself: whether it answers, and what it counts."""

from __future__ import annotations

from fastapi import APIRouter, Response

from anytune.server.errors import ApiError
from anytune.server.house import Asked, Inside
from anytune.server.metrics import CONTENT_TYPE

__all__ = ["router"]

router = APIRouter(tags=["service"])


@router.get("/health")
async def health() -> dict[str, str]:
    """Tell that the server answers. The only path without a key."""
    return {"status": "ok"}


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}})
def metrics(house: Inside, caller: Asked) -> Response:
    """Give counters in Prometheus' text format; for admin keys."""
    if not caller.admin:
        raise ApiError(403, "Metrics are for admin keys. Make one with `anytune serve keys add OWNER --admin`.")
    return Response(house.metrics.text(), media_type=CONTENT_TYPE)
