"""A provider that takes files, trains and answers: all verbs together. What may differ is said in `home` and with the verbs."""

from __future__ import annotations

from typing import ClassVar

from anytune.testing.simulators.chat import ChatRoutes
from anytune.testing.simulators.files import FileRoutes
from anytune.testing.simulators.jobs import JobRoutes
from anytune.testing.simulators.models import ModelRoutes
from anytune.testing.simulators.uploads import UploadRoutes

__all__ = ["TuningSimulator"]


class TuningSimulator(UploadRoutes, JobRoutes, ChatRoutes):
    """A provider that takes files, trains and answers; arguments as for `Home`. Subclasses say in which words and shapes."""

    routes: ClassVar[tuple[tuple[str, str, str], ...]] = (
        *FileRoutes.file_routes,
        *UploadRoutes.upload_routes,
        *JobRoutes.job_routes,
        *ModelRoutes.model_routes,
        *ChatRoutes.chat_routes,
    )
