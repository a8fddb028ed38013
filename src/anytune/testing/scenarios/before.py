"""B05-B08: what happens before money is spent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from anytune.backend import DataStats
from anytune.errors import Transient
from anytune.values import Finding, Quote

if TYPE_CHECKING:
    from anytune.backend import Order
    from anytune.testing.kit import BackendKit

_GRADER = {
    "type": "string_check",
    "name": "same",
    "operation": "eq",
    "input": "{{sample.output_text}}",
    "reference": "{{item.answer}}",
}
METHODS = ({"type": "sft"}, {"type": "dpo"}, {"type": "rft", "grader": _GRADER})


class Before:
    """check, quote and bad input."""

    def test_b05_accepts_a_good_spec(self, kit: BackendKit) -> None:
        """B05: `check` finds no error in a good spec.

        It gives findings, and `quote` a quote.
        """
        order = kit.order()
        found = kit.backend.check(order.spec, list(order.data.values()))
        assert all(isinstance(finding, Finding) for finding in found)
        assert not [finding for finding in found if finding.severity == "error"]
        assert isinstance(kit.backend.quote(order.spec, DataStats(rows=len(kit.rows), tokens=1000)), Quote)

    def test_b06_check_and_quote_create_nothing(self, kit: BackendKit) -> None:
        """B06: `check` and `quote` create nothing.

        The provider holds as many jobs as before (counted by the kit's `jobs`, else by `find`).
        """
        order = kit.order()
        before = kit.jobs() if kit.jobs else 0
        kit.backend.check(order.spec, list(order.data.values()))
        kit.backend.quote(order.spec, DataStats(rows=len(kit.rows), tokens=1000))
        assert (kit.jobs() if kit.jobs else 0) == before, "A job was made before it was ordered."
        assert kit.backend.find(order).jobs == ()

    def test_b07_stops_a_method_it_does_not_have(self, kit: BackendKit) -> None:
        """B07: A method that is not declared is stopped.

        `check` finds an error, or `submit` refuses and no job exists.
        """
        missing = [method for method in METHODS if method["type"] not in kit.backend.capabilities.methods]
        if not missing:
            pytest.skip("It has every method.")
        for method in missing:
            _stopped(kit, kit.order(method=method))

    def test_b08_refuses_a_missing_file_before_a_job_exists(self, kit: BackendKit) -> None:
        """B08: A data file that is not there is refused before a job exists.

        By `upload`, where there is one, else by `submit`; with an error that does not invite to try again.
        """
        order = kit.order()
        gone = order.data["train"].model_copy(update={"path": kit.folder / "no-such-file.jsonl"})
        if kit.can("upload"):
            error = kit.refusal(lambda: kit.backend.upload(gone))
        else:
            error = kit.refusal(lambda: kit.backend.submit(order.model_copy(update={"data": {"train": gone}})))
        assert not isinstance(error, Transient), f"Trying again would not help, but the error says so: {error!r}"
        assert kit.backend.find(order).jobs == ()


def _stopped(kit: BackendKit, order: Order) -> None:
    found = kit.backend.check(order.spec, list(order.data.values()))
    if not [finding for finding in found if finding.severity == "error"]:
        error = kit.refusal(lambda: kit.backend.submit(order))
        assert not isinstance(error, Transient), f"Trying again would not help, but the error says so: {error!r}"
        assert kit.backend.find(order).jobs == ()
