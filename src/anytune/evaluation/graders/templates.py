"""`{{item.…}}` and `{{sample.…}}`: a row's and an answer's values put into a grader's texts. No template language: nothing is evaluated.

What is put in stays as it is: braces inside of a value are never read as a template. Texts go in as they are, everything else as JSON.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from anytune.data import fields
from anytune.errors import ConfigError
from anytune.evaluation.graders.reading import json_of
from anytune.settings import nearest

if TYPE_CHECKING:
    from anytune.evaluation.values import Case, Sample

__all__ = ["MissingValue", "Scene", "Template"]

_OPEN = re.compile(r"\{\{(.*?)(?:\}\}|\Z)", re.DOTALL)
_NAME = re.compile(r"(item|sample)((?:\.[A-Za-z0-9_-]+)+)\Z")
_SAMPLES = ("output_text", "output_json", "output_tools", "choices")


class MissingValue(LookupError):
    """A template names what this row or answer does not have.

    Attributes:
        path: What was named, such as `item.answer`.
        answers: Whether the answer lacks it; otherwise the row does.
    """

    def __init__(self, path: str) -> None:
        """Keep what was named."""
        super().__init__(f"there is no {path}")
        self.path = path
        self.answers = path.startswith("sample.")


class Scene:
    """One row and one answer, as templates and Python graders see them.

    Args:
        case: The row.
        sample: The answer.
    """

    def __init__(self, case: Case, sample: Sample) -> None:
        """Keep both; the answer's JSON is read when it is first asked for."""
        self.case = case
        self._sample = sample
        self._seen: dict[str, Any] | None = None

    def sample(self) -> dict[str, Any]:
        """Give the answer as OpenAI's graders know it; `output_json` is there only where the answer is JSON."""
        if self._seen is None:
            self._seen = self._looked()
        return self._seen

    def value(self, root: str, path: str) -> Any:
        """Give what a path leads to.

        Raises:
            MissingValue: It leads nowhere.
        """
        if (root, path) == ("sample", "output_text"):
            return self._sample.text
        try:
            return fields.value(self.case.item if root == "item" else self.sample(), path)
        except LookupError:
            raise MissingValue(f"{root}.{path}") from None

    def _looked(self) -> dict[str, Any]:
        calls = list(self._sample.tool_calls)
        message = {"role": "assistant", "content": self._sample.text, "tool_calls": calls}
        seen: dict[str, Any] = {
            "output_text": self._sample.text,
            "output_tools": calls,
            "choices": [{"message": message, "finish_reason": self._sample.finish_reason}],
        }
        try:
            seen["output_json"] = json_of(self._sample.text)
        except ValueError:
            return seen
        return seen


class Template:
    """A text with places for values.

    Example:
        >>> from anytune.evaluation.values import Case, Sample
        >>> case = Case(id="1", row=1, messages=(), item={"town": "{{item.x}}"})
        >>> Template("{{ item.town }}: {{sample.output_json.km}}", "input").fill(Scene(case, Sample(text='{"km": 3}')))
        '{{item.x}}: 3'
    """

    def __init__(self, text: str, key: str) -> None:
        """Read the text.

        Args:
            text: The text.
            key: What holds it, for errors.

        Raises:
            ConfigError: A place is not closed, or names neither `item.…` nor `sample.…`.
        """
        self.text = text
        self._pieces: list[str | tuple[str, str]] = []
        end = 0
        for found in _OPEN.finditer(text):
            self._pieces += [text[end : found.start()], _named(found, key)]
            end = found.end()
        self._pieces.append(text[end:])

    @property
    def asks_sample(self) -> bool:
        """Whether it looks at the answer."""
        return any(piece[0] == "sample" for piece in self._pieces if isinstance(piece, tuple))

    def fill(self, scene: Scene) -> str:
        """Put the values in, each once.

        Raises:
            MissingValue: A value is not there.
        """
        return "".join(piece if isinstance(piece, str) else _shown(scene.value(*piece), ".".join(piece)) for piece in self._pieces)


def _named(found: re.Match[str], key: str) -> tuple[str, str]:
    if not found[0].endswith("}}"):
        raise ConfigError(f"`{key}` opens a template and does not close it.", fix="Close it with }}.")
    named = _NAME.match(found[1].strip())
    if named is None:
        raise ConfigError(
            f"`{key}` has a template that names neither `item.…` nor `sample.…`.", fix="Write {{item.field}} or {{sample.output_text}}."
        )
    root, path = named[1], named[2][1:]
    if root == "sample" and (first := path.partition(".")[0]) not in _SAMPLES:
        guess = nearest(first, list(_SAMPLES)) or _SAMPLES[0]
        raise ConfigError(f"`{key}` names sample.{first}, which samples do not have.", fix=f"Did you mean sample.{guess}?")
    return root, path


def _shown(value: Any, path: str) -> str:
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, ensure_ascii=False, sort_keys=True)
    except RecursionError:
        raise MissingValue(path) from None
