"""What the owner of a server decides. Requests can change none of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, JsonValue, SecretStr, field_validator, model_validator

from anytune.errors import ConfigError
from anytune.preflight.allow import allowable
from anytune.server.hooks import addresses, signature
from anytune.settings import Settings
from anytune.spec import Adapter, Budget

__all__ = ["Limits", "ServeConfig", "Target", "Webhook"]

MIB = 2**20
GIB = 2**30


class Target(Settings):
    """Where a model's name leads to.

    Attributes:
        refused: Names that look like settings and are not.
    """

    refused: ClassVar = {"base_url": "Set up a profile in anytune.toml, and name it as `backend`."}

    backend: str | None = None
    """An installed backend or a profile; None takes the server's own."""
    model: str | None = None
    """The model's name there; None takes the name that was asked for."""
    hyperparameters: dict[str, JsonValue] = Field(default_factory=dict)
    """Settings of the method, by anytune's names, that hold where a request says nothing."""
    adapter: Adapter | None = None
    """Which weights are trained."""
    budget: Budget | None = None
    """What one job may take."""
    train: bool = True
    """Whether jobs may be made on it."""
    chat: bool = True
    """Whether it answers itself, untuned."""
    deploy: bool | None = None
    """Whether a host may be started for it and its tuned models on demand; None: where an hour costs nothing."""
    deploy_options: dict[str, JsonValue] = Field(default_factory=dict)
    """The backend's own words for a host."""


class Webhook(Settings):
    """An address that is told when jobs end."""

    url: str
    """Where to; https, unless `private` allows otherwise."""
    secret: SecretStr
    """Signs what is sent (`whsec_…`); `$NAME` takes the environment variable NAME."""
    owners: tuple[str, ...] | None = None
    """Whose jobs; None for everybody's."""
    private: bool = False
    """Allow http and addresses of the own network."""

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        addresses.place(self.url, private=self.private)
        return self

    @field_validator("secret")
    @classmethod
    def _from_environment(cls, secret: SecretStr) -> SecretStr:
        named = secret.get_secret_value()
        if named.startswith("$"):
            if named[1:] not in os.environ:
                raise ConfigError(
                    f"A webhook takes its `secret` from the environment variable {named[1:]}, which is not set.", fix=f"Set {named[1:]}."
                )
            secret = SecretStr(os.environ[named[1:]])
        signature.key_of(secret.get_secret_value())
        return secret


class Limits(Settings):
    """What one request or key may take; a key's own limits go first."""

    body_bytes: int = Field(default=16 * MIB, gt=0)
    """A JSON body."""
    file_bytes: int = Field(default=512 * MIB, gt=0)
    """A file sent at once."""
    upload_bytes: int = Field(default=8 * GIB, gt=0)
    """A file sent in parts."""
    part_bytes: int = Field(default=64 * MIB, gt=0)
    """One part."""
    requests_per_minute: int | None = Field(default=None, gt=0)
    """Of one key."""
    live_jobs: int | None = Field(default=None, gt=0)
    """Jobs of one owner that have not ended."""
    storage_bytes: int | None = Field(default=None, gt=0)
    """Files of one owner."""


class ServeConfig(Settings):
    """One server."""

    backend: str
    """Who trains where a model's entry says nothing else: an installed backend or a profile."""
    options: dict[str, Any] = Field(default_factory=dict, repr=False)
    """Arguments of that backend's constructor, beside its profile's."""
    models: dict[str, Target] = Field(default_factory=dict)
    """Names that clients may ask for. Without any, the backend's own names are taken."""
    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = Field(default=8080, ge=0, le=65535)
    """Port to listen on; 0 takes a free one."""
    allow_hosts: tuple[str, ...] = ()
    """Names under which clients reach the server, beside the loopback's and the address itself."""
    allow: tuple[str, ...] = ()
    """Codes of findings that shall not fail a job, although they are errors (docs/reference/findings.md), such as `leaked-rows`."""
    slots: int = Field(default=1, gt=0)
    """Jobs at a backend at the same time."""
    poll_s: float | None = Field(default=None, gt=0)
    """Seconds between two looks at a job; None: 1 for a local one, 5 growing to 30 for a hosted one."""
    idle_s: float = Field(default=600.0, gt=0)
    """Seconds without a question after which an engine is stopped."""
    engine_ttl_s: float = Field(default=24 * 3600.0, gt=0)
    """Seconds after which an engine ends, whatever becomes of the server; a used one is replaced."""
    answer_wait_s: float = Field(default=300.0, gt=0)
    """Seconds that a question waits for its engine to be ready; then it is told to come again (503)."""
    engines: int = Field(default=4, gt=0)
    """Engines at the same time; the one that was idle longest makes room."""
    organization: str = Field(default="anytune", pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")
    """The word in the names of tuned models."""
    webhooks: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")], Webhook] = Field(default_factory=dict)
    """Addresses that are told when jobs end, by a name of your own."""
    limits: Limits = Field(default_factory=Limits)
    """Sizes and rates."""
    faults: Path | None = None
    """What goes wrong: a YAML file, for the memory backend only."""
    home: Path | None = None
    """Folder of files; None for `server` in the state folder."""

    @field_validator("allow")
    @classmethod
    def _allowable(cls, codes: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(sorted(allowable(codes)))
