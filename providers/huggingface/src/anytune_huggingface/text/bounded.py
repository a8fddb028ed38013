"""Chat templates within bounds of time and memory: a template is a program that came with a model, and it runs on every row and request.

Jinja's sandbox keeps a template from the machine, and lets it run for hours (`{% for %}` in `{% for %}`) or fill the memory
(`'a' * 10**10`). Here every step of a loop, every call, filter and growing operator pays from a budget that a render begins with;
what would exceed it is refused before it is done. What transformers renders otherwise stays the same to the byte.
"""

from __future__ import annotations

import re
import threading
import time
from functools import lru_cache, wraps
from typing import TYPE_CHECKING, Any, Final

from jinja2 import Template, nodes
from jinja2.exceptions import SecurityError
from jinja2.runtime import Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import pass_context
from jinja2.visitor import NodeTransformer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jinja2 import Environment

__all__ = ["LIMIT_S", "TooMuchError", "bounded", "install"]

LIMIT_S: Final = 2.0
"""Seconds that one render may take; usual ones take milliseconds."""

_BUDGET_CHARS: Final = 32_000_000
_A_CHAR_PAYS: Final = 100
"""How much more may be done for each character of the messages: long rows are worked on longer."""

_LONGEST_BITS: Final = 512
_LOOP, _JOIN = "anytune loop", "anytune join"
"""Names of filters that no template can write."""

_LEFT_OUT_FILTERS = ("pprint", "urlize", "wordwrap", "xmlattr")
_LEFT_OUT_GLOBALS = ("lipsum",)
"""They serve no chat template, and some take hours for a few characters."""

_COUNT_NOTHING = frozenset(
    {"count", "endswith", "find", "index", "replace", "rfind", "rindex", "rsplit", "split", "splitlines", "startswith"}
)
"""Methods whose numbers make nothing longer."""

_FORMATS = frozenset({"format", "format_map"})
_BEYOND: Final = 10**15


class _State(threading.local):
    """What the render of each thread has left."""

    def __init__(self) -> None:
        self.purse = _Purse(0)


class TooMuchError(SecurityError):
    """A chat template wants more time or memory than a render has."""


class _Purse:
    """What one render may still do."""

    def __init__(self, given: int) -> None:
        self.left = _BUDGET_CHARS + _A_CHAR_PAYS * given
        self.ends = time.monotonic() + LIMIT_S

    def pay(self, chars: int) -> None:
        self.left -= chars
        if self.left < 0:
            raise TooMuchError("it makes too much text")
        if time.monotonic() > self.ends:
            raise TooMuchError(f"it takes more than {LIMIT_S:g} seconds")


def _pay(chars: int) -> None:
    _state.purse.pay(chars)


def _size(value: Any, known: dict[int, int] | None = None) -> int:
    """Count the characters that a value has when it is written out; one that stands in a list twice counts twice."""
    if type(value) is str:
        return len(value)
    if not isinstance(value, (list, tuple, dict)):
        return len(value) if isinstance(value, str) else 8
    known = {} if known is None else known
    if id(value) not in known:
        known[id(value)] = total = 2  # a list that holds itself is not written out again
        for item in (*value, *value.values()) if isinstance(value, dict) else value:
            total += 2 + (len(item) if type(item) is str else _size(item, known))
        known[id(value)] = total
    return known[id(value)]


def _cost(name: str, values: list[Any]) -> int:
    """Give the most characters that a call could make of what it is given."""
    if name in _FORMATS and values and isinstance(values[0], str):
        values = [*values, sum(int(number[:12]) for number in re.findall(r"\d+", values[0])), *_numbers(values[1:])]
    made = 1
    for value in values:
        if isinstance(value, int):
            made *= 1 if name in _COUNT_NOTHING else 1 + abs(value)
        elif isinstance(value, (str, list, tuple, dict)):
            made *= 1 + _size(value)
        if made > _BEYOND:
            break
    return made


def _numbers(values: list[Any]) -> Iterator[int]:
    """Find the numbers in what a format is given: `%*d` takes a width from there."""
    for value in values:
        if isinstance(value, (tuple, list)):
            yield from (item for item in value if isinstance(item, int))
        elif isinstance(value, dict):
            yield from (item for item in value.values() if isinstance(item, int))


class _Ticking:
    """What a loop goes through; each step pays."""

    def __init__(self, inner: Any, chars: int) -> None:
        self.inner, self.chars = inner, chars

    def __iter__(self) -> Iterator[Any]:
        for item in self.inner:
            _pay(16 + self.chars)
            yield item

    def __len__(self) -> int:
        return len(self.inner)


def _joined(parts: list[Any]) -> str:
    _pay(sum(map(_size, parts)))
    return "".join(map(str, parts))


