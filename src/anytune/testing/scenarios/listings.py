"""B51-B54: what an account holds, and for how long."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from anytune.testing.scenarios.needs import needs

if TYPE_CHECKING:
    from anytune.testing.kit import BackendKit


class Listings:
    """list_jobs, list_deployments and keeps_ttl."""

    @needs("list_jobs")
    def test_b51_the_jobs_are_listed_newest_first(self, kit: BackendKit) -> None:
        """B51: `list_jobs` gives the account's jobs, newest first, with their refs.

        Whoever made them. A suffix may be too short for the whole ref: there, and only there, it may be None.
        """
        (first_order, first), (second_order, second) = kit.submitted(), kit.cancelled()
        listed = kit.backend.list_jobs()
        places = {job.id: place for place, job in enumerate(listed)}
        assert len(places) == len(listed), "A job is listed twice."
        assert {first.id, second.id} <= set(places), "A job is not listed."
        assert places[second.id] < places[first.id], "Not newest first."
        times = [job.created_at for job in listed if job.created_at is not None]
        assert all(one >= two for one, two in pairwise(times)), "Not newest first."
        cut = {None} if kit.backend.capabilities.tag == "suffix" else set()
        for order, job in ((first_order, first), (second_order, second)):
            assert listed[places[job.id]].ref in {order.ref} | cut

    @needs("list_jobs")
    def test_b52_no_more_jobs_are_listed_than_asked_for(self, kit: BackendKit) -> None:
        """B52: `list_jobs(limit)` gives the newest ones, and no more than `limit`.

        Also where the provider has more of them than fit on a page.
        """
        kit.submitted()
        kit.cancelled()
        whole = [job.id for job in kit.backend.list_jobs()]
        assert [job.id for job in kit.backend.list_jobs(limit=1)] == whole[:1]
        assert [job.id for job in kit.backend.list_jobs(limit=2)] == whole[:2]

    @needs("deploy", "list_deployments")
    def test_b53_the_hosts_that_are_not_gone_are_listed(self, kit: BackendKit) -> None:
        """B53: `list_deployments` gives a host that is ready, with its ref, and not one that is gone.

        It is the list of what may still cost money; another instance gives the same.
        """
        order, host = kit.deployed()
        for backend in (kit.backend, kit.make()):
            (seen,) = [listed for listed in backend.list_deployments() if listed.id == host.id]
            assert seen.ref == order.ref
            assert seen.state != "gone"
        kit.undeployed()
        assert host.id not in {listed.id for listed in kit.backend.list_deployments()}

    @needs("deploy")
    def test_b54_a_host_is_gone_after_its_time_to_live(self, kit: BackendKit) -> None:
        """B54: Where `keeps_ttl` is declared, a host is gone after its time to live.

        Nobody asks for it. The kit's `ttl_s` says how long it lives.
        """
        if not kit.backend.capabilities.keeps_ttl:
            pytest.skip("Core's own watch ends its hosts.")
        host = kit.backend.deploy(kit.deploy_order(ttl_s=kit.ttl_s))
        kit.until_deployment(host.id, {"gone"})
