"""A ledger has one server at a time, in either database: two would both look after the same orders."""

from __future__ import annotations

import pytest

from anytune.errors import ConfigError
from anytune.ledger import Ledger
from anytune.server.alone import ledger_alone


def test_a_ledger_lets_one_server_in_and_the_next_after_it(database):
    with Ledger.open() as one, Ledger.open() as other:
        with ledger_alone(one.database):
            with pytest.raises(ConfigError, match="Another server uses the ledger"), ledger_alone(other.database):
                pytest.fail("two are in")
            assert one.jobs() == other.jobs() == []
        with ledger_alone(other.database):
            pass
