"""From messages to token ids and to what is learned of them: the one place where a chat template meets a tokenizer.

Training, checks and parity all render here, with transformers' own sandboxed `apply_chat_template`. The loss is on the assistant's turns
only, up to and with the token that ends a turn. Templates need no `{% generation %}` markers: the text before a turn, rendered as a prompt,
is a prefix of the whole, so the turn begins where that prefix ends.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from anytune.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anytune_trl.rows import Chat, Preference

__all__ = ["IGNORED", "Pair", "Renderer", "Sample"]

IGNORED = -100
"""Label of a token that is not learned."""

Messages = list[dict[str, Any]]


class Sample(NamedTuple):
    """A row ready for training: `labels` repeats `input_ids` where a token is learned and is `IGNORED` elsewhere."""

    row: int
    input_ids: list[int]
    labels: list[int]
    stops: bool
    """Every learned turn ends with a token that ends generation."""


class Pair(NamedTuple):
    """A preference row ready for training."""

    row: int
    prompt_ids: list[int]
    chosen_ids: list[int]
    rejected_ids: list[int]
    stops: bool


class Renderer:
    """Renders messages with one tokenizer.

    Args:
        tokenizer: A tokenizer of transformers with a chat template.
        stop_ids: Tokens that end generation, as the model's generation config has them; the tokenizer's own is added.

    Raises:
        DataError: The tokenizer has no chat template, so that nobody could say how to serve what is learned.
    """

    def __init__(self, tokenizer: Any, stop_ids: Sequence[int] = ()) -> None:
        """Keep the tokenizer and the tokens that end a turn."""
        if not tokenizer.chat_template:
            raise DataError(
                "The model's tokenizer has no chat template.", fix="Tune an instruction model, or add a chat_template.jinja to its folder."
            )
        self.tokenizer = tokenizer
        closing = self._closing_id()
        self.stop_ids = frozenset(i for i in (*stop_ids, tokenizer.eos_token_id, closing) if i is not None)

    def prompt_ids(self, messages: Messages, tools: list[dict[str, Any]] | None = None) -> list[int]:
        """Give the token ids of a prompt, up to where the assistant begins to speak: what a server computes for a request."""
        return self._ids(self._text(messages, tools, row=0, prompt=True))[0]

    def samples(self, chat: Chat) -> list[Sample]:
        """Render one conversation.

        Usually that is one sample. A template that renders earlier turns differently once the conversation went on (Qwen3 drops their
        thoughts) gives one sample for each learned turn, each rendered as the model will see it.

        Raises:
            DataError: The template refuses the row, or leaves out its tools.
        """
        whole = self._text(chat.messages, chat.tools, chat.row)
        self._tools_are_seen(chat, whole)
        spans = [self._span(chat, i, whole) for i in chat.learned]
        if all(whole.startswith(text) for _, text in spans):
            return [self._sample(chat.row, whole, [(start, len(text)) for start, text in spans])]
        return [self._sample(chat.row, text, [(start, len(text))]) for start, text in spans]

    def pair(self, row: Preference) -> Pair:
        """Render one preference row.

        Raises:
            DataError: The template refuses the row.
        """
        answers = []
        for answer in (row.chosen, row.rejected):
            prompt = self._text(row.prompt, row.tools, row.row, prompt=True)
            whole = self._text([*row.prompt, *answer], row.tools, row.row)
            start = _common(prompt, whole)
            answers.append((whole[:start], self._sample(row.row, whole, [(start, len(whole))])))
        (_, chosen), (_, rejected) = answers
        at = min(next((i for i, label in enumerate(s.labels) if label != IGNORED), len(s.labels)) for s in (chosen, rejected))
        while chosen.input_ids[:at] != rejected.input_ids[:at]:
            at -= 1
        sides = [s.input_ids[at : _last_learned(s.labels)] for s in (chosen, rejected)]
        return Pair(row.row, chosen.input_ids[:at], sides[0], sides[1], chosen.stops and rejected.stops)

    def _closing_id(self) -> int | None:
        """Find the special token with which the template closes an assistant's turn; base models often do not list it as a stop."""
        mark = "anytune"
        text = self._text([{"role": "user", "content": "?"}, {"role": "assistant", "content": mark}], None, row=0)
        rest, _ = self._ids(text[text.rindex(mark) + len(mark) :] if mark in text else "")
        special = {*self.tokenizer.all_special_ids, *self.tokenizer.added_tokens_decoder}
        return next((i for i in rest if i in special), None)

    def _span(self, chat: Chat, index: int, whole: str) -> tuple[int, str]:
        """Give where a turn begins in the text that ends with it, and that text."""
        prompt = self._text(chat.messages[:index], chat.tools, chat.row, prompt=True)
        ends = index + 1 == len(chat.messages)
        text = whole if ends else self._text(chat.messages[: index + 1], chat.tools, chat.row)
        return _common(prompt, text), text

    def _sample(self, row: int, text: str, spans: list[tuple[int, int]]) -> Sample:
        ids, offsets = self._ids(text)
        if any(begin < start < end for start, _ in spans for begin, end in offsets):
            ids, offsets = self._ids_in_pieces(text, [start for start, _ in spans])
        labels = [IGNORED] * len(ids)
        stops = True
        for start, end in spans:
            inside = [i for i, (a, b) in enumerate(offsets) if b > start and a < end]
            last = next((i for i in reversed(inside) if ids[i] in self.stop_ids), None)
            stops = stops and last is not None
            for i in inside:
                if last is None or i <= last:
                    labels[i] = ids[i]
        return Sample(row, ids, labels, stops)

    def _ids(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        encoded = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        return encoded["input_ids"], encoded["offset_mapping"]

    def _ids_in_pieces(self, text: str, starts: list[int]) -> tuple[list[int], list[tuple[int, int]]]:
        """Tokenise so that no token spans the end of a prompt, as it is when the prompt is sent alone."""
        ids: list[int] = []
        offsets: list[tuple[int, int]] = []
        edges = [0, *sorted(starts), len(text)]
        for start, end in pairwise(edges):
            piece_ids, piece_offsets = self._ids(text[start:end])
            ids += piece_ids
            offsets += [(a + start, b + start) for a, b in piece_offsets]
        return ids, offsets

    def _text(self, messages: Messages, tools: list[dict[str, Any]] | None, row: int, *, prompt: bool = False) -> str:
        try:
            text = self.tokenizer.apply_chat_template(messages, tools=tools, tokenize=False, add_generation_prompt=prompt)
        except Exception as error:  # a template is a program of the model's maker: anything can come out of it
            where = f"Row {row}: the" if row else "The"
            raise DataError(
                f"{where} model's chat template refuses the messages: {str(error)[:200]}.", fix="Change the roles or their order."
            ) from error
        return str(text)

    def _tools_are_seen(self, chat: Chat, text: str) -> None:
        names = [tool.get("function", tool).get("name", "") for tool in chat.tools or []]
        names += [call["function"]["name"] for i in chat.learned for call in chat.messages[i].get("tool_calls", ())]
        lost = next((name for name in names if name and name not in text), None)
        if lost:
            raise DataError(
                f"Row {chat.row}: the model's chat template leaves out the tool {lost!r}, so tool calls cannot be learned.",
                fix="Choose a model whose template renders tools, such as Qwen's.",
            )


def _common(prompt: str, text: str) -> int:
    """Give the length of the text that both begin with: all of the prompt, but for templates that change its end."""
    if text.startswith(prompt):
        return len(prompt)
    return next((i for i, (a, b) in enumerate(zip(prompt, text, strict=False)) if a != b), min(len(prompt), len(text)))


def _last_learned(labels: list[int]) -> int:
    return max((i + 1 for i, label in enumerate(labels) if label != IGNORED), default=0)