@pass_context
def _written(_: Any, value: Any) -> Any:
    """Pay for what is written; it takes the context so that nothing is written while the template is only compiled."""
    _state.purse.pay(len(value) if type(value) is str else _size(value))
    return value


def _paying(name: str, inner: Callable[..., Any]) -> Callable[..., Any]:
    given = 1 if getattr(inner, "jinja_pass_arg", None) else 0

    @wraps(inner)
    def paid(*args: Any, **kwargs: Any) -> Any:
        _pay(_cost(name, [*args[given:], *kwargs.values()]))
        return inner(*args, **kwargs)

    return paid


_state = _State()


class _Rewritten(NodeTransformer):
    """Lets loops and joined texts pay: the sandbox has no word for them."""

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802 - jinja's name
        """Wrap what is gone through."""
        chars = sum(len(text.data) for text in node.find_all(nodes.TemplateData))
        self.generic_visit(node)
        node.iter = nodes.Filter(node.iter, _LOOP, [nodes.Const(chars)], [], None, None, lineno=node.lineno)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802 - jinja's name
        """Join by a filter."""
        self.generic_visit(node)
        return nodes.Filter(nodes.List(node.nodes, lineno=node.lineno), _JOIN, [], [], None, None, lineno=node.lineno)


class _Template(Template):
    """A template whose every render begins with a budget."""

    def new_context(self, vars: dict[str, Any] | None = None, *args: Any, **kwargs: Any) -> Any:  # noqa: A002 - jinja's name
        """Begin a render."""
        _state.purse = _Purse(_size(vars or {}))
        return super().new_context(vars, *args, **kwargs)


class _Bounded(ImmutableSandboxedEnvironment):
    """The sandbox, with a price on what can grow."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})
    template_class = _Template
    macro_chars = 0

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        macros = [*tree.find_all(nodes.Macro), *tree.find_all(nodes.CallBlock)]
        self.macro_chars = sum(len(text.data) for macro in macros for text in macro.find_all(nodes.TemplateData))
        found: nodes.Template = _Rewritten().visit(tree)
        return found

    def call(self, context: Any, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Pay for a call, and make it."""
        name, owner = getattr(obj, "__name__", ""), getattr(getattr(obj, "__wrapped__", obj), "__self__", None)
        own = [owner] if isinstance(owner, (str, list, tuple, dict)) else []
        _pay(16 + (self.macro_chars if isinstance(obj, Macro) else _cost(name, [*own, *args, *kwargs.values()])))
        return super().call(context, obj, *args, **kwargs)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Pay for what an operator makes, and let it."""
        numbers = [value for value in (left, right) if isinstance(value, int)]
        if any(number.bit_length() > _LONGEST_BITS for number in numbers):
            raise TooMuchError("it computes with numbers of hundreds of digits")
        if operator == "**" and isinstance(right, int) and right > _LONGEST_BITS:
            raise TooMuchError("it computes with numbers of hundreds of digits")
        texts = [value for value in (left, right) if isinstance(value, (str, list, tuple))]
        if operator == "+":
            _pay(sum(map(_size, texts)))
        elif texts:
            _pay(_cost("format" if operator == "%" else operator, [left, right]))
        return super().call_binop(context, operator, left, right)


def bounded(source: str, like: Environment) -> Template:
    """Compile a template within bounds.

    Args:
        source: The template.
        like: An environment whose tags, filters and globals are kept; it never sees the template, as compiling alone can take hours.
    """
    mine = _Bounded(
        trim_blocks=like.trim_blocks,
        lstrip_blocks=like.lstrip_blocks,
        extensions=[type(extension) for extension in like.extensions.values()],
        finalize=_written,
        optimized=False,
    )
    mine.filters = {name: _paying(name, inner) for name, inner in like.filters.items() if name not in _LEFT_OUT_FILTERS}
    mine.filters |= {_LOOP: _Ticking, _JOIN: _joined}
    mine.globals = {name: value for name, value in like.globals.items() if name not in _LEFT_OUT_GLOBALS}
    return mine.from_string(source)


def install() -> None:
    """Let transformers compile every chat template of this process within bounds, whoever asks: training, checks or its server."""
    from transformers.utils import chat_template_utils  # noqa: PLC0415 - takes seconds to load

    theirs = chat_template_utils._compile_jinja_template  # noqa: SLF001 - there is no other place between a tokenizer and its template
    if getattr(theirs, "bounded", False):
        return
    like = theirs("").environment

    @lru_cache(maxsize=32)
    def compiled(source: str) -> Template:
        return bounded(source, like)

    compiled.bounded = True  # type: ignore[attr-defined]
    chat_template_utils._compile_jinja_template = compiled  # noqa: SLF001 - as above
