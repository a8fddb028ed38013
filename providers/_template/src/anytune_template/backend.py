"""The backend. Each method is one call to the provider; core retries, sleeps, stores and logs."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import SecretStr

from anytune.backend import Backend, Capabilities
from anytune.values import Status

if TYPE_CHECKING:
    from anytune.backend import Found, Order, RemoteJob
    from anytune.errors import AnytuneError
    from anytune.values import Snapshot

__all__ = ["STATUSES", "TemplateBackend", "status_of"]

STATUSES: dict[str, Status] = {
    "queued": Status.QUEUED,
    "running": Status.RUNNING,
    "succeeded": Status.SUCCEEDED,
    "failed": Status.FAILED,
    "cancelled": Status.CANCELLED,
}
"""Every status of the provider, once. Source: the page and the day you read it."""


def status_of(word: str) -> Status:
    """Map the provider's word; one that is not in the table is `unknown`, never `failed`."""
    return STATUSES.get(word, Status.UNKNOWN)


class TemplateBackend(Backend):
    """Trains at the provider.

    Args:
        api_key: The key; name here the environment variable that it comes from by default.
        base_url: Where the provider answers.
    """

    name: ClassVar[str] = "template"

    def __init__(self, *, api_key: SecretStr | str | None = None, base_url: str = "https://api.example.com/v1") -> None:
        """Keep the settings; connect when the first call is made."""
        self._key = api_key if isinstance(api_key, SecretStr) else SecretStr(api_key or "")
        self._base_url = base_url

    @property
    def capabilities(self) -> Capabilities:
        """Declare an ability only together with its methods."""
        return Capabilities(methods=frozenset({"sft"}), settings=frozenset({"num_train_epochs"}), tag="metadata", settle_s=150.0)

    @property
    def account(self) -> str:
        """Name whose jobs these are: an organisation, a project, a resource. The same for every key of it, and no secret."""
        return self._base_url

    def submit(self, order: Order) -> RemoteJob:
        """Refuse what cannot work, then make one create call that carries `order.ref` (and `order.spec_hash`) as its tag."""
        raise NotImplementedError("submit: one create call, tagged with order.ref")

    def find(self, order: Order) -> Found:
        """List jobs, keep those whose tag is `order.ref`, and say whether all pages were seen."""
        raise NotImplementedError("find: the jobs whose tag is order.ref")

    def poll(self, job_id: str) -> Snapshot:
        """Ask for the job once; `status_of` maps its word; on success give the model."""
        raise NotImplementedError("poll: one observation of a job")

    def cancel(self, job_id: str) -> None:
        """Ask for the end; a provider's refusal because the job has ended is no error."""
        raise NotImplementedError("cancel: ask for the end of a job")

    def translate(self, error: Exception) -> AnytuneError | None:  # noqa: ARG002 - to be written
        """Turn what the HTTP status does not tell into our errors: no credit is `QuotaExceeded`, a closed door `FineTuningUnavailable`."""
        return None
