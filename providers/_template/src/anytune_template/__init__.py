"""A backend for anytune: say here what trains, where, and what it needs."""

from anytune_template.backend import TemplateBackend

__all__ = ["TemplateBackend"]
