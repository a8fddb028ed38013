"""Who is asked: the spec's models as endpoints. Each host is begun once, all of them at once, and all are taken down at the end."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pydantic import SecretStr

from anytune.errors import AnytuneError, AuthError, ConfigError, NotFound
from anytune.evaluation.money import prices_of
from anytune.infer import Endpoint
from anytune.job import FineTuneJob
from anytune.model import TunedModel
from anytune.runtime import Runtime, runtime
from anytune.values import Address, ModelRef

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from anytune.deploy import Deployment
    from anytune.evaluation.money import Tariff
    from anytune.evaluation.spec import Model

__all__ = ["Hosts", "job_of", "tuned"]

TTL_S = 4 * 3600.0
"""Seconds after which a host is taken down should this program die; it takes hosts down itself as soon as all is asked."""


class Hosts:
    """The models of a spec by their words, as a context manager.

    Args:
        models: The spec's `models`.
        context: Ledger, retries and clock; the process's own by default.
        name: What deployments are called, before the model's word.
    """

    def __init__(self, models: Mapping[str, Model], *, context: Runtime | None = None, name: str = "evaluation") -> None:
        """Keep the parts; nothing is begun."""
        self._models = dict(models)
        self._context = context or runtime()
        self._name = name
        self._deployed: dict[str, Deployment] = {}
        self._endpoints: dict[str, Endpoint] = {}
        self._lock = threading.RLock()

    def __enter__(self) -> Self:
        """Give itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close connections and take hosts down; one that cannot be taken down keeps no other one up."""
        for endpoint in self._endpoints.values():
            endpoint.close()
        troubles: list[AnytuneError] = []
        for word in list(self._deployed):
            try:
                self.end(word)
            except AnytuneError as error:
                troubles.append(error)
        if troubles:
            raise troubles[0]

    def begin(self, words: Iterable[str]) -> None:
        """Ask for all hosts at once: each then starts while the others do."""
        with self._lock:
            for word in words:
                if word not in self._deployed and word not in self._endpoints and self.model(word).base_url is None:
                    model = tuned(self.model(word), self._context)
                    options: dict[str, Any] = dict(self.model(word).deploy)
                    self._deployed[word] = model.deploy(ttl_s=TTL_S, name=self._called(word), **options)

    def endpoint(self, word: str) -> Endpoint:
        """Give the endpoint of a model; waits until its host answers.

        Raises:
            ConfigError: There is no such model in the spec.
            AuthError: Its key is not set.
            BackendError: Its host refused, or never answered.
        """
        with self._lock:
            if word not in self._endpoints:
                self._endpoints[word] = self._opened(word)
            return self._endpoints[word]

    def model(self, word: str) -> Model:
        """Give what the spec says of a model.

        Raises:
            ConfigError: There is no such model in the spec.
        """
        if word not in self._models:
            raise ConfigError(f"{word!r} is none of `models`: {', '.join(sorted(self._models)) or 'none'}.", fix="Add it to `models`.")
        return self._models[word]

    def identity(self, word: str) -> str:
        """Give the id of what is asked, which changes where a job of the same name has produced another model."""
        model = self.model(word)
        return str(model.model) if model.base_url is not None else tuned(model, self._context).id

    def label(self, word: str) -> str:
        """Say for people what is asked: a job by its name and id, a folder by its last part, anything else by its id."""
        model = self.model(word)
        job = job_of(model, self._context)
        if job is not None:
            return f"{job.name} ({job.id})" + (f" at step {model.checkpoint}" if model.checkpoint is not None else "")
        return Path(str(model.model)).name if str(model.model).startswith(("/", ".", "~")) else str(model.model)

    def tariff(self, word: str) -> Tariff:
        """Give the prices of a model; by the hour as far as its host has said it."""
        model, deployment = self.model(word), self._deployed.get(word)
        hourly_usd = deployment.hourly_usd if deployment is not None else self._earlier_usd(word)
        served = None if model.base_url is not None else tuned(model, self._context)
        return prices_of(model, word, self._context, served=served, hourly_usd=hourly_usd)

    def keep(self, words: Iterable[str]) -> None:
        """Take hosts of checkpoints down that were tried and not chosen."""
        kept = set(words)
        for word in [word for word in self._deployed if "@" in word and word not in kept]:
            self.end(word)

    def end(self, word: str) -> None:
        """Take the host of a model down, if it has one."""
        with self._lock:
            deployment = self._deployed.pop(word, None)
            self._endpoints.pop(word, None)
        if deployment is not None:
            deployment.stop()

    def _earlier_usd(self, word: str) -> float | None:
        """Give what the host cost an hour when it was there: a later run that has all answers begins none."""
        name = self._called(word)
        rows = [row for row in self._context.ledger.deployments(live=False) if row.name == name and row.hourly_usd is not None]
        return max(rows, key=lambda row: row.created_at).hourly_usd if rows else None

    def _called(self, word: str) -> str:
        return f"{self._name}-{word}"[:60]

    def _opened(self, word: str) -> Endpoint:
        model = self.model(word)
        if model.base_url is not None:
            return Endpoint(
                Address(base_url=model.base_url, model=str(model.model), credential=_key(word, model)), retry=self._context.retry
            )
        self.begin([word])
        return self._deployed[word].wait()


def job_of(model: Model, context: Runtime) -> FineTuneJob | None:
    """Give the job that a model of the spec comes from; None where it names none.

    Raises:
        NotFound: There is no such job.
        ConfigError: Several backends have one of this name.
    """
    if model.job is None:
        return None
    try:
        return FineTuneJob.get(model.job, context=context)
    except ConfigError:
        if model.backend is None:
            raise
        return FineTuneJob.get(f"{model.job}@{model.backend.partition('@')[0]}", context=context)


def tuned(model: Model, context: Runtime) -> TunedModel:
    """Give a model of the spec as one that can be deployed.

    Raises:
        NotFound: The job has no such checkpoint, or there is no such folder.
        JobFailed: The job has no model.
    """
    job = job_of(model, context)
    if job is None:
        backend, word = str(model.backend), str(model.model)
        local = word == "starter" or word.startswith(("/", ".", "~"))
        return TunedModel.from_path(word, backend=backend, context=context) if local else TunedModel.from_id(backend, word, context=context)
    result = job.result()
    if model.checkpoint is None:
        return result
    saved = {checkpoint.step: checkpoint for checkpoint in job.checkpoints()}
    if model.checkpoint not in saved:
        known = ", ".join(map(str, sorted(saved))) or "none"
        raise NotFound(f"Job {job.name!r} has no checkpoint of step {model.checkpoint}.", fix=f"It has: {known}.", job_id=job.id)
    ref = ModelRef(id=saved[model.checkpoint].model, base_model=result.base_model)
    return TunedModel(ref, backend=result.backend_name, job_id=job.id, context=context)


def _key(word: str, model: Model) -> SecretStr | None:
    if model.api_key_env is None:
        return None
    found = os.environ.get(model.api_key_env, "")
    if not found:
        raise AuthError(f"{model.api_key_env} is not set: model {word!r} takes its key from there.", fix=f"export {model.api_key_env}=…")
    return SecretStr(found)
