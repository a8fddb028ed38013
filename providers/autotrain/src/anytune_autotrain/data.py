"""From rows to the texts that AutoTrain is given, with their tokens counted as its trainers make them: for checks and for training alike.

What the trainers do (AutoTrain 0.8.36 with trl 0.13, read 2026-11-23): every token of a text is learned, the user's too. SFT joins the
texts, an end token after each, and cuts them into blocks, a rest is dropped; or takes each text alone, and cuts off what is longer. `clm`
joins them 1,000 rows at a time. DPO and ORPO put an end token behind each answer and learn these alone. Reward models read whole
conversations.
"""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING, Any, NamedTuple

from anytune.codes import finding
from anytune.errors import DataError
from anytune.values import Finding  # noqa: TC001 - pydantic reads the annotations of `Counts`
from anytune_huggingface.text.rows import Chat, Preference, Text, read

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from anytune.data.files import Line
    from anytune_autotrain.defaults import Resolved
    from anytune_huggingface.text.render import Renderer

__all__ = ["Counts", "Part", "Sample", "Writer", "build"]

_GROUP_ROWS = 1000
_BUFFER_BLOCKS = 1024
_CHARACTERS_A_TOKEN = 3.6


class Sample(NamedTuple):
    """What one row becomes.

    Attributes:
        row: Its line in the file.
        columns: AutoTrain's columns: `text`, or `prompt`, `chosen` and `rejected`.
        ids: The tokens of each, as the trainer makes them.
        notes: What is worth knowing of the row; errors among it.
        stops: Every answer ends with a token that ends generation.
        plain: It is plain text, not a conversation.
        weighted: The row asks for turns that are not learned, which AutoTrain does not know.
    """

    row: int
    columns: dict[str, str]
    ids: dict[str, list[int]]
    notes: tuple[Finding, ...] = ()
    stops: bool = True
    plain: bool = False
    weighted: bool = False

    @property
    def length(self) -> int:
        """Tokens of the longest sequence made of it."""
        sides = [len(self.ids[name]) for name in ("text", "chosen", "rejected") if name in self.ids]
        return len(self.ids.get("prompt", ())) + max(sides)

    @property
    def size(self) -> int:
        """Tokens that are read in one pass."""
        return sum(len(ids) for ids in self.ids.values()) + len(self.ids.get("prompt", ()))

    @property
    def learned(self) -> int:
        """Tokens that the loss is on; the first of a text has nothing before it to be told from."""
        return sum(len(ids) - ("prompt" not in self.ids) for name, ids in self.ids.items() if name != "prompt")


class Counts(NamedTuple):
    """What became of the rows.

    Attributes:
        rows: Rows read.
        samples: Rows that are trained on.
        sequences: What the trainer counts as its examples: samples, or blocks of them.
        tokens: Tokens in one pass; what packing drops is left out.
        learned_tokens: Tokens that the loss is on, in one pass.
        longest: Tokens of the longest row, before any cut.
        dropped_tokens: Tokens of the rest that fills no block.
        packed: Rows are joined into blocks.
        overlong: Rows over a limit, by their lines.
        stopless: Rows whose answer does not end with a token that ends generation.
        weighted: Rows with turns that are not to be learned, and are.
        notes: What else was found in rows.
    """

    rows: int = 0
    samples: int = 0
    sequences: int = 0
    tokens: int = 0
    learned_tokens: int = 0
    longest: int = 0
    dropped_tokens: int = 0
    packed: bool = False
    overlong: tuple[int, ...] = ()
    stopless: tuple[int, ...] = ()
    weighted: tuple[int, ...] = ()
    notes: tuple[Finding, ...] = ()

    @property
    def learned_share(self) -> float:
        """Share of the tokens that the loss is on."""
        return self.learned_tokens / self.tokens if self.tokens else 0.0

    def beside(self, other: Counts) -> Counts:
        """Give these sums, with the rows that were noticed here or there: what only `other` counted is no fair part of a mean."""
        return self._replace(
            longest=max(self.longest, other.longest),
            overlong=tuple(sorted((*self.overlong, *other.overlong))),
            stopless=tuple(sorted((*self.stopless, *other.stopless))),
            weighted=tuple(sorted((*self.weighted, *other.weighted))),
            notes=(*self.notes, *other.notes),
        )


class Part(NamedTuple):
    """A file's samples, as AutoTrain gets them, and the counts."""

    samples: list[Sample]
    counts: Counts


