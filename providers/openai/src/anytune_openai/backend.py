"""The backend itself: OpenAI, or another host that speaks its fine-tuning protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import SecretStr

from anytune.backend import Ability, Capabilities
from anytune.errors import ConfigError
from anytune.values import Address
from anytune_openai import address, check
from anytune_openai.client import TIMEOUT_S, connection
from anytune_openai.dialect import OPENAI
from anytune_openai.settings import METHODS, SETTINGS, TAGS
from anytune_openai.wire import WireBackend

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from anytune.spec import TrainingSpec
    from anytune.values import Finding, LocalFile, ModelRef
    from anytune_openai.settings import Tag

__all__ = ["OpenAIBackend"]

_ABILITIES: frozenset[Ability] = frozenset(
    {"upload", "events", "metrics", "checkpoints", "pause", "resume", "delete_model", "continue", "list_jobs", "poll_many", "recipe"}
)

_MIN_ROWS = 10
"""OpenAI's guide to supervised fine-tuning, read 2026-11-22; a job with fewer fails as `invalid_n_examples`."""

_HOST = "api.openai.com"


class OpenAIBackend(WireBackend):
    """Trains at OpenAI. A tuned model answers there without a deployment.

    Every argument may come from a profile of anytune.toml; what is not given is taken from OpenAI's own environment names.

    Args:
        api_key: The key; else OPENAI_API_KEY.
        base_url: Another host that speaks the protocol, up to and including `/v1`; else OPENAI_BASE_URL, else OpenAI.
        organization: The organisation, where the key has several; else OPENAI_ORG_ID.
        project: The project, where the key has several; else OPENAI_PROJECT_ID.
        timeout_s: Seconds for one answer; 600 for chats and uploads.
        settle_s: Seconds that a listing may lag behind a create; `timeout_s` and 120 by default.
        tag: `metadata`, or `suffix` for a host that does not keep a job's metadata.
        integrations: What `report_to` needs to know: `{"wandb": {"project": …, "entity": …, "tags": […]}}`.

    Raises:
        ConfigError: There is no key, or a setting makes no sense.
    """

    name: ClassVar[str] = "openai"

    def __init__(
        self,
        *,
        api_key: str | SecretStr | None = None,
        base_url: str | None = None,
        organization: str | None = None,
        project: str | None = None,
        timeout_s: float = TIMEOUT_S,
        settle_s: float | None = None,
        tag: Tag = "metadata",
        integrations: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        """Settle the settings; nothing is asked yet."""
        if tag not in TAGS:
            raise ConfigError(f"`tag` is {tag!r}.", fix=f"It may be: {', '.join(TAGS)}.", backend=self.name)
        where = connection(api_key=api_key, base_url=base_url, organization=organization, project=project, timeout_s=timeout_s)
        own = where.host == _HOST or where.host.endswith(f".{_HOST}")
        words = OPENAI if own else OPENAI.model_copy(update={"host": where.host})
        super().__init__(where, words.model_copy(update={"tag": tag}), settle_s=settle_s, integrations=integrations)
        self._own = own
        self._answered: set[str] = set()

    @property
    def capabilities(self) -> Capabilities:
        """What it can do; a model's own limits stand in the catalogue."""
        return Capabilities(
            methods=frozenset(METHODS),
            settings=SETTINGS,
            abilities=_ABILITIES,
            tag=self.dialect.tag,
            settle_s=self.settle_s,
            min_rows=_MIN_ROWS,
            dialect="openai",
        )

    @property
    def catalog(self) -> str | None:
        """OpenAI's own hosts alone, those of its regions among them: its rules and prices say nothing of others."""
        return "openai" if self._own else None

    def check(self, spec: TrainingSpec, data: Sequence[LocalFile]) -> list[Finding]:
        """Hold the settings against the limits, look the model up, and see whether the account has tuned before."""
        return check.findings(self, spec, data)

    def address(self, model: ModelRef) -> Address:
        """Give where a model answers; one that was just made, once it has answered one question of one token."""
        if model.id not in self._answered:
            if not address.settled(self.client, model.id):
                address.probe(self.client, model.id)
            self._answered.add(model.id)
        where = self.connection
        key = where.key if isinstance(where.key, SecretStr) else None
        payers = {"OpenAI-Organization": where.organization, "OpenAI-Project": where.project}
        headers = {name: value for name, value in payers.items() if value}
        return Address(base_url=where.base_url, model=model.id, credential=key, headers=headers)
