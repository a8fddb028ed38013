"""B01-B04: who a backend says it is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pydantic
import pytest

from anytune.backend import CONTRACT_VERSION, Backend, Capabilities

if TYPE_CHECKING:
    from anytune.testing.kit import BackendKit


class Identity:
    """Name, capabilities, secrets."""

    def test_b01_has_a_name_a_version_and_an_account(self, kit: BackendKit) -> None:
        """B01: It has a name, the contract's version and an account.

        The name is lower case; the account is the same in every instance of the same settings, as it is part of a job's key.
        """
        assert isinstance(kit.backend, Backend)
        assert re.fullmatch(r"[a-z][a-z0-9_-]*", kit.backend.name), f"Not a name for an entry point: {kit.backend.name!r}."
        assert kit.backend.contract_version == CONTRACT_VERSION
        assert kit.backend.account
        assert kit.make().account == kit.backend.account

    def test_b02_capabilities_are_one_frozen_value(self, kit: BackendKit) -> None:
        """B02: Its capabilities are one frozen value that does not change.

        Two instances of the same settings say the same, and it survives JSON.
        """
        said = kit.backend.capabilities
        assert isinstance(said, Capabilities)
        assert said == kit.backend.capabilities == kit.make().capabilities
        assert Capabilities.model_validate_json(said.model_dump_json()) == said
        with pytest.raises(pydantic.ValidationError):
            said.settle_s = 1.0

    def test_b03_shows_no_secret(self, kit: BackendKit) -> None:
        """B03: It shows no secret when it is printed.

        The kit's `secrets` are in neither its text, its capabilities nor its account.
        """
        shown = f"{kit.backend!r} {kit.backend} {kit.backend.capabilities!r} {kit.backend.account}"
        assert not [secret for secret in kit.secrets if secret in shown], "A secret is shown."

    def test_b04_close_ends_one_instance_only(self, kit: BackendKit) -> None:
        """B04: Closing it, also twice, leaves other instances alone.

        What it closes are connections: the jobs stay.
        """
        order, job = kit.submitted()
        other = kit.make()
        other.close()
        other.close()
        assert [found.id for found in kit.backend.find(order).jobs] == [job.id]
