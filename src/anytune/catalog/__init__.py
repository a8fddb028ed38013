"""What hosts take, charge and announce, as dated data files: rules for checks, findings about methods and closing days, quotes.

The files lie beside this module, one a host; `anytune.catalog.files` says how a newer copy replaces one. A backend without a file is
unknown here: no rules, no findings, no quote. Whoever points a backend's wire at another host (an OpenAI-compatible tuner) must not ask
under the backend's name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from anytune.lazy import loader

if TYPE_CHECKING:
    from anytune.catalog.files import Opened, hosts, opened
    from anytune.catalog.lifecycle import Other, answers_until, findings, others
    from anytune.catalog.names import base_of
    from anytune.catalog.prices import Hosting, Rate, auto_epochs, hosting, quote, rate
    from anytune.catalog.targets import rules

__all__ = [
    "Hosting",
    "Opened",
    "Other",
    "Rate",
    "answers_until",
    "auto_epochs",
    "base_of",
    "findings",
    "hosting",
    "hosts",
    "opened",
    "others",
    "quote",
    "rate",
    "rules",
]

_HOMES = {
    "Hosting": "anytune.catalog.prices",
    "Opened": "anytune.catalog.files",
    "Other": "anytune.catalog.lifecycle",
    "answers_until": "anytune.catalog.lifecycle",
    "Rate": "anytune.catalog.prices",
    "auto_epochs": "anytune.catalog.prices",
    "base_of": "anytune.catalog.names",
    "findings": "anytune.catalog.lifecycle",
    "hosting": "anytune.catalog.prices",
    "hosts": "anytune.catalog.files",
    "opened": "anytune.catalog.files",
    "others": "anytune.catalog.lifecycle",
    "quote": "anytune.catalog.prices",
    "rate": "anytune.catalog.prices",
    "rules": "anytune.catalog.targets",
}

__getattr__ = loader(__name__, _HOMES)
