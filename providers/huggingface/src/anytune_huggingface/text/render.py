"""From messages to token ids and to what is learned of them: the one place where a chat template meets a tokenizer.

Training, checks and parity all render here, with transformers' own sandboxed `apply_chat_template`. The loss is on the assistant's turns
only, up to and with the token that ends a turn. Templates need no `{% generation %}` markers: the text before a turn, rendered as a prompt,
is a prefix of the whole, so the turn begins where that prefix ends.
"""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from anytune.codes import finding
from anytune.errors import DataError
from anytune_huggingface.text.bounded import TooMuchError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anytune.values import Finding
    from anytune_huggingface.text.rows import Chat, Preference, Text

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
    notes: tuple[Finding, ...] = ()
    """What is worth knowing of the row; errors among it."""
    label: str = ""
    """Which turn it is, where a row gives several samples."""


class Pair(NamedTuple):
    """A preference row ready for training."""

    row: int
    prompt_ids: list[int]
    chosen_ids: list[int]
    rejected_ids: list[int]
    stops: bool
    notes: tuple[Finding, ...] = ()


class Renderer:
    """Renders rows with one tokenizer.

    Args:
        tokenizer: A tokenizer of transformers. Without a chat template it renders plain text only.
        stop_ids: Tokens that end generation, as the model's generation config has them; the tokenizer's own is added.
    """

    def __init__(self, tokenizer: Any, stop_ids: Sequence[int] = ()) -> None:
        """Keep the tokenizer and the tokens that end a turn."""
        self.tokenizer = tokenizer
        closing = self._closing_id() if tokenizer.chat_template else None
        self.stop_ids = frozenset(i for i in (*stop_ids, tokenizer.eos_token_id, closing) if i is not None)
        self._special = _pattern(tokenizer)

    def prompt_ids(self, messages: Messages, tools: list[dict[str, Any]] | None = None) -> list[int]:
        """Give the token ids of a prompt, up to where the assistant begins to speak: what a server computes for a request."""
        return self._ids(self._text(messages, tools, row=0, prompt=True))[0]

    def samples(self, chat: Chat) -> list[Sample]:
        """Render one conversation.

        Usually that is one sample. A template that renders earlier turns differently once the conversation went on (Qwen3 drops their
        thoughts) gives one sample for each learned turn, each rendered as the model will see it.

        Raises:
            DataError: The model has no template, or its template refuses the row or leaves out its tools.
        """
        whole = self._text(chat.messages, chat.tools, chat.row)
        self._tools_are_seen(chat.row, chat.tools, [chat.messages[i] for i in chat.learned], whole)
        spans = [self._span(chat, i, whole) for i in chat.learned]
        notes = (*self._specials(chat.row, chat.messages, chat.tools), *(note for *_, note in spans if note))
        if all(whole.startswith(text) for _, text, _ in spans):
            return [self._sample(chat.row, whole, [(start, len(text)) for start, text, _ in spans], notes)]
        several = enumerate(spans, start=1)
        return [
            self._sample(chat.row, text, [(start, len(text))], notes if turn == 1 else ())._replace(label=f"turn {turn}")
            for turn, (start, text, _) in several
        ]

    def pair(self, row: Preference) -> Pair:
        """Render one preference row.

        Raises:
            DataError: As for `samples`.
        """
        answers = []
        notes = self._specials(row.row, [*row.prompt, *row.chosen, *row.rejected], row.tools)
        for answer in (row.chosen, row.rejected):
            prompt = self._text(row.prompt, row.tools, row.row, prompt=True)
            whole = self._text([*row.prompt, *answer], row.tools, row.row)
            self._tools_are_seen(row.row, row.tools, answer, whole)
            start = _common(prompt, whole)
            if start < len(prompt) and not any(note.code == "prompt-not-prefix" for note in notes):
                notes = (*notes, _not_prefix(row.row, len(row.prompt)))
            answers.append((whole[:start], self._sample(row.row, whole, [(start, len(whole))])))
        (_, chosen), (_, rejected) = answers
        at = min(next((i for i, label in enumerate(s.labels) if label != IGNORED), len(s.labels)) for s in (chosen, rejected))
        while chosen.input_ids[:at] != rejected.input_ids[:at]:
            at -= 1
        sides = [s.input_ids[at : _last_learned(s.labels)] for s in (chosen, rejected)]
        return Pair(row.row, chosen.input_ids[:at], sides[0], sides[1], chosen.stops and rejected.stops, (*notes, *chosen.notes))

    def plain(self, row: Text) -> Sample:
        """Render plain text: as the tokenizer encodes it for a completion, a token that ends generation after it, all of it learned.

        The first token has nothing before it to be told from, so it counts as read.
        """
        ids = list(self.tokenizer(row.text)["input_ids"])
        stop = self.tokenizer.eos_token_id
        if stop is not None and (not ids or ids[-1] not in self.stop_ids):
            ids.append(stop)
        labels = [IGNORED, *ids[1:]] if ids else []
        return Sample(row.row, ids, labels, bool(ids) and ids[-1] in self.stop_ids, self._begins_twice(row.row, ids))

    def texts(self, ids: Sequence[int], edges: Sequence[int]) -> list[str]:
        """Decode token ids in stretches that end at `edges`, special tokens included; together they are the decoded whole."""
        decoded = [self.tokenizer.decode(ids[:end], skip_special_tokens=False, clean_up_tokenization_spaces=False) for end in (0, *edges)]
        return [after[len(before) :] for before, after in pairwise(decoded)]

    def _closing_id(self) -> int | None:
        """Find the special token with which the template closes an assistant's turn; base models often do not list it as a stop."""
        mark = "anytune"
        text = self._text([{"role": "user", "content": "?"}, {"role": "assistant", "content": mark}], None, row=0)
        rest, _ = self._ids(text[text.rindex(mark) + len(mark) :] if mark in text else "")
        special = {*self.tokenizer.all_special_ids, *self.tokenizer.added_tokens_decoder}
        return next((i for i in rest if i in special), None)

    def _span(self, chat: Chat, index: int, whole: str) -> tuple[int, str, Finding | None]:
        """Give where a turn begins in the text that ends with it, that text, and what is odd about the place."""
        prompt = self._text(chat.messages[:index], chat.tools, chat.row, prompt=True)
        ends = index + 1 == len(chat.messages)
        text = whole if ends else self._text(chat.messages[: index + 1], chat.tools, chat.row)
        start = _common(prompt, text)
        return start, text, _not_prefix(chat.row, index) if start < len(prompt) else None

    def _sample(self, row: int, text: str, spans: list[tuple[int, int]], notes: tuple[Finding, ...] = ()) -> Sample:
        ids, offsets = self._ids(text)
        if any(self._is_torn(text, start, ids, offsets) for start, _ in spans):
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
        return Sample(row, ids, labels, stops, (*notes, *self._begins_twice(row, ids)))

    def _is_torn(self, text: str, start: int, ids: list[int], offsets: list[tuple[int, int]]) -> bool:
        """Tell whether the tokens before `start` are others than those of the prompt when it is sent alone.

        That is where a token spans the border; blanks after it can also regroup those before.
        """
        if any(begin < start < end for begin, end in offsets):
            return True
        if not text[start : start + 1].isspace():
            return False
        before = self._ids(text[:start])[0]
        return ids[: len(before)] != before

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
        if not self.tokenizer.chat_template:
            fix = "Tune an instruction model, add a chat_template.jinja to its folder, or train on rows of plain `text`."
            message = "The model's tokenizer has no chat template."
            raise DataError(message, fix=fix, findings=[finding("no-template", message, fix)])
        try:
            text = self.tokenizer.apply_chat_template(messages, tools=tools, tokenize=False, add_generation_prompt=prompt)
        except Exception as error:  # a template is a program of the model's maker: anything can come out of it
            said = f"model's chat template refuses the messages: {str(error)[:200]}."
            fix = "Change the roles or their order." if not isinstance(error, TooMuchError) else "Use a model with a sane chat template."
            found = finding("template-refuses", f"The {said}", fix, row=row or None)
            raise DataError(f"Row {row}: the {said}" if row else f"The {said}", fix=fix, findings=[found]) from error
        return str(text)

    def _tools_are_seen(self, row: int, tools: list[dict[str, Any]] | None, answers: Messages, text: str) -> None:
        names = [tool.get("function", tool).get("name", "") for tool in tools or []]
        names += [call["function"]["name"] for turn in answers for call in turn.get("tool_calls", ())]
        lost = next((name for name in names if name and name not in text), None)
        if lost:
            said = f"the model's chat template leaves out the tool {lost!r}, so tool calls cannot be learned."
            fix = "Choose a model whose template renders tools, such as Qwen's."
            found = finding("tools-not-rendered", _TOOLS_LOST, fix, row=row)
            raise DataError(f"Row {row}: {said}", fix=fix, findings=[found])

    def _specials(self, row: int, messages: Messages, tools: list[dict[str, Any]] | None) -> tuple[Finding, ...]:
        """Find the model's own special tokens in what users wrote: they would be read as the conversation's structure."""
        if self._special is None:
            return ()
        found = []
        for index, turn in enumerate([*messages, {"content": json.dumps(tools, ensure_ascii=False)}] if tools else messages):
            calls = json.dumps(turn["tool_calls"], ensure_ascii=False) if "tool_calls" in turn else ""
            hit = self._special.search(turn["content"]) or self._special.search(calls)
            if hit:
                where = index if index < len(messages) else None
                message = f"Text holds {hit[0]!r}, which this model's tokenizer reads as a special token."
                found.append(finding("special-token", message, _REWORD, row=row, message_index=where, severity="error"))
        return tuple(found)

    def _begins_twice(self, row: int, ids: list[int]) -> tuple[Finding, ...]:
        begin = self.tokenizer.bos_token_id
        if begin is None or ids[:2] != [begin, begin]:
            return ()
        message = f"The row begins with two {self.tokenizer.bos_token!r} tokens."
        return (finding("double-bos", message, "Take the token out of the text, or out of the chat template.", row=row),)


