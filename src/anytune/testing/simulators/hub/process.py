"""The client of the tests' own process: what `huggingface_hub` read from the environment when it was imported, set anew for a while."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from anytune.testing.simulators.hub.hub import HubSimulator

__all__ = ["spoken_to"]

_OTHERS = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_ENDPOINT")


@contextmanager
def spoken_to(folder: Path, hub: HubSimulator | None = None) -> Iterator[None]:
    """Let this process's client be online, without Xet storage, and keep its files and tokens in a folder.

    Args:
        folder: An empty folder.
        hub: Taken for the Hub, Inference Endpoints included, by this process and by what it starts; None leaves the addresses alone.

    Example:
        ```python
        with HubSimulator() as hub, spoken_to(tmp_path, hub):
            huggingface_hub.whoami()
        ```
    """
    from huggingface_hub import close_session, constants  # noqa: PLC0415 - the simulator itself does without
    from huggingface_hub.utils.tqdm import disable_progress_bars, enable_progress_bars  # noqa: PLC0415 - the same

    (folder / "agents.json").write_text('{"standardEnvVars": [], "harnesses": {}}')  # else the client asks for it once a day
    read: dict[str, Any] = {
        "HF_HUB_OFFLINE": False,
        "HF_HUB_DISABLE_XET": True,
        "HF_HUB_DISABLE_TELEMETRY": True,
        "HF_HUB_CACHE": str(folder / "hub-cache"),
        "HF_TOKEN_PATH": str(folder / "token"),
        "AGENT_HARNESSES_PATH": str(folder / "agents.json"),
    }
    if hub is not None:
        read["INFERENCE_ENDPOINTS_ENDPOINT"] = hub.endpoints_url
    environment = {name: value for name, value in os.environ.items() if name not in _OTHERS}
    environment |= {} if hub is None else hub.environment()
    disable_progress_bars()
    try:
        with patch.multiple(constants, **read), patch.dict(os.environ, environment, clear=True):
            yield
    finally:
        enable_progress_bars()
        close_session()
