"""The backend itself: OpenAI's wire at a resource in Azure, and deployments through Azure Resource Manager."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from pydantic import SecretStr

from anytune import catalog
from anytune.backend import Ability, Capabilities
from anytune.errors import NotFound, Rejected, Unsupported
from anytune.retry import translated
from anytune.values import Address, Quote
from anytune_azure import check
from anytune_azure.arm import Arm
from anytune_azure.deployments import CAPACITY, SKU, SKUS, Hosts, checked_capacity
from anytune_azure.identity import ARM_SCOPE, DATA_SCOPE
from anytune_azure.places import name_in, placed, warn_of_short_tokens
from anytune_azure.settings import resolve, word
from anytune_azure.words import AZURE
from anytune_openai import SETTINGS, Connection, WireBackend
from anytune_openai.address import probe

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from anytune.backend import DeployOrder, Order, RemoteDeployment
    from anytune.spec import TrainingSpec
    from anytune.values import DataStats, Finding, LocalFile, ModelRef

__all__ = ["AzureBackend"]

_ABILITIES: frozenset[Ability] = frozenset(
    {
        "upload", "events", "metrics", "checkpoints", "pause", "resume", "delete_model", "deploy", "continue", "list_jobs",
        "list_deployments", "poll_many", "recipe",
    }
)  # fmt: skip


class AzureBackend(WireBackend):
    """Trains in a resource of Azure OpenAI (Microsoft Foundry), and hosts what it trained there.

    The data plane takes the resource's key or a token of Entra ID; deployments always take a token. Without any of them
    `DefaultAzureCredential` logs in: environment, managed identity, `az login`, ….

    Args:
        endpoint: `https://RESOURCE.openai.azure.com`; else AZURE_OPENAI_ENDPOINT.
        api_key: The resource's key; else AZURE_OPENAI_API_KEY, unless `token` or `credential` is given.
        token: A token of the data plane, or a callable that gives one for each request; else AZURE_OPENAI_AD_TOKEN.
        credential: For both planes: anything with azure-core's `get_token`, or a callable that is given a scope and gives a token.
        scope: Audience of the data plane's tokens; older resources may want `https://cognitiveservices.azure.com/.default`.
        training_type: `GlobalStandard`, `Standard`, `DataZoneStandard` or `Developer`; None leaves the choice to Azure.
        subscription_id: Where deployments are made; else AZURE_SUBSCRIPTION_ID.
        resource_group: The same; else AZURE_RESOURCE_GROUP.
        account_name: The resource's name; else AZURE_OPENAI_ACCOUNT, else the first part of the endpoint's host.
        sku: The kind of deployments that name none.
        capacity: Their thousands of tokens a minute.
        arm_url: Address of the management plane; else AZURE_ARM_URL, else the public cloud's.
        arm_token: A token of the management plane, or a callable that gives one; else AZURE_ARM_TOKEN, else `credential`.
        arm_scope: Audience of the management plane's tokens, where `credential` gives them.
        timeout_s: Seconds for one answer; 600 for chats and uploads.
        settle_s: Seconds that a listing may lag behind a create; `timeout_s` and 120 by default.

    Raises:
        ConfigError: A setting is missing or wrong; the text names it.
    """

    name: ClassVar[str] = "azure"

    def __init__(
        self,
        *,
        endpoint: str | None = None,
        api_key: str | SecretStr | None = None,
        token: str | SecretStr | Callable[[], str] | None = None,
        credential: Any = None,
        scope: str = DATA_SCOPE,
        training_type: str | None = None,
        subscription_id: str | None = None,
        resource_group: str | None = None,
        account_name: str | None = None,
        sku: str = SKU,
        capacity: int = CAPACITY,
        arm_url: str | None = None,
        arm_token: str | SecretStr | Callable[[], str] | None = None,
        arm_scope: str = ARM_SCOPE,
        timeout_s: float = 60.0,
        settle_s: float | None = None,
    ) -> None:
        """Settle who asks and where; nothing is asked yet."""
        self.settings = resolve(
            endpoint=endpoint,
            api_key=api_key,
            token=token,
            credential=credential,
            scope=scope,
            arm_token=arm_token,
            arm_url=arm_url,
            arm_scope=arm_scope,
            target={"subscription_id": subscription_id, "resource_group": resource_group, "account_name": account_name},
            training_type=training_type,
            sku=SKUS[word(sku, SKUS, "sku")],
            capacity=checked_capacity(capacity),
        )
        super().__init__(
            Connection(base_url=self.settings.base_url, key=self.settings.credential, timeout_s=timeout_s), AZURE, settle_s=settle_s
        )
        self._arm: Arm | None = None
        self._hosts: Hosts | None = None

    @property
    def capabilities(self) -> Capabilities:
        """What it can do; a model's own limits stand in the catalogue."""
        return Capabilities(
            methods=frozenset({"sft", "dpo", "rft"}),
            settings=SETTINGS - {"report_to"},
            abilities=_ABILITIES,
            tag="suffix",
            settle_s=self.settle_s,
            min_rows=10,
            dialect="azure",
        )

    @property
    def account(self) -> str:
        """The resource, by its endpoint's host."""
        return self.settings.account

    @property
    def catalog(self) -> str | None:
        """Microsoft's public cloud alone: its rules and prices say nothing of other hosts."""
        return "azure" if self.settings.public else None

    def check(self, spec: TrainingSpec, data: Sequence[LocalFile]) -> list[Finding]:
        """Look at the model, the settings and what the resource still takes."""
        return check.findings(self, spec, data)

    def quote(self, spec: TrainingSpec, stats: DataStats) -> Quote:
        """Give what the catalogue knows, hosting by the sku that this backend is set to; no rules of Microsoft's hold for other hosts."""
        if self.catalog is None:
            return Quote()
        model, epochs = spec.model_for(spec.backend, self.name), spec.method.num_train_epochs
        chosen = epochs if isinstance(epochs, (int, float)) else None
        return catalog.quote(self.catalog, model, spec.method.type, stats, epochs=chosen, sku=self.settings.sku) or Quote()

    def extras(self, order: Order) -> dict[str, Any]:  # noqa: ARG002 - the wire's hook
        """Send what OpenAI's protocol has no word for."""
        return {"trainingType": self.settings.training_type} if self.settings.training_type else {}

    def address(self, model: ModelRef) -> NoReturn:
        """Refuse: in Azure a tuned model answers through a deployment only."""
        fix = "Deploy it: `job.result().deploy()` or `anytune deploy JOB --ttl 1h`; it then answers under the deployment's name."
        raise Unsupported(f"{model.id} answers in Azure through a deployment only.", fix=fix, backend=self.name)

    def deploy(self, order: DeployOrder) -> RemoteDeployment:
        """Make the deployment; asking again gives the same one."""
        warn_of_short_tokens(self.settings, order.ttl_s)
        return placed(self.hosts.deploy(order), self.settings)

    def poll_deployment(self, deployment_id: str) -> RemoteDeployment:
        """Look once; a new deployment is `ready` when it has answered one question of one token, an older one without."""
        return placed(self.hosts.poll(name_in(deployment_id, self.settings)), self.settings)

    def undeploy(self, deployment_id: str) -> None:
        """Ask for its end; Azure says 404 once it is gone, and bills until then."""
        self.hosts.undeploy(name_in(deployment_id, self.settings))

    def list_deployments(self) -> list[RemoteDeployment]:
        """Give the deployments of the resource that anytune made."""
        return [placed(one, self.settings) for one in self.hosts.ours()]

    def delete_model(self, model: ModelRef) -> None:
        """Delete a tuned model; one that is deployed cannot be deleted."""
        try:
            super().delete_model(model)
        except Exception as error:
            ours = translated(error, self)
            hosts = [] if isinstance(ours, NotFound) or self.settings.missing else self.hosts.serving(model.id)
            if not hosts:
                raise
            message = f"{model.id} cannot be deleted while it is deployed as {', '.join(hosts)}."
            fix = f"Stop it first: `anytune deployments stop {hosts[0]}`, or delete it in the portal if it is not anytune's."
            raise Rejected(message, fix=fix, backend=self.name) from error

    @property
    def hosts(self) -> Hosts:
        """The resource's deployments.

        Raises:
            ConfigError: It is not known in which subscription and group the resource lies.
        """
        if self._hosts is None:
            target = self.settings.whole_target()
            self._arm = Arm(
                self.settings.arm_url,
                self.settings.arm,
                target,
                timeout_s=self.connection.timeout_s,
                transport=self.connection.transport,
            )
            self._hosts = Hosts(
                self._arm,
                address=self._deployed,
                probe=self._probe,
                sku=self.settings.sku,
                capacity=self.settings.capacity,
            )
        return self._hosts

    def _probe(self, name: str) -> None:
        """Ask a deployment one question; what else than a 404 keeps it from answering is for core to translate."""
        from openai import NotFoundError  # noqa: PLC0415 - loaded with the client

        try:
            probe(self.client, name)
        except NotFoundError as error:
            raise NotFound(f"Deployment {name} does not answer yet.", fix="Wait some minutes.", backend=self.name) from error

    def _deployed(self, name: str) -> Address:
        opens = self.settings.credential
        where = {"credential": opens} if isinstance(opens, SecretStr) else {"token": opens}
        return Address(base_url=self.settings.base_url, model=name, **where)

    def close(self) -> None:
        """Give back connections to both planes."""
        super().close()
        if self._arm is not None:
            self._arm.close()
