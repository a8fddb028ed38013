"""Asking a model: one `Endpoint` for every host, because every host speaks the OpenAI protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from anytune.errors import AnytuneError, AuthError, MalformedReply, Unreachable
from anytune.retry import Retry

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    import openai
    from openai.types.chat import ChatCompletion

    from anytune.batch import Answer
    from anytune.values import Address

__all__ = ["Endpoint", "Reply", "as_messages", "credential", "reply_from"]

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

            key = _key(self.address) if self.address.token is None else lambda: credential(self.address)  # asked for anew by every request
            self._client = openai.OpenAI(
                base_url=self.address.base_url, api_key=key, max_retries=0, timeout=TIMEOUT_S, default_headers=headers(self.address)
            )
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


def headers(address: Address) -> dict[str, Any]:
    """Give the headers to send: the address's own, and not what the client would take from OpenAI's environment names for any host."""
    from openai import omit  # noqa: PLC0415 - as above

    return {"OpenAI-Organization": omit, "OpenAI-Project": omit, **address.headers}


def credential(address: Address) -> str:
    """Give the token to send now; hosts without one get a word, since the client insists.

    An address whose tokens expire (`Address.token`) is asked every time: it keeps a token for as long as that is good.

    Raises:
        AuthError: No token could be got.
        Unreachable: Whoever gives them could not be asked.
    """
    if address.token is None:
        return _key(address)
    try:
        return address.token()
    except AnytuneError:
        raise
    except OSError as error:
        raise Unreachable(f"No token could be got: {type(error).__name__}: {error}", fix="Check the network, then try again.") from None
    except Exception as error:  # noqa: BLE001 - sign-in libraries raise what they like; none of it is the host's answer
        text = f"No token could be got: {type(error).__name__}: {error}"
        raise AuthError(text, fix="Sign in again, and check what this identity may do.") from None


def _key(address: Address) -> str:
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
