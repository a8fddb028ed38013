"""B55-B56: several adapters share a host."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from anytune.testing.scenarios.hosting import QUESTION, client_of
from anytune.testing.scenarios.needs import needs

if TYPE_CHECKING:
    from openai import OpenAI

    from anytune.testing.kit import BackendKit

NAMES = ("first", "ft:base:team:second")


class Sharing:
    """deploy with adapters."""

    @needs("deploy", "adapters")
    def test_b55_adapters_of_a_host_answer_as_alone(self, kit: BackendKit) -> None:
        """B55: A host answers for its adapters by their names, as each does alone.

        With temperature 0. The base answers to the address's own name; every answer names the model that was asked.
        """
        _, alone = kit.deployed()
        shared = kit.shared(NAMES)
        assert alone.address is not None
        with client_of(alone.address, kit.timeout_s) as client:
            expected, _ = _said(kit, client, alone.address.model)
        with client_of(shared, kit.timeout_s) as client:
            found = {name: _said(kit, client, name) for name in (*NAMES, shared.model)}
        assert [found[name] for name in NAMES] == [(expected, name) for name in NAMES]
        assert found[shared.model][0], "The base does not answer."

    @needs("deploy", "adapters")
    def test_b56_a_host_refuses_names_that_it_does_not_hold(self, kit: BackendKit) -> None:
        """B56: A name that the host does not hold is refused.

        With 400 or 404, and not answered by another of its models.
        """
        import openai  # noqa: PLC0415 - heavy

        with client_of(kit.shared(NAMES), kit.timeout_s) as client, pytest.raises((openai.BadRequestError, openai.NotFoundError)):
            _said(kit, client, "third")


def _said(kit: BackendKit, client: OpenAI, model: str) -> tuple[str | None, str]:
    reply = client.chat.completions.create(model=model, messages=QUESTION, max_tokens=kit.max_tokens, temperature=0)
    return reply.choices[0].message.content, reply.model
