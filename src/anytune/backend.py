"""The contract between core and whatever trains: values that cross it, and the class that a backend subclasses.

A backend is sync and returns values. Core owns validation, the loop, sleeping, retrying, state and logging: a backend makes exactly the one
call it was asked for, and vendor retries are off. `docs/reference/backend-contract.md` numbers what the conformance suite checks.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NoReturn

from pydantic import Field

from anytune.errors import AnytuneError, Unsupported
from anytune.spec import TrainingSpec
from anytune.values import Address, DataStats, Finding, LocalFile, ModelRef, Pushed, Quote, Recipe, Snapshot, Status, Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from anytune.values import Checkpoint, Event, Metric, Rendered

__all__ = [
    "CONTRACT_VERSION", "Ability", "Backend", "Capabilities", "DataStats", "DeployOrder", "Found", "LocalFile", "Order", "PushOrder",
    "Pushed", "Recipe", "RemoteDeployment", "RemoteFile", "RemoteJob",
]  # fmt: skip

CONTRACT_VERSION = 1
"""Major version of this contract; a plugin that declares another one is refused by name."""

Ability = Literal[
    "upload", "events", "metrics", "checkpoints", "pause", "resume", "delete_model", "deploy", "continue", "render", "probe",
    "list_jobs", "list_deployments", "adapters", "push", "poll_many", "recipe",
]  # fmt: skip
"""What a backend may be able to do beside the four musts. `continue`: a tuned model can be trained further.
`render`: rows can be shown as the model will see them. `probe`: a quote can be measured by a few real steps.
`list_jobs`, `list_deployments`: what the account holds can be listed, also what another ledger made.
`adapters`: one host answers for a base and for several adapters of it (`DeployOrder.adapters`).
`push`: a tuned model can be published in a repository of a hub.
`poll_many`: many jobs can be observed by fewer requests than there are jobs.
`recipe`: what a job was made of can be read back, its data files too."""


class Capabilities(Value):
    """What a configured backend can do: the single truth for docs, refusals and the conformance suite.

    Attributes:
        methods: Types of methods (`sft`, `dpo`, `orpo`, `reward`, `clm`, `rft`).
        adapters: Types of adapters; empty where the host decides alone.
        settings: Dotted names of the settings that it has a word for; others are listed as lost.
        abilities: What it can do beside the musts; everything else is refused with `Unsupported`.
        tag: Where `order.ref` is put so that `find` sees it: `metadata`, `suffix`, `label`, or `key` where the ref is the job's own id.
        settle_s: Seconds that a listing may lag behind a create; an empty listing proves nothing before.
        local: Jobs run on this machine, under the agent.
        min_rows: Fewest training rows that are accepted.
        dialect: How its data files are written (`anytune.data.formats` lists them): core writes them so before `upload`.
        keeps_ttl: Hosts end at their TTL whatever happens to callers; where this is False, core's own watch ends them.
        scripted: It only pretends: nothing is trained, nobody is billed, and looking at a job costs nothing.
        learns: What of a conversation the loss is on: the assistant's turns, or `all` tokens, questions too.
    """

    methods: frozenset[str]
    adapters: frozenset[str] = frozenset()
    settings: frozenset[str] = frozenset()
    abilities: frozenset[Ability] = frozenset()
    tag: Literal["metadata", "suffix", "label", "key"]
    settle_s: float = Field(ge=0)
    local: bool = False
    min_rows: int = 1
    dialect: str = "anytune"
    keeps_ttl: bool = False
    scripted: bool = False
    learns: Literal["answers", "all"] = "answers"


class RemoteFile(Value):
    """A file that the backend holds; `id` is the backend's."""

    id: str
    sha256: str
    size_bytes: int


class Order(Value):
    """One run, ready to be created.

    Attributes:
        ref: anytune's id of this attempt (a ULID): the tag to put on the remote job.
        ledger: Id of the ledger that ordered it.
        sequence: Place in the ledger; local queues run in this order.
        attempt: 1, 2, … for one name.
        name: The job's name.
        spec: The spec as the user wrote it.
        spec_hash: Its hash.
        model: The model's id, resolved for this backend.
        files: What `upload` gave, by role; empty where the backend has no `upload`.
        data: The local files by role.
    """

    ref: str
    ledger: str
    sequence: int
    attempt: int = 1
    name: str
    spec: TrainingSpec
    spec_hash: str
    model: str
    files: dict[str, RemoteFile] = Field(default_factory=dict)
    data: dict[str, LocalFile] = Field(default_factory=dict)


class RemoteJob(Value):
    """A job that exists at the backend; `ref`, `ledger`, `name` and `spec_hash` are None where it does not carry anytune's tag."""

    id: str
    ref: str | None = None
    ledger: str | None = None
    name: str | None = None
    spec_hash: str | None = None
    status: Status = Status.UNKNOWN
    created_at: datetime | None = None
    base_model: str | None = None
    resolved: dict[str, Any] = Field(default_factory=dict)
    raw: dict[str, Any] = Field(default_factory=dict)


