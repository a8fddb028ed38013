"""What the engine holds in memory: a model, or a base and adapters of it, by the names that requests send.

The routes and the continuous batching are those of `transformers serve`, which itself would load a whole model for each name,
batch for one at a time, and put the model's folder into every answer (5.23, read 2026-11-23). Each name has modules of its own over the
same weights, so that nothing is switched between two requests.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import torch
from fastapi import HTTPException
from peft import PeftModel
from transformers import AutoModelForCausalLM, ContinuousBatchingConfig
from transformers.cli.serving.model_manager import ModelManager
from transformers.cli.serving.server import build_server
from transformers.cli.serving.systemone import SystemOneHandler
from transformers.cli.serving.transcription import TranscriptionHandler
from transformers.cli.serving.utils import GenerationState

from anytune_huggingface.models import adapters
from anytune_huggingface.models.merge import SAFE, generation
from anytune_huggingface.serving.asked import Chat, Completion, Responses, refused
from anytune_huggingface.serving.decoding import Batch
from anytune_huggingface.text.render import Renderer
from anytune_huggingface.text.tokenizer import load

if TYPE_CHECKING:
    from pathlib import Path

    from fastapi import FastAPI

__all__ = ["alone", "application", "held"]

_BATCH_TOKENS = 512


class _Held(ModelManager):
    """What is in memory already; nothing else is loaded, whoever asks."""

    def __init__(self, found: dict[str, tuple[Any, Any]]) -> None:
        super().__init__(device="cpu", dtype="float32")
        self.found = found

    @staticmethod
    def process_model_name(model_id: str) -> str:
        """Keep the name: no revision is meant by it."""
        return model_id

    def load_model_and_processor(
        self, model_id_and_revision: str, *_: object, gguf_file: str | None = None, **__: object
    ) -> tuple[Any, Any]:
        """Give the model and the tokenizer of a name, which transformers splits where it ends like a file's."""
        name = model_id_and_revision if gguf_file is None else f"{model_id_and_revision}:{gguf_file}"
        if name not in self.found:
            raise HTTPException(404, f"The model {name[:200]!r} does not exist.")
        return self.found[name]


class _Batches(GenerationState):
    """Continuous batching for each name: transformers keeps one, and ends it when another model is asked for."""

    def __init__(self, pages: int) -> None:
        config = ContinuousBatchingConfig(max_batch_tokens=_BATCH_TOKENS, num_blocks=pages) if pages else None
        super().__init__(continuous_batching=bool(pages), cb_config=config)
        self.batches: dict[str, Any] = {}

    def get_manager(self, model_id: str, use_cb: bool = False) -> Any:  # noqa: FBT001, FBT002 - transformers' signature
        """Give the one of a name."""
        if not use_cb:
            return super().get_manager(model_id)
        if model_id not in self.batches:
            self.batches[model_id] = Batch(cb_config=copy.deepcopy(self._cb_config))
        return self.batches[model_id]

    def is_cb_alive(self) -> bool:
        """Tell whether all of them work."""
        return all(batch.is_alive() for batch in self.batches.values())

    def shutdown(self) -> None:
        """End all of them."""
        for batch in self.batches.values():
            batch.stop()


def alone(folder: Path) -> tuple[Any, Any]:
    """Load a verified folder; give the model and its tokenizer.

    `transformers serve` itself would take pickled weights, a decision head beside them, and a processor that names further models
    (5.23, read 2026-11-23).
    """
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, **SAFE).eval(), load(folder)[0]


def held(base: Path, name: str, crew: dict[str, Path]) -> dict[str, tuple[Any, Any]]:
    """Load a base once; give it, and each adapter over it, with its tokenizer, by name.

    Args:
        base: The verified folder of the base.
        name: What the base answers to.
        crew: Folders of adapters by name.

    Raises:
        ConfigError: An adapter cannot be trusted.
    """
    whole = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, **SAFE).eval()
    tokenizer, renderer = load(base)
    found = {name: (whole, tokenizer)}
    for word, folder in crew.items():
        adapters.verify(folder)
        own = load(folder)[0] if (folder / "tokenizer_config.json").is_file() else tokenizer
        model = PeftModel.from_pretrained(_view(whole), str(folder)).eval().get_base_model()
        model.generation_config = generation(base, Renderer(own, sorted(renderer.stop_ids)), own)
        found[word] = (model, own)
    return found


def _view(model: Any) -> Any:
    """Give modules of its own over a model's weights."""
    weights = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    return copy.deepcopy(model, weights)


def application(found: dict[str, tuple[Any, Any]], pages: int) -> FastAPI:
    """Make the server of `transformers serve` for what is in memory."""
    manager, state = _Held(found), _Batches(pages)
    app: FastAPI = build_server(
        manager,
        Chat(manager, state),
        completion_handler=Completion(manager, state),
        response_handler=Responses(manager, state),
        transcription_handler=TranscriptionHandler(manager, state),
        systemone_handler=SystemOneHandler(manager, state),
        generation_state=state,
    )
    app.add_exception_handler(HTTPException, refused)
    return app
