"""How each request is decoded while many are decoded together: greedily, or sampled as it asks, and to the words that it stops at.

transformers' own continuous batching decodes all requests as the first one asked, and knows no stop words (5.23, read 2026-11-23). Here a
row's scores are scaled, cut and shaken before the one argmax over all rows: with Gumbel noise on them, the argmax is a draw from their
softmax. Rows that ask for nothing stay as they are, so that greedy answers are the same to the bit, whoever else is in the batch.
"""

from __future__ import annotations

import asyncio
import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from transformers import LogitsProcessorList
from transformers.cli.serving.utils import CBGenerateManager, CBStreamer, CBWorkerDeadError, _StreamError
from transformers.generation.continuous_batching.cb_logits_processors import (
    ContinuousBatchingLogitsProcessor,
    ContinuousBatchingLogitsProcessorList,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from transformers import GenerationConfig

__all__ = ["Batch", "Way", "way"]

_KEY = "way"
_LIKELY = 1024


@dataclass
class Way:
    """How one request is decoded.

    Attributes:
        temperature: 0 decodes greedily.
        top_p: Share of the probability that is drawn from.
        top_k: How many tokens are drawn from; 0 for all.
        presence: Taken from the score of each token that the answer has.
        frequency: The same, as often as it has it.
        generator: Where the noise comes from.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    presence: float = 0.0
    frequency: float = 0.0
    generator: torch.Generator = field(default_factory=torch.Generator)

    def __deepcopy__(self, _: object) -> Way:
        """Stay the same request's: its noise goes on where it was."""
        return self

    @property
    def plain(self) -> bool:
        """Whether the scores stay as they are."""
        return not (self.temperature or self.presence or self.frequency)

    def decide(self, scores: torch.Tensor, said: list[int]) -> torch.Tensor:
        """Change one row of scores so that its largest is the next token.

        Args:
            scores: Of every token.
            said: The answer's tokens so far.
        """
        if said and (self.presence or self.frequency):
            tokens, counts = torch.tensor(said).unique(return_counts=True)
            scores = scores.index_add(0, tokens, -(self.presence + self.frequency * counts).to(scores.dtype))
        if not self.temperature:
            return scores
        scores = scores / self.temperature
        kept = self._kept(scores)
        if kept is None:
            return scores + self._noise(scores)
        shaken = torch.full_like(scores, -torch.inf)
        shaken[kept] = scores[kept] + self._noise(scores[kept])
        return shaken

    def _noise(self, scores: torch.Tensor) -> torch.Tensor:
        """Draw Gumbel noise, in float64: in float32 some of it would be infinite, which is a certain draw."""
        return -torch.empty(scores.shape, dtype=torch.float64).exponential_(generator=self.generator).log().to(scores.dtype)

    def _kept(self, scores: torch.Tensor) -> torch.Tensor | None:
        """Find the tokens that are drawn from; None for all. The likeliest are sorted first: they nearly always are enough."""
        if not self.top_k and self.top_p >= 1:
            return None
        chances, size = scores.softmax(-1), scores.numel()
        ordered, places = chances.topk(min(self.top_k or _LIKELY, size))
        if self.top_k:
            ordered = ordered / ordered.sum()
        elif ordered.sum() < self.top_p:
            ordered, places = chances.sort(descending=True)
        return places[ordered.cumsum(-1) - ordered < self.top_p]


def way(config: GenerationConfig, body: dict[str, Any]) -> Way:
    """Read how a request wants to be decoded; where it says nothing, the model's own settings do, and OpenAI's defaults after them."""
    asked = body.get("temperature")
    if asked is None and (body.get("top_p") is not None or config.do_sample):
        asked = config.temperature if config.do_sample and config.temperature is not None else 1.0
    top_p = body.get("top_p") if body.get("top_p") is not None else config.top_p
    found = Way(
        temperature=float(asked or 0),
        top_p=1.0 if top_p is None else float(top_p),
        top_k=int(config.top_k or 0) if config.do_sample else 0,
        presence=float(body.get("presence_penalty") or 0),
        frequency=float(body.get("frequency_penalty") or 0),
    )
    if body.get("seed") is not None:
        found.generator.manual_seed(int(body["seed"]) % 2**63)
    else:
        found.generator.seed()
    return found


class _Ways(ContinuousBatchingLogitsProcessor):
    """Changes each request's scores as that request asks."""

    supported_kwargs: dict[str, type] = {_KEY: Way}  # noqa: RUF012 - transformers' attribute
    ignored_kwargs: tuple[str, ...] = ()

    def __init__(self) -> None:
        self._rows: list[tuple[Way | None, list[int]]] = []

    def fill_defaults(self, int32_tensor: torch.Tensor) -> None:
        """Need nothing of the tensor."""
        int32_tensor.zero_()

    def prepare_tensor_args(self, requests_with_new_token: list[Any]) -> torch.Tensor:
        """Note whose scores come next, in their order."""
        self._rows = [(one.state.logit_processor_kwargs.get(_KEY), one.state.generated_tokens) for one in requests_with_new_token]
        return torch.zeros(len(self._rows), dtype=torch.int32)

    def __call__(self, scores: torch.Tensor, tensor_arg: torch.Tensor) -> torch.Tensor:  # noqa: ARG002 - transformers' signature
        """Change the rows that ask for it."""
        for place, (how, said) in enumerate(self._rows):
            if how is not None and not how.plain:
                scores[place] = how.decide(scores[place], said)
        return scores


class _Stops:
    """Passes text on up to the first of some words, and keeps back what may become one."""

    def __init__(self, words: list[str]) -> None:
        self.words, self.found, self._kept = words, False, ""

    def feed(self, text: str) -> str:
        """Give what can be said by now."""
        if self.found:
            return ""
        self._kept += text
        places = [place for word in self.words if (place := self._kept.find(word)) >= 0]
        if places:
            self.found = True
            return self._kept[: min(places)]
        longest = max(
            (size for word in self.words for size in range(1, len(word)) if self._kept.endswith(word[:size])),
            default=0,
        )
        said, self._kept = self._kept[: len(self._kept) - longest], self._kept[len(self._kept) - longest :]
        return said

    def rest(self) -> str:
        """Give what was kept back and became nothing."""
        return "" if self.found else self._kept


def _nothing() -> None:
    """Do nothing."""


class _Queue(asyncio.Queue[Any]):
    """The texts of a stream, to the first stop word; then the engine's work is ended."""

    def __init__(self, stops: _Stops) -> None:
        super().__init__()
        self._stops, self._ended = stops, False
        self.leave: Callable[[], None] = _nothing

    def put_nowait(self, item: Any) -> None:
        """Take a piece of the answer; None is its end."""
        if self._ended:
            return
        if item is None:
            self._end()
        elif type(item) is not str:
            super().put_nowait(item)
        else:
            if text := self._stops.feed(item):
                super().put_nowait(text)
            if self._stops.found:
                self._end()
                self.leave()

    def _end(self) -> None:
        self._ended = True
        if text := self._stops.rest():
            super().put_nowait(text)
        super().put_nowait(None)


class Batch(CBGenerateManager):
    """Continuous batching of one model, in which each request is decoded its own way: `way` and `stop_strings` of its settings."""

    def init_cb(self, model: Any, gen_config: GenerationConfig) -> None:
        """Begin with the first request; nothing of what it asked for holds for the others."""
        if self.begun is not None:
            return
        shared = copy.deepcopy(gen_config)
        for word in ("temperature", "top_p", "top_k", "repetition_penalty", "sequence_bias", "stop_strings"):
            setattr(shared, word, None)
        shared.do_sample = False
        manager: Any = model.init_continuous_batching(generation_config=shared, continuous_batching_config=self._cb_config)
        own = ContinuousBatchingLogitsProcessorList(LogitsProcessorList([*manager.logit_processor.logits_processor, _Ways()]))
        own.tensors_required = 1
        manager.logit_processor = own
        self._cb = manager
        manager.start()

    @property
    def begun(self) -> Any:
        """The manager of transformers; None before the first request."""
        return self._cb

    def generate_streaming(
        self, model: Any, processor: Any, inputs: dict[str, Any], gen_config: GenerationConfig, request_id: str, response_parser: Any = None
    ) -> tuple[Any, CBStreamer]:
        """Start an answer; give the queue of its texts, which ends with None, and what counts and cancels it."""
        del model
        queue, streamer, _ = self._begun(processor, inputs, gen_config, request_id, response_parser)
        return queue, streamer

    async def generate_non_streaming(
        self,
        model: Any,  # noqa: ARG002 - transformers' signature
        processor: Any,
        inputs: dict[str, Any],
        gen_config: GenerationConfig,
        request_id: str,
    ) -> tuple[str, int, list[int]]:
        """Give a whole answer: its text, how many tokens asked for it, and its tokens."""
        if not gen_config.stop_strings:
            ids = await self._whole(inputs, gen_config, request_id)
            return processor.decode(ids, skip_special_tokens=True), len(inputs["input_ids"]), ids
        queue, streamer, said = self._begun(processor, inputs, gen_config, request_id, None)
        texts: list[str] = []
        try:
            while (item := await queue.get()) is not None:
                if isinstance(item, _StreamError):
                    raise self._failure(request_id, item.msg)
                texts.append(item)
        except asyncio.CancelledError:
            streamer.cancel()
            raise
        return "".join(texts), len(inputs["input_ids"]), said[: streamer.total_tokens]

    async def _whole(self, inputs: dict[str, Any], gen_config: GenerationConfig, request_id: str) -> list[int]:
        cb, future = self._living(request_id), asyncio.get_running_loop().create_future()
        cb.register_result_handler(request_id, lambda result: None if future.done() else future.set_result(result))
        self._ask(cb, inputs, gen_config, request_id, streaming=False)
        try:
            result = await future
        except asyncio.CancelledError:
            cb.cancel_request(request_id)
            raise
        if result.error is not None:
            raise self._failure(request_id, result.error)
        return list(result.generated_tokens)

    def _begun(
        self, processor: Any, inputs: dict[str, Any], gen_config: GenerationConfig, request_id: str, parser: Any
    ) -> tuple[_Queue, CBStreamer, list[int]]:
        cb = self._living(request_id)
        said: list[int] = []
        stops = gen_config.stop_strings or []
        queue = _Queue(_Stops([stops] if isinstance(stops, str) else list(stops)))
        tokenizer = getattr(processor, "tokenizer", processor)._tokenizer  # noqa: SLF001 - as transformers does
        streamer = CBStreamer(cb, request_id, tokenizer, asyncio.get_running_loop(), queue, response_parser=parser)
        queue.leave = streamer.cancel

        def heard(output: Any) -> None:
            try:
                streamer.put(output)
                said[:] = output.generated_tokens
                if output.error is not None:
                    queue.put_nowait(_StreamError(output.error))
                if output.error is not None or output.is_finished():
                    streamer.end()
            except Exception as error:  # noqa: BLE001 - or the client would wait for ever
                queue.put_nowait(_StreamError(str(error)))

        cb.register_result_handler(request_id, heard)
        self._ask(cb, inputs, gen_config, request_id, streaming=True)
        return queue, streamer, said

    def _living(self, request_id: str) -> Any:
        self._check_alive(request_id)
        return self.begun

    def _ask(self, cb: Any, inputs: dict[str, Any], gen_config: GenerationConfig, request_id: str, *, streaming: bool) -> None:
        more = {} if (how := getattr(gen_config, _KEY, None)) is None else {_KEY: how}
        cb.add_request(
            inputs["input_ids"],
            request_id=request_id,
            max_new_tokens=gen_config.max_new_tokens,
            streaming=streaming,
            eos_token_id=gen_config.eos_token_id,
            **more,
        )

    def _failure(self, request_id: str, why: str) -> Exception:
        dead = self.begun is not None and self.begun.background_thread_status.fatal_error is not None
        return CBWorkerDeadError(f"{request_id}: {why}") if dead else RuntimeError(f"{request_id}: {why}")
