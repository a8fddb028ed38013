"""Chat with base models, which echo, and with tuned ones, which know their training rows by heart."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from anytune.testing.completions import completion, echo, sse
from anytune.testing.simulators.models import ModelRoutes
from anytune.testing.simulators.orders import Chat, accepted, body_of
from anytune.testing.simulators.service import Reply
from anytune.testing.simulators.training import recall

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

    from anytune.testing.simulators.state import ModelRecord

__all__ = ["ChatRoutes"]


class ChatRoutes(ModelRoutes):
    """The verb of chat. `serving` may be overridden: it says which model answers to a name."""

    chat_routes: ClassVar[tuple[tuple[str, str, str], ...]] = (("POST", "/chat/completions", "chat"),)

    def chat(self, request: Request) -> Reply:
        """Answer, whole or as a stream."""
        body = body_of(request)
        order = accepted(Chat, body)
        model = self.serving(request, order.model)
        learned = recall(model.job.rows, body["messages"]) if model.job is not None else None
        made = completion(
            model.id, body, self.answer or echo, learned=learned, name=self.new_id("chat"), created=self.stamp(self.clock())
        )  # fmt: skip
        if order.stream:
            return Reply(sse(made, body), headers={"Content-Type": "text/event-stream"})
        return Reply(made)

    def serving(self, request: Request, name: str) -> ModelRecord:
        """Find the model that answers to a name.

        Raises:
            Refusal: None does.
        """
        return self.model(request, name)
