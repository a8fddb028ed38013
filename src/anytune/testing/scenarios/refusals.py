"""B32-B34: how it says no."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, get_args

import pytest
from ulid import ULID

from anytune.backend import Ability, DeployOrder, PushOrder
from anytune.errors import AnytuneError, Unsupported
from anytune.testing.scenarios.observe import UNKNOWN_ID
from anytune.values import ModelRef

if TYPE_CHECKING:
    from collections.abc import Callable

    from anytune.testing.kit import BackendKit

REFUSABLE = [ability for ability in get_args(Ability) if ability not in {"continue", "adapters"}]  # these have no verb of their own


class Refusals:
    """Errors."""

    def test_b32_errors_name_the_backend_and_hide_secrets(self, kit: BackendKit) -> None:
        """B32: An error names the backend, can be pickled, and hides secrets.

        Shown with an unknown id.
        """
        error = kit.refusal(lambda: kit.backend.poll(UNKNOWN_ID))
        assert error.backend == kit.backend.name
        content = pickle.dumps(error)
        again = pickle.loads(content)  # noqa: S301 - our own
        assert type(again) is type(error)
        assert (str(again), again.backend) == (str(error), error.backend)
        shown = f"{error!r} {error} {error.raw} {content!r}"
        assert not [secret for secret in kit.secrets if secret in shown], "A secret is in the error."

    @pytest.mark.parametrize("ability", REFUSABLE)
    def test_b33_undeclared_abilities_are_refused(self, kit: BackendKit, ability: str) -> None:
        """B33: What is not declared is refused with `Unsupported`.

        For each verb of each ability; the error names the backend.
        """
        if kit.can(ability):
            pytest.skip(f"It declares {ability!r}.")
        for verb, call in _verbs(kit, ability).items():
            error = kit.refusal(call)
            assert isinstance(error, Unsupported), f"`{verb}` is not declared, and gave {error!r}"
            assert error.backend == kit.backend.name

    def test_b34_vendor_errors_are_translated(self, kit: BackendKit) -> None:
        """B34: `translate` makes anytune's errors of the vendor's, and never raises.

        The kit's `vendor_errors` become what it says; a stranger becomes one of ours, or None, which leaves it to core.
        """
        stranger = kit.backend.translate(RuntimeError("a stranger"))
        assert stranger is None or isinstance(stranger, AnytuneError)
        for error, expected in kit.vendor_errors:
            assert isinstance(kit.backend.translate(error), expected), f"{error!r} is no {expected.__name__}."


def _verbs(kit: BackendKit, ability: str) -> dict[str, Callable[[], object]]:
    backend, model = kit.backend, ModelRef(id=UNKNOWN_ID)
    order = DeployOrder(ref=str(ULID()), model=model, name="conformance", ttl_s=60.0)
    calls: dict[str, dict[str, Callable[[], object]]] = {
        "upload": {"upload": lambda: backend.upload(kit.file())},
        "events": {"events": lambda: backend.events(UNKNOWN_ID)},
        "metrics": {"metrics": lambda: backend.metrics(UNKNOWN_ID)},
        "checkpoints": {"checkpoints": lambda: backend.checkpoints(UNKNOWN_ID)},
        "render": {"render": lambda: list(backend.render(kit.order().spec, [(1, dict(kit.rows[0]))]))},
        "probe": {"probe": lambda: backend.probe(kit.order().spec, [kit.file()])},
        "pause": {"pause": lambda: backend.pause(UNKNOWN_ID)},
        "resume": {"resume": lambda: backend.resume(UNKNOWN_ID)},
        "delete_model": {"delete_model": lambda: backend.delete_model(model)},
        "deploy": {
            "deploy": lambda: backend.deploy(order),
            "poll_deployment": lambda: backend.poll_deployment(UNKNOWN_ID),
            "undeploy": lambda: backend.undeploy(UNKNOWN_ID),
        },
        "push": {"push": lambda: backend.push(model, PushOrder(repo="conformance/undeclared"))},
        "list_jobs": {"list_jobs": lambda: backend.list_jobs()},  # noqa: PLW0108 - looked up when it is called
        "poll_many": {"poll_many": lambda: backend.poll_many([UNKNOWN_ID])},
        "recipe": {"recipe": lambda: backend.recipe(UNKNOWN_ID), "download": lambda: backend.download(UNKNOWN_ID, kit.folder / "no.jsonl")},
        "list_deployments": {"list_deployments": lambda: backend.list_deployments()},  # noqa: PLW0108 - as above
    }
    return calls[ability]
