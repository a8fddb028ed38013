"""The result of tuning: a model that can be deployed, or trained further."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from anytune.errors import ConfigError, NotFound
from anytune.runtime import Runtime, runtime
from anytune.values import ModelRef

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anytune.backend import Backend
    from anytune.deploy import Deployment
    from anytune.values import Pushed

__all__ = ["TunedModel"]

DEFAULT_TTL_S = 3600.0
"""A deployment that nobody stops is gone after an hour."""


class TunedModel:
    """A model and who can host it.

    `FineTuneJob.wait` gives one; `from_id` and `from_path` take in models that anytune did not make. As `model=` of another job it is
    trained further.

    Args:
        ref: What was produced.
        backend: A backend's name, a profile, or a backend that is set up.
        job_id: The job that made it, where anytune knows it.
        context: Ledger, retries and clock; the process's own by default.
    """

    def __init__(self, ref: ModelRef, *, backend: str | Backend, job_id: str | None = None, context: Runtime | None = None) -> None:
        """Keep the parts; nothing is looked up."""
        self.ref = ref
        self.job_id = job_id
        self._word = backend
        self._context = context or runtime()

    def __repr__(self) -> str:
        """Show the id and the base."""
        return f"TunedModel({self.id!r}, base_model={self.base_model!r}, backend={self.backend_name!r})"

    @classmethod
    def from_id(cls, backend: str | Backend, model_id: str, *, base_model: str | None = None, context: Runtime | None = None) -> TunedModel:
        """Take in a hosted model by its id, such as `ft:gpt-4.1-mini-2025-04-14:org:name:abc12345`.

        Args:
            backend: Who hosts it.
            model_id: Its id there.
            base_model: What was tuned; by default what the id itself says, where it does.
            context: Ledger, retries and clock; the process's own by default.
        """
        if base_model is None:
            from anytune.catalog import base_of  # noqa: PLC0415 - reads YAML, which other ways to a model do not need

            base_model = base_of(model_id)
        return cls(ModelRef(id=model_id, base_model=base_model), backend=backend, context=context)

    @classmethod
    def from_path(cls, path: str | Path, *, backend: str | Backend = "trl", context: Runtime | None = None) -> TunedModel:
        """Take in a model's folder (weights as safetensors, tokenizer, config), or `starter`.

        Raises:
            NotFound: The folder does not exist.
        """
        if str(path) == "starter":
            return cls(ModelRef(id="starter"), backend=backend, context=context)
        folder = Path(path).expanduser().resolve()
        if not folder.is_dir():
            raise NotFound(f"There is no folder {folder}.", fix="Give the folder that holds config.json and the weights.")
        artifacts = {
            kind: str(found) for kind, name in (("parity", "parity.json"), ("card", "README.md")) if (found := folder / name).is_file()
        }
        return cls(ModelRef(id=str(folder), artifacts={"merged": str(folder), **artifacts}), backend=backend, context=context)

    @property
    def id(self) -> str:
        """A hosted model's id, or the absolute path of a local one."""
        return self.ref.id

    @property
    def base_model(self) -> str | None:
        """What was tuned."""
        return self.ref.base_model

    @property
    def artifacts(self) -> dict[str, Path]:
        """Local files and folders by kind (`merged`, `adapter`, `card`, `parity`); empty for hosted models."""
        return {kind: Path(path) for kind, path in self.ref.artifacts.items()}

    @property
    def backend_name(self) -> str:
        """The backend's name, or the profile it was given by."""
        return self._word if isinstance(self._word, str) else self._word.name

    @property
    def backend(self) -> Backend:
        """The backend, set up."""
        return self._context.backend(self._word)

    def deploy(
        self, *, ttl_s: float = DEFAULT_TTL_S, name: str | None = None, adapters: Mapping[str, TunedModel] | None = None, **options: Any
    ) -> Deployment:
        """Start a host for the model; used as a context manager it gives the endpoint and takes the host down at the end.

        Args:
            ttl_s: Seconds after which the host is taken down, whatever happens to this program.
            name: A word for people; the model's own by default.
            adapters: Tuned models whose base this one is, by the name that requests send as `model`: they share the host with it, and with
                each other (`endpoint.chat(…, model=name)`).
            options: The backend's own words (sku, capacity, flavor, …).

        Raises:
            NotFound: Files of a model are missing.
            Unsupported: The backend hosts nothing and the model is not served already; or `adapters` cannot share a host there.
        """
        from anytune.deploy import Deployment  # noqa: PLC0415 - deploy stands beside this module, and imports it

        return Deployment.start(self, ttl_s=ttl_s, name=name, options=options, adapters=adapters, context=self._context)

    def push(
        self,
        repo: str,
        *,
        private: bool = True,
        adapter: bool = False,
        replace: bool = False,
        branch: str | None = None,
        message: str = "",
    ) -> Pushed:
        """Publish the model, with its card, in a repository of a hub. The same again changes nothing.

        Args:
            repo: `owner/name`; it is made where it does not exist.
            private: Only those whom the owner lets in can read it. False makes a new repository public, and never an existing one.
            adapter: The adapter alone, which is small and needs its base, instead of the merged weights.
            replace: Take the place of another model that the repository holds.
            branch: Where the commit goes; the main branch by default.
            message: Of the commit.

        Raises:
            ConfigError: `repo` is no `owner/name`.
            NotFound: Files of the model are missing, or it has no adapter where that was asked for.
            Rejected: The repository holds another model, or is public and should not be.
            Unsupported: The backend publishes nothing.
        """
        from anytune.backend import PushOrder  # noqa: PLC0415 - pydantic's models are built on first use

        try:
            to = PushOrder(repo=repo, private=private, adapter=adapter, replace=replace, branch=branch, message=message)
        except ValueError:
            raise ConfigError(f"{repo!r} is no repository.", fix="Give it as `owner/name`.") from None
        return self._context.retry.write(lambda: self.backend.push(self.ref, to), backend=self.backend)

    def delete(self) -> None:
        """Delete the model at its backend, for good.

        Raises:
            Unsupported: The backend cannot.
        """
        self._context.retry.write(lambda: self.backend.delete_model(self.ref), backend=self.backend)