class Writer:
    """Turns rows into samples.

    Args:
        renderer: What renders, with the tokenizer that the run learns with.
        resolved: All settings.
        limit: Tokens of a block.
    """

    def __init__(self, renderer: Renderer, resolved: Resolved, limit: int) -> None:
        """Look at what the tokenizer adds by itself."""
        self.renderer, self.resolved, self.limit = renderer, resolved, limit
        self.tokenizer = renderer.tokenizer
        begin = self.tokenizer.bos_token_id
        self._begins = begin is not None and list(self.tokenizer("a")["input_ids"])[:1] == [begin]

    def __call__(self, line: Line) -> list[Sample]:
        """Render one row.

        Raises:
            DataError: The row cannot be read or rendered; it carries the findings.
        """
        row = read(line, self.resolved.method)
        if self.resolved.chat_template == "none" and not isinstance(row, Text):
            return [self._raw(line)]
        if isinstance(row, Text):
            return [self._sample(line.number, {"text": row.text + self._end()}, plain=True)]
        if isinstance(row, Preference):
            return [self._pair(row)]
        return list(self._chat(row, line))

    def fits(self, sample: Sample, *, packed: bool) -> bool:
        """Tell whether a sample is within every limit that AutoTrain would cut it at."""
        if packed or self.resolved.method == "clm":
            return True
        answers = [len(sample.ids[name]) for name in ("chosen", "rejected") if name in sample.ids]
        within = (
            self.resolved.max_prompt_length is None or len(sample.ids.get("prompt", ())) <= self.resolved.max_prompt_length,
            self.resolved.max_completion_length is None
            or self.resolved.method != "dpo"
            or max(answers) <= self.resolved.max_completion_length,
        )
        return sample.length <= self.limit and all(within)

    def cut(self, sample: Sample) -> Sample | None:
        """Cut a sample's end off, so that no trainer cuts it elsewhere; None where nothing to learn would be left."""
        if sample.length <= self.limit:
            return sample  # only beyond `max_prompt_length` or `max_completion_length`, which AutoTrain cuts to
        room = self.limit - len(sample.ids.get("prompt", ()))
        columns = {name: text if name == "prompt" else self._cut(text, room) for name, text in sample.columns.items()}
        if room < 2 or not all(columns.values()):  # noqa: PLR2004 - a token, and the end token
            return None
        return self._sample(sample.row, columns, plain=sample.plain)._replace(notes=sample.notes, stops=False, weighted=sample.weighted)

    def _cut(self, text: str, room: int) -> str:
        kept = room - 1 if self.resolved.method in {"dpo", "orpo"} else room
        encoded = self.tokenizer(text, add_special_tokens=self.resolved.method not in {"dpo", "orpo"}, return_offsets_mapping=True)
        if len(encoded["input_ids"]) <= kept:
            return text
        return text[: max((end for _, end in encoded["offset_mapping"][:kept]), default=0)]

    def _chat(self, chat: Chat, line: Line) -> Iterator[Sample]:
        found = self.renderer.samples(chat)
        weighted = any(turn.get("weight") == 0 for turn in line.row.get("messages", ()) if isinstance(turn, dict))
        ends = [len(chat.messages)] if len(found) == 1 else [index + 1 for index in chat.learned]
        for end, rendered in zip(ends, found, strict=True):
            text = self._bare(self._text(chat.messages[:end], chat.tools)) + self._end()
            yield self._sample(chat.row, {"text": text})._replace(notes=rendered.notes, stops=rendered.stops, weighted=weighted)

    def _pair(self, row: Preference) -> Sample:
        found = self.renderer.pair(row)
        wholes = {name: self._text([*row.prompt, *side], row.tools) for name, side in (("chosen", row.chosen), ("rejected", row.rejected))}
        if self.resolved.method == "reward":
            columns = {name: self._bare(text) for name, text in wholes.items()}
        else:
            sides = zip(self._text(row.prompt, row.tools, prompt=True), *wholes.values(), strict=False)
            prompt = "".join(first for first, *_ in takewhile(lambda same: len(set(same)) == 1, sides))
            columns = {"prompt": prompt} | {name: self._unended(text[len(prompt) :]) for name, text in wholes.items()}
        return self._sample(row.row, columns)._replace(notes=found.notes, stops=found.stops)

    def _raw(self, line: Line) -> Sample:
        """Take texts as they stand, as AutoTrain does without a template."""
        texts: dict[str, Any] = {name: line.row[name] for name in ("prompt", "completion", "chosen", "rejected") if name in line.row}
        if not texts or not all(isinstance(text, str) for text in texts.values()):
            message, fix = "`chat_template: none` joins plain texts, and the row has messages.", "Leave `chat_template` out."
            raise DataError(f"Row {line.number}: {message}", fix=fix, findings=[finding("no-template", message, fix, row=line.number)])
        if "completion" in texts:
            return self._sample(line.number, {"text": texts["prompt"] + texts["completion"] + self._end()}, plain=True)
        if self.resolved.method == "reward":
            texts.pop("prompt", None)
        return self._sample(line.number, texts)

    def _sample(self, row: int, columns: dict[str, str], *, plain: bool = False) -> Sample:
        pairs = self.resolved.method in {"dpo", "orpo"}
        ids = {name: list(self.tokenizer(text, add_special_tokens=not pairs)["input_ids"]) for name, text in columns.items()}
        if pairs:
            ids |= {name: [*ids[name], self.tokenizer.eos_token_id] for name in ("chosen", "rejected")}
        return Sample(row, columns, ids, plain=plain)

    def _text(self, messages: Sequence[dict[str, Any]], tools: Any, *, prompt: bool = False) -> str:
        return str(self.tokenizer.apply_chat_template(list(messages), tools=tools, tokenize=False, add_generation_prompt=prompt))

    def _bare(self, text: str) -> str:
        """Take the begin-of-text token off a text whose tokenizer adds it again."""
        return text.removeprefix(self.tokenizer.bos_token) if self._begins else text

    def _unended(self, answer: str) -> str:
        """Take the end token off an answer: the trainer adds it again."""
        end = self.tokenizer.eos_token or ""
        kept = answer.rstrip()
        return kept.removesuffix(end) if end and kept.endswith(end) else answer

    def _end(self) -> str:
        """Give what AutoTrain itself puts behind a row of `clm`."""
        own = self.resolved.method == "clm" and self.resolved.add_eos_token
        return str(self.tokenizer.eos_token or "") if own else ""


