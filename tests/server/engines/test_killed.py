"""The server is killed while it answers; the next one goes on with the same engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from anytune.deploy import Deployment
from anytune.runtime import Runtime

if TYPE_CHECKING:
    from collections.abc import Callable

LONG = "basil " * 150_000
"""Each word comes as an event of its own: 30 MB, more than lies in any buffer between engine and client."""


def test_after_kill_9_in_the_middle_of_a_stream_the_engine_is_found_again(launch: Callable[..., Any]) -> None:
    first = launch("--backend", "memory")
    body = {"model": "little", "messages": [{"role": "user", "content": LONG}], "stream": True}
    headers = {"Authorization": f"Bearer {first.key}"}
    with httpx2.stream("POST", f"{first.base_url}/chat/completions", json=body, headers=headers, timeout=30) as stream:
        pieces = stream.iter_bytes()
        while b"basil" not in next(pieces):
            pass
        first.kill()
        with pytest.raises(httpx2.HTTPError):
            for _ in pieces:
                pass

    second = launch("--backend", "memory")
    reply = second.client().chat.completions.create(model="little", messages=[{"role": "user", "content": "basil"}])

    assert reply.choices[0].message.content == "little heard: basil"
    context = Runtime()
    assert len(Deployment.list(live=False, context=context)) == 1
    for deployment in Deployment.list(context=context):
        deployment.stop()
    context.ledger.close()