class Found(Value):
    """An answer to `find`: `complete` is False where the view was cut short, so that absence proves nothing."""

    jobs: tuple[RemoteJob, ...]
    complete: bool


class DeployOrder(Value):
    """A model to be hosted.

    Attributes:
        ref: anytune's id of the deployment (a ULID); the remote name derives from it.
        ledger: Id of the ledger that ordered it.
        model: What to host; with `adapters`, the base of them all.
        name: A word for people.
        ttl_s: Seconds after which the host must be gone, also if nobody asks.
        options: The backend's own words (sku, flavor, …).
        adapters: Tuned models that share the host, by the name that requests send as `model`; their artifacts hold an `adapter`, or their
            id is the folder of one. The base answers to the address's own name. Empty where the ability `adapters` is not declared.
    """

    ref: str
    ledger: str = ""
    model: ModelRef
    name: str
    ttl_s: float
    options: dict[str, Any] = Field(default_factory=dict)
    adapters: dict[str, ModelRef] = Field(default_factory=dict)


class PushOrder(Value):
    """Where a tuned model is to be published, and how.

    Attributes:
        repo: `owner/name`.
        private: Make the repository private, or expect it so: a public one is refused then. False makes a new one public, and never an
            existing one.
        adapter: The adapter alone instead of the merged weights.
        replace: Take the place of another model that the repository holds.
        branch: Where the commit goes, made where it does not exist; None: the repository's main branch.
        message: Of the commit; empty: the backend's own words.
    """

    repo: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*$")
    private: bool = True
    adapter: bool = False
    replace: bool = False
    branch: str | None = None
    message: str = ""


class RemoteDeployment(Value):
    """One observation of a host.

    Attributes:
        id: The backend's id.
        state: `failed` may still cost money until `undeploy`; `gone` means confirmed gone.
        address: Where it answers, once ready.
        hourly_usd: What it costs, 0 for one's own machine, None where it is not known.
        error: Why it failed.
        ref: The `DeployOrder.ref` that it was made for, where it carries one.
        ledger: The `DeployOrder.ledger` that it was made for, where it carries one.
        model: Id of the model that it hosts, where the backend says so.
    """

    id: str
    state: Literal["starting", "ready", "failed", "stopping", "gone", "unknown"]
    address: Address | None = None
    hourly_usd: float | None = None
    error: str = ""
    ref: str | None = None
    ledger: str | None = None
    model: str | None = None
    raw: dict[str, Any] = Field(default_factory=dict)