_REWORD = "Write it in another way (a blank inside is enough), or leave the row out."
_TOOLS_LOST = "The model's chat template leaves out tools of the row, so tool calls cannot be learned."


def _pattern(tokenizer: Any) -> re.Pattern[str] | None:
    """Make one pattern of all special tokens; added words that are no special tokens (`<think>`) are text like any other."""
    added = {token.content for token in tokenizer.added_tokens_decoder.values() if token.special}
    found = sorted({word for word in (*added, *tokenizer.all_special_tokens) if word.strip()}, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, found))) if found else None


def _not_prefix(row: int, index: int) -> Finding:
    message = "The prompt as a server renders it is not how the trained row begins; the loss starts where both part."
    return finding(
        "prompt-not-prefix", message, "Compare both with `anytune data show`, and correct the template.", row=row, message_index=index
    )


def _common(prompt: str, text: str) -> int:
    """Give the length of the text that both begin with: all of the prompt, but for templates that change its end."""
    if text.startswith(prompt):
        return len(prompt)
    return next((i for i, (a, b) in enumerate(zip(prompt, text, strict=False)) if a != b), min(len(prompt), len(text)))


def _last_learned(labels: list[int]) -> int:
    return max((i + 1 for i, label in enumerate(labels) if label != IGNORED), default=0)
