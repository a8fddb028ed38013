"""Asking a model for grades: never twice the same, in a fixed shape where the host can give one, errors as words."""

from __future__ import annotations

import contextlib
import hashlib
import json
from typing import TYPE_CHECKING, Any

from anytune.errors import AnytuneError, ConfigError, MalformedReply, Rejected
from anytune.evaluation.graders.base import HOPELESS
from anytune.evaluation.graders.shaped import Ungraded
from anytune.local import durable
from anytune.retry import Retry
from anytune.settings import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from anytune.evaluation.graders.base import Desk
    from anytune.infer import Endpoint

__all__ = ["Panel"]

_SHOWN = 200


class Panel:
    """One of the spec's models, as graders ask it. Replies are kept in the desk's scratch (`grading`) by the sha256 of what was asked.

    A reply in a fixed shape (`response_format`) is asked for until the host refuses that once; what it then says is read as text.

    Args:
        desk: Where endpoints and the scratch are.
        word: The model's word in the spec.
        key: The grader's key that names it, for errors.

    Raises:
        ConfigError: The spec has no such model.
    """

    def __init__(self, desk: Desk, word: str, *, key: str = "model") -> None:
        """Check the word; nothing is asked yet."""
        if desk.models is not None and word not in desk.models:
            guess = nearest(word, sorted(desk.models))
            fix = f"Did you mean {guess!r}?" if guess else f"Add {word!r} to `models`: a backend or an address that answers for it."
            raise ConfigError(f"`{key}` is {word!r}, which is none of the spec's `models`.", fix=fix)
        self._desk = desk
        self._word = word
        self._place = desk.scratch / "grading"
        self._shapeless = False

    def ask(self, messages: Sequence[Mapping[str, Any]], shape: Mapping[str, Any], params: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """Ask for a grade.

        Args:
            messages: In OpenAI's shape.
            shape: JSON Schema of the reply that is wished for.
            params: What is sent beside.

        Returns:
            The reply's text and the tokens it took; of a kept reply, those that it once took.

        Raises:
            Ungraded: The model could not be asked, or was cut off.
        """
        formed = {"type": "json_schema", "json_schema": {"name": "grade", "strict": True, "schema": shape}}
        reply = self._kept(
            {"messages": list(messages), "shape": shape, "params": params}, lambda endpoint: self._asked(endpoint, messages, formed, params)
        )
        if reply["finish_reason"] == "length":
            raise Ungraded("the grading model was cut off: allow it more tokens", reply["usage"])
        return reply["text"], reply["usage"]

    def embeddings(self, texts: Sequence[str]) -> tuple[list[list[float]], dict[str, Any]]:
        """Give the directions of texts, and the tokens they took.

        Raises:
            Ungraded: The model could not be asked, or gave something else.
        """
        reply = self._kept({"texts": list(texts)}, lambda endpoint: _embedded(endpoint, texts))
        return reply["directions"], reply["usage"]

    def _kept(self, asked: Mapping[str, Any], ask: Callable[[Endpoint], dict[str, Any]]) -> dict[str, Any]:
        try:
            endpoint = self._desk.endpoint(self._word)
            whole = json.dumps({"model": endpoint.model, **asked}, sort_keys=True)
            place = self._place / f"{hashlib.sha256(whole.encode()).hexdigest()}.json"
            if (kept := _read(place)) is not None:
                return kept
            reply = ask(endpoint)
        except HOPELESS:
            raise
        except AnytuneError as error:
            raise Ungraded(f"the grading model could not be asked: {type(error).__name__}: {error.message[:_SHOWN]}") from None
        with contextlib.suppress(OSError):  # what cannot be kept is a reply all the same
            self._place.mkdir(parents=True, exist_ok=True, mode=0o700)
            durable.write(place, reply, sync=False)
        return reply

    def _asked(
        self, endpoint: Endpoint, messages: Sequence[Mapping[str, Any]], formed: dict[str, Any], params: Mapping[str, Any]
    ) -> dict[str, Any]:
        if self._shapeless:
            reply = endpoint.chat(messages, **params)
        else:
            try:
                reply = endpoint.chat(messages, response_format=formed, **params)
            except Rejected:
                reply = endpoint.chat(messages, **params)
                self._shapeless = True
        return {"text": str(reply), "usage": reply.usage, "finish_reason": reply.finish_reason}


def _embedded(endpoint: Endpoint, texts: Sequence[str]) -> dict[str, Any]:
    client = endpoint.openai()
    found = Retry().read(lambda: client.embeddings.create(model=endpoint.model, input=list(texts), encoding_format="float"))
    directions = [each.embedding for each in sorted(found.data or (), key=lambda each: each.index)]
    if len(directions) != len(texts):
        raise MalformedReply("The endpoint gave no embedding for each text.", fix="Check that the model makes embeddings.")
    usage: Any = found.usage  # hosts leave it out
    counted = usage.model_dump(exclude_none=True) if usage else {}
    return {"directions": directions, "usage": counted}


def _read(place: Path) -> dict[str, Any] | None:
    try:
        return durable.read(place)
    except (OSError, ValueError):  # a broken file, or none that can be read: asked for anew
        return None
