"""What a row's text holds that was not meant as text: special tokens of models, traces of a wrong decoding, control characters.

No finding shows the text around what it found.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from anytune.codes import finding
from anytune.data.check.encoding import damage
from anytune.data.rows import texts
from anytune.data.rules import OPEN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anytune.data.rules import Rules
    from anytune.values import Finding

__all__ = ["HOT", "content"]

_SHOWN = 5

_BARRED = re.compile(r"<\|[A-Za-z/][\w/.:-]{1,48}\|>|<\uff5c[^\s<>\uff5c]{1,48}\uff5c>")
"""`<|im_end|>`, and DeepSeek's with full-width bars: what OpenAI's encodings and most open models write control tokens as. One letter
between the bars is mathematics."""

_NAMED = re.compile(
    r"</?(?:start_of_turn|end_of_turn|start_of_image|end_of_image|fim_prefix|fim_middle|fim_suffix|bos|eos|pad|unk)>"
    r"|\[/?(?:INST|AVAILABLE_TOOLS|TOOL_RESULTS|SYSTEM_PROMPT)\]|\[(?:TOOL_CALLS|gMASK)\]|</?<?/?SYS>>"
)
"""Control tokens with names of their own: Gemma, Mistral, Llama 2, StarCoder, GLM (their tokenizers' `added_tokens`, known 2026-11-22).

Reasoning and tool tags (`<think>`, `<tool_call>`) are not among them: training text has them on purpose."""

_SENTENCE = re.compile(r"\A\s*(<s>)|(</s>)\s*\Z|(</s>)\s*<s>|(<s>)\s*\[INST\]")
"""Llama's and Mistral's begin and end, which HTML has for struck-out text too: only where a template would put them."""

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]|[\u202d\u202e]|(?<![\U0001f3f4\U000e0020-\U000e007f])[\U000e0001-\U000e007f]")
_DIRECTIONS = (re.compile("[\u202a\u202b]"), "\u202c"), (re.compile("[\u2066-\u2068]"), "\u2069")
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
_C1 = re.compile("[\x80-\x9f]")


class _Hot:
    """Tells at memory speed whether raw lines may hold anything that `content` looks for."""

    _ESCAPE = re.compile(
        rb"\\u(?:00(?:0[0-8bcefBCEF]|1.|7[fF]|[89].|3[cC]|[c-fC-F].\\u(?:00|20|21|01|02))|[fF]{3}[dD]|[fF][eE][fF][fF]|[fF]{2}5[cC]"
        rb"|20(?:2[a-eA-E]|6[6-9])|[dD][bB]40|[dD][89abAB]..(?!\\u[dD][c-fC-F])|[dD][c-fC-F]..(?<!\\u[dD][89abAB]..\\u....)"
        rb"|042[01]\\u|221[aA]|7[eE](?:3[aA]|67|5[dD])|951[fF])|\\[bf]"
    )
    _TOKEN = re.compile(rb"<(?:\||\xef\xbd\x9c|/?s>|<?/?/?(?:SYS|start|end|fim|bos|eos|pad|unk))")
    _MARK = re.compile(rb"\[/?(?:INST|AVAIL|TOOL_|SYSTEM_P|gMASK)")
    _WHOLE = (b"\xe7\xb8\xba", b"\xe7\xb9\xa7", b"\xe7\xb9\x9d", b"\xe9\x94\x9f\xe6\x96\xa4")
    _BYTES = re.compile(
        rb"\xef(?:\xbf\xbd|\xbb\xbf)|\xc2[\x80-\x9f]|\xe2(?:\x80[\xaa-\xae]|\x81[\xa6-\xa9]|\x88\x9a)|\xf3\xa0"
        rb"|\xc3[\x82-\xb4](?:\xc2[\xa0-\xbf]|\xe2(?:\x82\xac|\x80[\x93-\xba]|\x84\xa2)|\xc5[\x92\x93\xa0\xa1\xb8\xbd\xbe]|\xc6\x92|\xcb[\x86\x9c])"
        rb"|\xd0[\xa0\xa1](?:\xc2[\xa0-\xbf]|\xd0[\x82-\x8f]|\xd1[\x92-\x9f]|\xe2)"
    )
    _PLAIN = bytes(range(0x20)) + bytes(range(0x21, 0x7F))

    def search(self, raw: bytes) -> bool:
        """Tell whether a block of lines is worth reading closely; a clean block costs about a nanosecond for four bytes."""
        if b"<" in raw and self._TOKEN.search(raw):
            return True
        if b"[" in raw and self._MARK.search(raw):
            return True
        if b"\\" in raw and self._ESCAPE.search(raw):
            return True
        if b"\x7f" in raw:
            return True
        if raw.isascii():
            return False
        # Without its ASCII, but for spaces, a block of most languages is short.
        rest = raw.translate(None, self._PLAIN)
        return any(sign in rest for sign in self._WHOLE) or self._BYTES.search(rest) is not None


HOT = _Hot()
"""Has a pattern's `search` for the raw bytes of lines: where it finds nothing, neither does `content`."""


def content(number: int, raw: dict[str, Any], rules: Rules = OPEN) -> list[Finding]:
    """Find special tokens, encoding damage and control characters in a row; one finding for each message and code.

    Args:
        number: The row's number.
        raw: The row, in a canonical form.
        rules: What the target takes: where it refuses special tokens, the barred ones are errors.

    Example:
        >>> [found.code for found in content(1, {"text": "caf\u00c3\u00a9 <|endoftext|>"})]
        ['special-token', 'encoding-damage']
    """
    by_message: dict[int | None, _Seen] = {}
    for text in texts(raw):
        words = text.text
        if words.isprintable() and words.isascii() and "<" not in words and "[" not in words:
            continue
        _look(words, by_message.setdefault(text.message_index, _Seen(text.role)))
    found = []
    for index, seen in by_message.items():
        found += [one.model_copy(update={"row": number, "message_index": index}) for one in _told(index, seen, rules)]
    return found


@dataclass
class _Seen:
    """What a message holds: control tokens, words for damage, control characters and how often."""

    role: str
    tokens: dict[str, None] = field(default_factory=dict)
    damage: dict[str, None] = field(default_factory=dict)
    controls: Counter[str] = field(default_factory=Counter)


def _look(text: str, seen: _Seen) -> None:
    if "<" in text or "[" in text:
        seen.tokens.update(dict.fromkeys(_BARRED.findall(text)))
        seen.tokens.update(dict.fromkeys(_NAMED.findall(text)))
        seen.tokens.update(dict.fromkeys(next(filter(None, groups)) for groups in _SENTENCE.findall(text)))
    damaged = {} if text.isascii() else dict.fromkeys(damage(text))
    seen.damage.update(damaged)
    if not text.isprintable():
        signs = _CONTROL.findall(_C1.sub("", text) if damaged else text)  # in damage they are halves of letters
        seen.controls.update(signs)
        if not text.isascii():
            seen.controls.update(_unclosed(text))


def _unclosed(text: str) -> Iterator[str]:
    """Give changes of direction that a paragraph opens and does not close, where nothing in the text is written from right to left."""
    if _RIGHT_TO_LEFT.search(text):
        return
    for line in text.splitlines():
        for opening, closing in _DIRECTIONS:
            yield from opening.findall(line)[line.count(closing) :]


def _told(index: int | None, seen: _Seen, rules: Rules) -> Iterator[Finding]:
    where = "The row" if index is None else f"The {seen.role} message"
    if seen.tokens:
        refused = "special-tokens" in rules.refuses and any(_BARRED.fullmatch(token) for token in seen.tokens)
        yield finding(
            "special-token",
            f"{where} holds {_listed([f'`{token}`' for token in seen.tokens])}, which models read as control tokens"
            + (f"; {rules.target or 'the target'} refuses them." if refused else "."),
            "Take it out where a template was applied by hand: training applies the model's own. Where it is meant as text, break it up, "
            "for example with a space after the first character.",
            severity="error" if refused else None,
        )
    if seen.damage:
        yield finding(
            "encoding-damage",
            f"{where} holds {'; '.join(seen.damage)}.",
            "Export the text again from its source, read in its true encoding and written as UTF-8: what replacement characters stand for "
            "can only come from there.",
            severity="error" if any("surrogate" in sign for sign in seen.damage) else None,
        )
    if seen.controls:
        signs = [f"U+{ord(sign):04X}" + (f" ({count} times)" if count > 1 else "") for sign, count in seen.controls.most_common()]
        if any(sign > "\xff" for sign in seen.controls):
            what = "characters that hide text or turn it around for a reader"
        elif any(sign >= "\x80" for sign in seen.controls):
            what = "control characters, often quotes or dashes of Windows-1252 that was read as Latin-1"
        else:
            what = "control characters"
        yield finding(
            "control-character",
            f"{where} holds {_listed(signs)}: {what}.",
            "Take them out, or put in what they stand for: no keyboard types them, and the model would learn to write them.",
        )


def _listed(words: list[str]) -> str:
    return ", ".join(words[:_SHOWN]) + (" and more" if len(words) > _SHOWN else "")
