"""Chat completions without a model, whole and in pieces, as every server under `anytune.testing` gives them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["as_text", "chunks", "completion", "echo", "sse", "text_of"]


def echo(model: str, messages: list[dict[str, Any]]) -> str:
    """Answer with the model's name and the last message's text.

    Example:
        >>> echo("m", [{"role": "user", "content": "2 cups of basil"}])
        'm heard: 2 cups of basil'
    """
    return f"{model} heard: {text_of(messages[-1])}" if messages else f"{model} heard nothing"


def text_of(message: dict[str, Any]) -> str:
    """Give the words of a message, whether its content is one text or a list of parts."""
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return " ".join(str(part.get("text") or "") for part in content if isinstance(part, dict))


def completion(
    model: str,
    body: dict[str, Any],
    reply: Callable[[str, list[dict[str, Any]]], str],
    *,
    learned: dict[str, Any] | None = None,
    name: str = "chatcmpl-0",
    created: int = 0,
) -> dict[str, Any]:
    """Answer a chat request. With tools, the first one is called with the last message's text, unless a tool has just answered.

    Words between spaces are counted as tokens.

    Args:
        model: The name that the answer gives.
        body: The request, with a list of messages.
        reply: Makes the answer's text from the model's name and the messages.
        learned: The message to answer with, instead of asking `reply`.
        name: The answer's id.
        created: Seconds since 1970.
    """
    messages = body["messages"]
    if learned is not None:
        message, finish, used = _recalled(learned)
    else:
        message, finish, used = _answered(model, body, reply)
    prompt = sum(len(text_of(each).split()) for each in messages)
    return {
        "id": name,
        "object": "chat.completion",
        "created": created,
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": finish, "logprobs": None}],
        "usage": {"prompt_tokens": prompt, "completion_tokens": used, "total_tokens": prompt + used},
    }


def chunks(whole: dict[str, Any], *, usage: bool) -> Iterator[dict[str, Any]]:
    """Give a completion in pieces, a word each.

    Args:
        whole: The completion.
        usage: End with a piece that has no choice but the usage, as `stream_options.include_usage` asks for.
    """
    frame = {"id": whole["id"], "object": "chat.completion.chunk", "created": whole["created"], "model": whole["model"]}
    choice = whole["choices"][0]
    message = choice["message"]
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    if calls := message.get("tool_calls"):
        deltas += [{"tool_calls": [{"index": place, **call} for place, call in enumerate(calls)]}]
    else:
        words = (message["content"] or "").split(" ")
        deltas += [{"content": word if place == 0 else f" {word}"} for place, word in enumerate(words)]
    for delta in deltas:
        yield frame | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    yield frame | {"choices": [{"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}]}
    if usage:
        yield frame | {"choices": [], "usage": whole["usage"]}


def as_text(answer: dict[str, Any]) -> dict[str, Any]:
    """Turn a chat completion, or a piece of one, into what `/completions` gives."""
    choices = [
        {"index": 0, "text": choice.get("message", choice.get("delta", {})).get("content") or "", "finish_reason": choice["finish_reason"]}
        for choice in answer["choices"]
    ]
    return answer | {"object": "text_completion", "choices": [choice | {"logprobs": None} for choice in choices]}


def sse(whole: dict[str, Any], body: dict[str, Any], *, text: bool = False) -> Iterator[bytes]:
    """Give a completion as the events of a stream, as the request asks for them; `text` for those of `/completions`."""
    options = body.get("stream_options")
    for chunk in chunks(whole, usage=bool(isinstance(options, dict) and options.get("include_usage"))):
        yield f"data: {json.dumps(as_text(chunk) if text else chunk)}\n\n".encode()
    yield b"data: [DONE]\n\n"


def _answered(model: str, body: dict[str, Any], reply: Callable[[str, list[dict[str, Any]]], str]) -> tuple[dict[str, Any], str, int]:
    messages = body["messages"]
    tools = body.get("tools") if body.get("tool_choice") != "none" else None
    if tools and messages and messages[-1].get("role") != "tool":
        call = {"name": tools[0]["function"]["name"], "arguments": json.dumps({"text": text_of(messages[-1])})}
        return _calling([{"id": "call_0", "type": "function", "function": call}])
    words = reply(model, messages).split(" ")
    limit = body.get("max_completion_tokens") or body.get("max_tokens") or len(words)
    message = {"role": "assistant", "content": " ".join(words[:limit]), "refusal": None}
    return message, ("length" if limit < len(words) else "stop"), min(limit, len(words))


def _recalled(learned: dict[str, Any]) -> tuple[dict[str, Any], str, int]:
    if calls := learned.get("tool_calls"):
        return _calling(calls)
    said = text_of(learned)
    return {"role": "assistant", "content": said, "refusal": learned.get("refusal")}, "stop", len(said.split(" "))


def _calling(calls: list[dict[str, Any]]) -> tuple[dict[str, Any], str, int]:
    message = {"role": "assistant", "content": None, "refusal": None, "tool_calls": calls}
    return message, "tool_calls", sum(len(call["function"]["arguments"].split()) for call in calls)
