"""B43-B44: what becomes of a tuned model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anytune.errors import NotFound
from anytune.retry import translated
from anytune.testing.scenarios.needs import needs

if TYPE_CHECKING:
    from anytune.testing.kit import BackendKit


class Models:
    """continue and delete_model."""

    @needs("continue")
    def test_b43_a_tuned_model_is_trained_further(self, kit: BackendKit) -> None:
        """B43: A tuned model can be trained further, and gives another model.

        Its id is the order's model.
        """
        assert kit.another().id != kit.tuned().id

    @needs("delete_model")
    def test_b44_a_deleted_model_is_gone(self, kit: BackendKit) -> None:
        """B44: A deleted model is gone, and deleting it again does no harm.

        The second time is no error, or `NotFound`. Where it could be deployed, it cannot any more.
        """
        model = kit.finished().model
        assert model is not None
        order = kit.deploy_order() if kit.can("deploy") else None
        kit.forget()
        kit.backend.delete_model(model)
        try:
            kit.backend.delete_model(model)
        except Exception as error:  # noqa: BLE001 - translated, as core does
            assert isinstance(translated(error, kit.backend), NotFound), repr(error)  # noqa: PT017 - both ways are right
        if order is not None:
            kit.refusal(lambda: kit.until_deployment(kit.backend.deploy(order).id, {"ready"}))
