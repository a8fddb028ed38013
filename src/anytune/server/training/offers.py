"""Names that clients may ask for, and where they lead to."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

from anytune import catalog, plugins, profiles
from anytune.errors import BackendMissing, ConfigError
from anytune.methods import DPO, SFT
from anytune.server.config import Target
from anytune.server.errors import ApiError, unknown_model
from anytune.server.training import backends
from anytune.server.training.orders import METHODS, defaults
from anytune.settings import nearest

if TYPE_CHECKING:
    from anytune.backend import Backend
    from anytune.runtime import Runtime
    from anytune.server.config import ServeConfig

__all__ = ["Offers"]

_log = logging.getLogger(__name__)

_PASSED_ON = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}(/[A-Za-z0-9][A-Za-z0-9._-]{0,127})?")
"""A hosted backend's own names of models that may be asked for where the owner lists none: no paths, and no `ft:` of somebody's."""

_STARTER = "starter"
"""The one model that a local backend offers without the owner's word: every other name could be a folder of this machine."""


class Offers:
    """The base models of one server.

    Args:
        config: What its owner decided.
        context: Holds the backends once they are set up.
    """

    def __init__(self, config: ServeConfig, context: Runtime) -> None:
        """Keep the parts; no backend is set up yet."""
        self.config, self.context = config, context

    def check(self) -> None:
        """Look at what the owner wrote, without setting any backend up.

        Raises:
            ConfigError: A model names a backend that is not installed, or a setting that no method has.
        """
        installed, own = plugins.installed(), profiles.profiles()
        for word in {self.config.backend, *(target.backend for target in self.config.models.values() if target.backend)}:
            if word not in own and profiles.backend_of(word) not in installed and word not in self.context.backends:
                there = [*own, *installed]
                said = f"No backend {word!r} is installed; there is: {', '.join(there) or 'none'}."
                raise BackendMissing(said, fix=plugins.advice(word, there))
        for name, target in self.config.models.items():
            _check_settings(name, target)

    def names(self) -> list[str]:
        """Give the names that are offered, as far as they can be listed: a hosted backend's own cannot."""
        if self.config.models:
            return list(self.config.models)
        return [_STARTER] if self.backend(self.config.backend).capabilities.local else []

    def target(self, name: str) -> Target:
        """Give where a name leads to, with `backend` and `model` filled in.

        Raises:
            ApiError: 404: it is not offered.
        """
        models = self.config.models
        found = models.get(name) if models else Target() if self._passes(name) else None
        if found is None:
            raise unknown_model(name)
        return found.model_copy(update={"backend": found.backend or self.config.backend, "model": found.model or name})

    def backend(self, word: str) -> Backend:
        """Give a backend, set up once as the owner said.

        Raises:
            ApiError: 503: it cannot be set up, which is the owner's to mend.
        """
        try:
            return backends.backend(self.context, word, backends.options(self.config, word))
        except (BackendMissing, ConfigError) as error:
            _log.error("backend %s cannot be set up: %s %s", word, error.message, error.fix)
            said = f"The backend {word!r} of this server cannot be used. Its owner finds the reason in the server's log."
            raise ApiError(503, said, code="backend_unavailable") from error

    def _passes(self, name: str) -> bool:
        if self.backend(self.config.backend).capabilities.local:
            return name == _STARTER
        return _PASSED_ON.fullmatch(name) is not None and catalog.base_of(name) is None


def _check_settings(name: str, target: Target) -> None:
    known = {word for cls in METHODS.values() for word in (*cls.model_fields, *cls.aliases)} - {"type", "grader"}
    for key in target.hyperparameters:
        if key not in known:
            guess = nearest(key, sorted(known))
            raise ConfigError(
                f"Model {name!r} sets `{key}`, which no method has.", fix=f"Did you mean `{guess}`?" if guess else "Remove it."
            )
    for cls in (SFT, DPO):
        cls(**defaults(cls, target))