def build(rows: Iterable[Line], writer: Writer) -> Part:
    """Render rows for training. What cannot be rendered is left out and noted.

    Rows over a limit: `drop` and `truncate` act and count; `error` lists them in the counts and leaves refusing to the caller.

    Raises:
        DataError: No row could be rendered, whatever it says: the model has no chat template.
    """
    resolved, total = writer.resolved, 0
    samples: list[Sample] = []
    notes: list[Finding] = []
    for line in rows:
        total += 1
        try:
            samples += writer(line)
        except DataError as error:
            if any(note.row is None for note in error.findings) or not error.findings:
                raise
            notes += error.findings
    packed = _packed(samples, resolved, writer.limit)
    overlong = dict.fromkeys(sample.row for sample in samples if not writer.fits(sample, packed=packed))
    kept = samples if not overlong else list(_within(samples, writer, packed=packed))
    if resolved.method == "sft":
        kept = [_ended(sample, writer, packed=packed) for sample in kept]
    blocks = _blocks(kept, resolved, writer.limit, packed=packed)
    tokens = sum(sample.size for sample in kept)
    used = tokens if blocks is None else blocks * writer.limit
    counts = Counts(
        rows=total,
        samples=len(kept),
        sequences=len(kept) if blocks is None else blocks,
        tokens=used,
        learned_tokens=sum(sample.learned for sample in kept) if blocks is None else used - blocks,
        longest=max((sample.length for sample in samples), default=0),
        dropped_tokens=tokens - used,
        packed=packed,
        overlong=tuple(overlong),
        stopless=tuple(dict.fromkeys(sample.row for sample in kept if not sample.stops)),
        weighted=tuple(dict.fromkeys(sample.row for sample in kept if sample.weighted)),
        notes=(*notes, *(note for sample in samples for note in sample.notes)),
    )
    return Part(kept, counts)


def _packed(samples: list[Sample], resolved: Resolved, limit: int) -> bool:
    """Tell whether SFT joins rows: where it was not said, as AutoTrain does unless that leaves nothing."""
    if resolved.method != "sft" or resolved.packing is not None:
        return bool(resolved.packing) and resolved.method == "sft"
    return sum(sample.size + 1 for sample in samples) >= limit


def _within(samples: list[Sample], writer: Writer, *, packed: bool) -> Iterator[Sample]:
    for sample in samples:
        if writer.fits(sample, packed=packed):
            yield sample
        elif writer.resolved.overlong == "truncate" and (shorter := writer.cut(sample)) is not None:
            yield shorter


def _ended(sample: Sample, writer: Writer, *, packed: bool) -> Sample:
    """Add the end token that packing puts behind each row, or that plain text needs where it stands alone."""
    ids, end = sample.ids["text"], writer.tokenizer.eos_token_id
    if packed:
        return sample._replace(ids={"text": [*ids, end]})
    if not sample.plain or not ids or ids[-1] in writer.renderer.stop_ids or len(ids) >= writer.limit:
        return sample
    return sample._replace(columns={"text": sample.columns["text"] + writer.tokenizer.eos_token}, ids={"text": [*ids, end]})


def _blocks(samples: list[Sample], resolved: Resolved, limit: int, *, packed: bool) -> int | None:
    """Count the blocks that joined rows give, as the trainers read them; None where rows stay rows."""
    if resolved.method == "clm":
        groups = (samples[start : start + _GROUP_ROWS] for start in range(0, len(samples), _GROUP_ROWS))
        return sum(sum(sample.size for sample in group) // limit for group in groups)
    if not packed:
        return None
    blocks = tokens = characters = 0
    for sample in samples:
        tokens, characters = tokens + sample.size, characters + len(sample.columns["text"])
        if characters >= limit * _CHARACTERS_A_TOKEN * _BUFFER_BLOCKS:
            blocks, tokens, characters = blocks + tokens // limit, 0, 0
    return blocks + tokens // limit
