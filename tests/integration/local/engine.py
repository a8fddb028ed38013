"""An engine without a model: it speaks the protocol, repeats the last message, and writes down what it was sent."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time

import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route

parser = argparse.ArgumentParser()
parser.add_argument("--port", type=int)
parser.add_argument("--seen", help="a file that gets each request as a JSON line")
parser.add_argument("--extra-tokens", type=int, default=0, help="as if the template were another one")
parser.add_argument("--die-after-s", type=float)
parser.add_argument("--never-healthy", action="store_true")
parser.add_argument("--worker", action="store_true", help="have a process of its own")
words = parser.parse_args()

if words.worker:
    subprocess.Popen([sys.executable, "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(600)"])


async def chat(request):
    body = await request.json()
    if words.seen:
        with open(words.seen, "a") as file:
            file.write(json.dumps({"body": body, "headers": dict(request.headers)}) + "\n")
    text = body["messages"][-1]["content"]
    if body.get("stream"):
        return StreamingResponse(pieces(text), media_type="text/event-stream")
    tokens = sum(len(message["content"].split()) for message in body["messages"]) + words.extra_tokens
    message = {"role": "assistant", "content": f"echo {text}"}
    usage = {"prompt_tokens": tokens, "completion_tokens": 2, "total_tokens": tokens + 2}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return JSONResponse({"id": "1", "object": "chat.completion", "created": 1, "model": body["model"], "choices": [choice], "usage": usage})


async def pieces(text):
    for word in text.split():
        chunk = {
            "id": "1",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": "m",
            "choices": [{"index": 0, "delta": {"content": word}}],
        }
        yield f"data: {json.dumps(chunk)}\n\n"
        await asyncio.sleep(0.3)
    yield "data: [DONE]\n\n"


async def health(_):
    return JSONResponse({}, status_code=503 if words.never_healthy else 200)


async def die():
    await asyncio.sleep(words.die_after_s)
    print("the engine crashed", flush=True)
    os._exit(3)


async def main():
    app = Starlette(routes=[Route("/health", health), Route("/v1/chat/completions", chat, methods=["POST"])])
    dying = asyncio.ensure_future(die()) if words.die_after_s else None
    print("engine up at", time.time(), flush=True)
    await uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=words.port, log_level="warning")).serve()
    del dying


asyncio.run(main())
