"""One create of a paid job, as a program would send it: each client with the defaults that it is released with.

    python program.py CLIENT        (BASE_URL, API_KEY, MODEL, FILE_ID and TRAIN say where and what)

Prints `{"known": [ids that the program was given], "error": the exception's name}`.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

BASE_URL, API_KEY, MODEL = (os.environ.get(name, "") for name in ("BASE_URL", "API_KEY", "MODEL"))
ORDER: dict[str, Any] = {"model": MODEL, "training_file": os.environ.get("FILE_ID", "")}


def openai() -> str:
    """OpenAI's own client."""
    from openai import OpenAI  # noqa: PLC0415 - each client is loaded alone

    return OpenAI(base_url=BASE_URL, api_key=API_KEY).fine_tuning.jobs.create(**ORDER).id


def azure_openai() -> str:
    """OpenAI's client for Azure."""
    from openai import AzureOpenAI  # noqa: PLC0415 - as above

    return AzureOpenAI(base_url=BASE_URL, api_key=API_KEY, api_version="2024-10-21").fine_tuning.jobs.create(**ORDER).id


def wrapped() -> str:
    """OpenAI's client in tenacity, as OpenAI's cookbook advises for rate limits, with three tries."""
    from openai import OpenAI  # noqa: PLC0415 - as above
    from tenacity import retry, stop_after_attempt, wait_random_exponential  # noqa: PLC0415 - as above

    client = OpenAI(base_url=BASE_URL, api_key=API_KEY)
    create = retry(wait=wait_random_exponential(min=0.1, max=1), stop=stop_after_attempt(3))(client.fine_tuning.jobs.create)
    return create(**ORDER).id


def litellm() -> str:
    """LiteLLM's function for OpenAI."""
    from litellm import create_fine_tuning_job  # type: ignore[import-not-found]  # noqa: PLC0415 - in an environment of its own

    return str(create_fine_tuning_job(**ORDER, custom_llm_provider="openai", api_base=BASE_URL, api_key=API_KEY).id)


def litellm_azure() -> str:
    """LiteLLM's function for Azure."""
    from litellm import create_fine_tuning_job  # noqa: PLC0415 - as above

    where = {"api_base": BASE_URL.removesuffix("/openai/v1"), "api_key": API_KEY, "api_version": "2024-10-21"}
    where["trainingType"] = "GlobalStandard"  # its default, 1, is none of the words that Azure describes; the simulator refuses it
    return str(create_fine_tuning_job(**ORDER, custom_llm_provider="azure", **where).id)


def dspy() -> str:
    """The create inside DSPy's `OpenAIProvider.finetune`."""
    from dspy.clients.openai import OpenAIProvider  # type: ignore[import-not-found]  # noqa: PLC0415 - in an environment of its own

    return str(OpenAIProvider._start_remote_training(ORDER["training_file"], MODEL))  # noqa: SLF001 - what its `finetune` calls


def requests() -> str:
    """A plain POST."""
    import requests as library  # noqa: PLC0415 - as above

    head = {"Authorization": f"Bearer {API_KEY}"}
    reply = library.post(f"{BASE_URL}/fine_tuning/jobs", json=ORDER, headers=head, timeout=60)
    reply.raise_for_status()
    return str(reply.json()["id"])


def huggingface_hub() -> str:
    """The Hub's own client, which orders a container."""
    from huggingface_hub import run_job  # noqa: PLC0415 - as above

    return run_job(image="python:3.12", command=["python", "-c", "pass"], flavor="cpu-basic", timeout="10m", namespace="acme").id


def anytune(backend: str) -> str:
    """One call of anytune."""
    from anytune import FineTuneJob  # noqa: PLC0415 - as above

    method = {"type": "sft", "max_steps": 2} if backend == "trl" else {"type": "sft"}
    adapter = {"adapter": {"type": "lora", "r": 4}} if backend == "trl" else {}
    train = Path(os.environ["TRAIN"])
    job = FineTuneJob.create(backend=_set_up(backend), model=MODEL, train=train, name="lost-reply", method=method, **adapter)
    return job.remote_id or ""


def _set_up(backend: str) -> Any:
    if backend == "trl":
        from anytune_trl import TRLBackend  # noqa: PLC0415 - as above

        return TRLBackend(compute={"type": "hf_jobs", "flavor": "cpu-basic"})
    return backend


CLIENTS: dict[str, Callable[[], str]] = {
    "openai": openai,
    "AzureOpenAI": azure_openai,
    "tenacity": wrapped,
    "litellm": litellm,
    "litellm-azure": litellm_azure,
    "dspy": dspy,
    "requests": requests,
    "huggingface_hub": huggingface_hub,
    "anytune-openai": lambda: anytune("openai"),
    "anytune-azure": lambda: anytune("azure"),
    "anytune-trl": lambda: anytune("trl"),
}


def main() -> None:
    """Send the create, and say what is known of it."""
    said: dict[str, Any] = {"known": [], "error": ""}
    try:
        known = CLIENTS[sys.argv[1]]()
        said["known"] = [known] if known else []
    except Exception as error:  # noqa: BLE001 - whatever the client raises is its answer
        said["error"] = f"{type(error).__name__}"
        said["text"] = f"{error}"[:400]
    print(json.dumps(said))


if __name__ == "__main__":
    main()
