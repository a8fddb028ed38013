"""Models: the provider's own, and those that jobs made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from anytune.testing.simulators import shapes
from anytune.testing.simulators.home import Home
from anytune.testing.simulators.service import Reply

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

    from anytune.testing.simulators.state import ModelRecord

__all__ = ["ModelRoutes"]


class ModelRoutes(Home):
    """The verbs of models. `deletable` may be overridden."""

    model_routes: ClassVar[tuple[tuple[str, str, str], ...]] = (
        ("GET", "/models", "list_models"),
        ("GET", "/models/{id:path}", "retrieve_model"),
        ("DELETE", "/models/{id:path}", "delete_model"),
    )

    def list_models(self, request: Request) -> Reply:
        """List what can be asked for."""
        data = [self.model_shape(model) for model in self.world.models.values() if self.visible(model, request)]
        return Reply({"object": "list", "data": data})

    def retrieve_model(self, request: Request, id: str) -> Reply:  # noqa: A002 - as the template names it
        """Give a model."""
        return Reply(self.model_shape(self.model(request, id)))

    def delete_model(self, request: Request, id: str) -> Reply:  # noqa: A002
        """Forget a tuned model."""
        found = self.model(request, id)
        self.deletable(found)
        del self.world.models[id]
        return Reply({"id": id, "object": "model", "deleted": True})

    def model(self, request: Request, id: str) -> ModelRecord:  # noqa: A002
        """Find a model that the request's project sees.

        Raises:
            Refusal: There is none, or not yet.
        """
        found = self.world.models.get(self.full_name(id))
        if found is None or not self.visible(found, request):
            raise self.refuse("model_not_found", model=id)
        return found

    def visible(self, model: ModelRecord, request: Request) -> bool:
        """Tell whether a request sees a model; new ones not before `model_lag_s` is over."""
        if model.job is None:
            return True
        return model.project == self.project_of(request) and self.clock() - model.created_at >= self.faults.model_lag_s

    def deletable(self, model: ModelRecord) -> None:
        """Refuse to delete a model that is not the organisation's own."""
        if model.job is None:
            raise self.refuse("no_permission", model=model.id)

    def full_name(self, name: str) -> str:
        """Give the dated name of a base model for its short one, as `gpt-4.1-mini` has it."""
        if name in self.world.models:
            return name
        dated = [known for known, model in self.world.models.items() if model.job is None and known.startswith(f"{name}-2")]
        return dated[-1] if dated else name

    def model_shape(self, model: ModelRecord) -> dict[str, Any]:
        """Give a model as JSON."""
        return shapes.model(self, model)
