"""Asking a model: one `Endpoint` for every host, because every host speaks the OpenAI protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from anytune.errors import MalformedReply
from anytune.retry import Retry

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    import openai
    from openai.types.chat import ChatCompletion

    from anytune.batch import Answer
    from anytune.values import Address

__all__ = ["Endpoint", "Reply", "as_messages", "reply_from"]

TIMEOUT_S = 600.0
"""How long one answer may take; a first answer on a CPU can take half a minute."""


class Reply(str):
    """The text of an answer, which also carries what came with it.

    Attributes:
        finish_reason: `stop`, `length`, `tool_calls`, … as the host said.
        tool_calls: Calls that the model asks for, as plain dicts in OpenAI's shape.
        usage: `prompt_tokens`, `completion_tokens`, … as the host counted; empty where it did not.
        model: The model's name, as the host said.
    """

    __slots__ = ("finish_reason", "model", "tool_calls", "usage")

    finish_reason: str
    model: str
    tool_calls: list[dict[str, Any]]
    usage: dict[str, Any]


class Endpoint:
    """The address of a running model, ready to be asked. A context manager: leaving it closes connections, not the host.

    Args:
        address: Where it answers.
        retry: The retry layer; the client's own is off.
    """

    def __init__(self, address: Address, *, retry: Retry | None = None) -> None:
        """Keep the address; nothing is opened before the first question."""
        self.address = address
        self._retry = retry or Retry()
        self._client: openai.OpenAI | None = None

    def __repr__(self) -> str:
        """Show where and what, never the credential."""
        return f"Endpoint({self.model!r} at {self.address.base_url})"

    def __enter__(self) -> Self:
        """Give the endpoint itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close connections."""
        self.close()

    @property
    def model(self) -> str:
        """The name that is sent as `model`."""
        return self.address.model

    def chat(
        self, messages: str | Sequence[Mapping[str, Any]], *, tools: Sequence[Mapping[str, Any]] | None = None, **params: Any
    ) -> Reply:
        """Ask once and wait for the whole answer.

        Args:
            messages: A user's message as text, or messages in OpenAI's shape.
            tools: Tools in OpenAI's shape that the model may call.
            params: Everything else that the protocol knows (`temperature`, `max_tokens`, `response_format`, …).

        Raises:
            BackendError: The host refused or could not be reached (after retries).
            MalformedReply: The answer is no chat completion.
        """
        request = self.request(messages, tools, params)
        return self._retry.read(lambda: reply_from(self.openai().chat.completions.create(**request)))

    def stream(self, messages: str | Sequence[Mapping[str, Any]], **params: Any) -> Iterator[str]:
        """Ask once and give the answer's text piece by piece, as it comes.

        Opening the stream is retried like `chat`; a stream that breaks is not, since part of it was given out already.
        """
        request = self.request(messages, None, params)
        chunks = self._retry.read(lambda: self.openai().chat.completions.create(**request, stream=True))
        with chunks:
            for chunk in chunks:
                if chunk.choices and chunk.choices[0].delta.content:
                    yield chunk.choices[0].delta.content

    def chat_many(
        self,
        rows: Iterable[str | Sequence[Mapping[str, Any]]],
        *,
        concurrency: int = 8,
        out: Path | str | None = None,
        **params: Any,
    ) -> list[Answer]:
        """Ask many, a bounded number at a time; answers come in the order of the rows, an error stays with its row.

        Args:
            rows: Each as for `chat`.
            concurrency: Questions in flight.
            out: A JSONL file that every answer is appended to at once. Run again with the same file, and only what is missing or failed
                is asked: a killed run loses nothing.
            params: As for `chat`, the same for all rows.
        """
        from anytune.batch import run  # noqa: PLC0415 - threads and hashing are only needed here

        return run(self, rows, concurrency=concurrency, out=out, params=params)

    def openai(self) -> openai.OpenAI:
        """Give a ready `openai.OpenAI` for all else; its own retries are off."""
        if self._client is None:
            import openai  # noqa: PLC0415 - takes half a second

            self._client = openai.OpenAI(base_url=self.address.base_url, api_key=credential(self.address), max_retries=0, timeout=TIMEOUT_S)
        return self._client

    def close(self) -> None:
        """Close connections; the host goes on."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def request(
        self, messages: str | Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]] | None, params: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Build the body of a chat completion."""
        body: dict[str, Any] = {"model": self.model, "messages": as_messages(messages), **params}
        if tools is not None:
            body["tools"] = list(tools)
        return body


def as_messages(messages: str | Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Take a text as one user's message; messages stay as they are."""
    if isinstance(messages, str):
        return [{"role": "user", "content": messages}]
    return [dict(message) for message in messages]


def credential(address: Address) -> str:
    """Give the token to send; hosts without one get a word, since the client insists."""
    return address.credential.get_secret_value() if address.credential else "none"


def reply_from(completion: ChatCompletion) -> Reply:
    """Take the answer out of a completion.

    Raises:
        MalformedReply: It is none: the client hands on a page of HTML as text (seen with openai 3.54), and proxies cut JSON.
    """
    choices = getattr(completion, "choices", None)
    if not choices:
        raise MalformedReply(
            f"The endpoint answered with {type(completion).__name__}, not with a chat completion.",
            fix="Check that the address ends in /v1.",
        )
    choice = choices[0]
    reply = Reply(choice.message.content or "")
    reply.finish_reason = choice.finish_reason or ""
    reply.model = completion.model
    reply.tool_calls = [call.model_dump(exclude_none=True) for call in choice.message.tool_calls or ()]
    reply.usage = completion.usage.model_dump(exclude_none=True) if completion.usage else {}
    return reply