class Backend(ABC):
    """What trains. Subclass it, name it, and announce the class under the entry-point group `anytune.backends`.

    The constructor's keyword arguments are the backend's settings: they come from code or from a profile in anytune.toml.
    """

    name: ClassVar[str]
    contract_version: ClassVar[int] = CONTRACT_VERSION

    max_concurrent: int | None = None
    """Jobs of this account that may be live at one time: core lets more wait in the ledger. A profile sets it; None is no limit."""

    @property
    @abstractmethod
    def capabilities(self) -> Capabilities:
        """What this configured instance can do."""

    @property
    def account(self) -> str:
        """Whose jobs these are: with the name it is a job's key. No secret, and the same for every key of one account."""
        return "default"

    @property
    def catalog(self) -> str | None:
        """Under which name `anytune.catalog` knows this host's rules, prices and closing days; None where it speaks to another host."""
        return self.name

    @abstractmethod
    def submit(self, order: Order) -> RemoteJob:
        """Make exactly one create call, the last request of all, tagged with `order.ref`; a connection that nobody took made nothing.

        Raises:
            BackendError: `Rejected`, `AuthError`, … when nothing was created for certain; a `Transient` one when that is not known.
        """

    @abstractmethod
    def find(self, order: Order) -> Found:
        """List the jobs that carry `order.ref`, matched here and not only by the server's filter."""

    @abstractmethod
    def poll(self, job_id: str) -> Snapshot:
        """Observe a job once. A status without mapping is `Status.UNKNOWN`."""

    @abstractmethod
    def cancel(self, job_id: str) -> None:
        """Ask for the end of a job; asking again, or asking an ended one, is no error."""

    def diagnose(self) -> list[Finding]:
        """Say what `anytune doctor` shows of its surroundings: an environment of its own, or a token that is missing.

        Reads only, asks nobody over the network, takes under a second, and raises for nothing that it finds: an `error` keeps every job
        from running, a `warning` some, and `info` is good to know.
        """
        return []

    def check(self, spec: TrainingSpec, data: Sequence[LocalFile]) -> list[Finding]:  # noqa: ARG002 - a default
        """Find what this backend would refuse or silently change; reads only."""
        return []

    def quote(self, spec: TrainingSpec, stats: DataStats) -> Quote:  # noqa: ARG002 - a default
        """Say what a run will take; reads only."""
        return Quote()

    def render(self, spec: TrainingSpec, rows: Iterable[tuple[int, dict[str, Any]]], *, pieces: bool = True) -> Iterator[Rendered]:
        """Give rows as the model will see them in training, with what is learned of them.

        Args:
            spec: Model, method and settings.
            rows: Rows of anytune's own schemas, each with its line in the file.
            pieces: Give the text too; False gives counts alone, faster.

        Raises:
            DataError: The model's template refuses a row.
        """
        self._refuse("render", spec, rows, pieces)

    def probe(self, spec: TrainingSpec, data: Sequence[LocalFile]) -> Quote:
        """Refine the quote by a few real steps on the longest rows: no job, no money, and nothing kept of what was trained.

        Args:
            spec: Model, method and settings.
            data: The data files.

        Raises:
            AnytuneError: The steps failed, as the run would have; the text says why.
        """
        self._refuse("probe", spec, data)

    def upload(self, file: LocalFile) -> RemoteFile:
        """Send one file; core calls it once for the same bytes and account."""
        self._refuse("upload", file.path.name)

    def find_file(self, sha256: str) -> RemoteFile | None:  # noqa: ARG002 - a default
        """Look for a file by its hash, if the backend can."""
        return None

    def file_ready(self, file: RemoteFile) -> bool:  # noqa: ARG002 - a default
        """Tell whether an uploaded file can be trained on by now; core asks before it submits, and waits.

        Raises:
            NotFound: It is not there (any more): core sends it again.
            Rejected: The provider looked at it and refused it.
        """
        return True

    def list_jobs(self, limit: int = 100) -> list[RemoteJob]:
        """Give the account's jobs, newest first, whoever made them."""
        self._refuse("list_jobs", limit)

    def poll_many(self, job_ids: Sequence[str]) -> dict[str, Snapshot]:
        """Observe many jobs by as few requests as that takes. A job that is not in the answer was not seen, which says nothing of it."""
        self._refuse("poll_many", job_ids)

    def recipe(self, job_id: str) -> Recipe:
        """Say what a job was made of, whoever made it."""
        self._refuse("recipe", job_id)

    def download(self, file_id: str, path: Path) -> RemoteFile:
        """Write a file that the backend holds into `path`, byte by byte as it was sent, and give the hash and size of what was written."""
        self._refuse("download", file_id, path)

    def events(self, job_id: str, after: str | None = None) -> list[Event]:
        """Give the events after the cursor `after` (an event's id), oldest first."""
        self._refuse("events", job_id, after)

    def metrics(self, job_id: str, after: int | None = None) -> list[Metric]:
        """Give the metrics after step `after`, oldest first."""
        self._refuse("metrics", job_id, after)

    def checkpoints(self, job_id: str) -> list[Checkpoint]:
        """Give the checkpoints that exist, oldest first."""
        self._refuse("checkpoints", job_id)

    def pause(self, job_id: str) -> None:
        """Ask for a checkpoint and a stop that `resume` can undo."""
        self._refuse("pause", job_id)

    def resume(self, job_id: str) -> None:
        """Go on from the last checkpoint."""
        self._refuse("resume", job_id)

    def delete_model(self, model: ModelRef) -> None:
        """Delete what a run produced."""
        self._refuse("delete_model", model.id)

    def push(self, model: ModelRef, to: PushOrder) -> Pushed:
        """Publish a tuned model with its card: safetensors, tokenizer and config, and neither pickles nor what training left lying about.

        The same again makes no second repository, and no commit where nothing changed. A private repository stays private.

        Raises:
            NotFound: The model is not there, or has no adapter where that was asked for.
            Rejected: The repository holds another model (or something else) and `to.replace` is not set, or is public and should not be.
        """
        self._refuse("push", model.id, to.repo)

    def deploy(self, order: DeployOrder) -> RemoteDeployment:
        """Start a host for a model; the same `order.ref` again gives the same host."""
        self._refuse("deploy", order.ref)

    def poll_deployment(self, deployment_id: str) -> RemoteDeployment:
        """Observe a host once; `gone` only where the provider says that it does not exist."""
        self._refuse("deploy", deployment_id)

    def undeploy(self, deployment_id: str) -> None:
        """Ask for the end of a host; asking again is no error."""
        self._refuse("deploy", deployment_id)

    def list_deployments(self) -> list[RemoteDeployment]:
        """Give the hosts that carry anytune's mark and are not gone, whichever ledger made them: what may still cost money."""
        self._refuse("list_deployments")

    def address(self, model: ModelRef) -> Address:
        """Say where a model answers without a deployment of its own.

        Raises:
            NotFound: No such model answers; one that a job has just made may not answer yet.
        """
        self._refuse("address", model.id)

    def translate(self, error: Exception) -> AnytuneError | None:  # noqa: ARG002 - a default
        """Turn a vendor's exception into ours, or None to let core go by its HTTP status."""
        return None

    def close(self) -> None:
        """Give back connections; the instance is not used afterwards."""
        return

    def _refuse(self, verb: str, *_: object) -> NoReturn:
        raise Unsupported(
            f"Backend {self.name!r} cannot {verb.replace('_', ' ')}.",
            fix="`anytune backends` shows what each one can do.",
            backend=self.name,
        )
