"""Graders of reinforcement tuning: OpenAI's JSON as schemas, and what is wrong with a definition before a run is paid for.

Nothing of a grader is ever run here: Python is parsed, not executed, and formulas are walked.

Example:
    >>> grader = {"type": "string_check", "name": "same", "operation": "eq", "input": "{{sample.output_text}}", "reference": "{{item.a}}"}
    >>> judge_grader(grader), fields(grader)
    ([], {'a'})
"""

from __future__ import annotations

import ast
import re
import warnings
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, TypeAdapter, ValidationError

from anytune.codes import finding
from anytune.data.rows.lessons import shown
from anytune.settings import nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from anytune.values import Finding

__all__ = [
    "MAX_SOURCE_BYTES",
    "Grader",
    "GraderMessage",
    "LabelModel",
    "Multi",
    "Python",
    "ScoreModel",
    "StringCheck",
    "TextSimilarity",
    "fields",
    "judge_grader",
]

MAX_SOURCE_BYTES = 256 * 1024
"""Longest Python grader (OpenAI's guide to graders, read 2026-11-22)."""

_MAX_FORMULA_CHARS = 2_000
_SHOWN = 60
_GRADE_TAKES = 2
_OPEN = re.compile(r"\{\{(.*?)(\}\}|$)", re.DOTALL)
_NAME = re.compile(r"(item|sample)(\.[A-Za-z0-9_-]+)+\Z")
_SAMPLES = ("output_text", "output_json", "output_tools", "choices")
_FUNCTIONS = ("min", "max", "abs", "floor", "ceil", "exp", "sqrt", "log")
_OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.BitXor)


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True, use_attribute_docstrings=True)


class StringCheck(_Strict):
    """Compares two texts: 1 where the operation holds, 0 otherwise."""

    type: Literal["string_check"]
    name: str
    input: str
    reference: str
    operation: Literal["eq", "ne", "like", "ilike"]
    """`like` asks whether the input contains the reference, `ilike` the same without regard to case."""


class TextSimilarity(_Strict):
    """Measures how alike two texts are, from 0 to 1."""

    type: Literal["text_similarity"]
    name: str
    input: str
    reference: str
    evaluation_metric: Literal[
        "cosine", "fuzzy_match", "bleu", "gleu", "meteor", "rouge_1", "rouge_2", "rouge_3", "rouge_4", "rouge_5", "rouge_l"
    ]


class Python(_Strict):
    """Runs `grade(sample, item)` at the provider: no network, two minutes."""

    type: Literal["python"]
    name: str
    source: str
    image_tag: str | None = None


class _Words(_Strict):
    type: Literal["input_text", "output_text"]
    text: str


class _Picture(_Strict):
    type: Literal["input_image"]
    image_url: str
    detail: str | None = None
    file_id: str | None = None


_Piece = str | _Words | _Picture


class GraderMessage(_Strict):
    """A message to the model that grades."""

    role: Literal["system", "developer", "user", "assistant"]
    content: _Piece | list[_Piece]
    type: Literal["message"] | None = None


class SamplingParams(_Strict):
    """How the model that grades is sampled."""

    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    max_completions_tokens: Annotated[int, Field(ge=1)] | None = None
    reasoning_effort: str | None = None


class ScoreModel(_Strict):
    """Asks a model for a number."""

    type: Literal["score_model"]
    name: str
    model: str
    input: list[GraderMessage] = Field(min_length=1)
    range: Annotated[list[float], Field(min_length=2, max_length=2)] | None = None
    """Lowest and highest score; 0 to 1 by default."""
    sampling_params: SamplingParams | None = None


class LabelModel(_Strict):
    """Asks a model for one of several labels; only inside of `multi`."""

    type: Literal["label_model"]
    name: str
    model: str
    input: list[GraderMessage] = Field(min_length=1)
    labels: list[str] = Field(min_length=1)
    passing_labels: list[str] = Field(min_length=1)


_Single = Annotated[StringCheck | TextSimilarity | Python | ScoreModel | LabelModel, Discriminator("type")]


class Multi(_Strict):
    """Joins several graders by a formula over their names."""

    type: Literal["multi"]
    name: str | None = None
    graders: dict[str, _Single] = Field(min_length=1)
    calculate_output: str
    """Arithmetic with `+ - * / ^` and min, max, abs, floor, ceil, exp, sqrt, log."""


Grader = Annotated[StringCheck | TextSimilarity | Python | ScoreModel | LabelModel | Multi, Discriminator("type")]

_GRADER: TypeAdapter[StringCheck | TextSimilarity | Python | ScoreModel | LabelModel | Multi] = TypeAdapter(
    Grader, config=ConfigDict(defer_build=True)
)


def judge_grader(raw: object, *, labels: bool = False) -> list[Finding]:
    """Find what is wrong with a grader's definition.

    Args:
        raw: The definition, as JSON has it.
        labels: A label_model may stand by itself: evaluations take it for right or wrong, reinforcement tuning cannot.

    Returns:
        Nothing where it is good; findings have the code `bad-grader` and concern no row.
    """
    try:
        grader = _GRADER.validate_python(raw)
    except ValidationError as error:
        return list(_refused(error))
    found = list(_judged(grader, "grader"))
    if isinstance(grader, LabelModel) and not labels:
        found.append(_bad("`grader` is a label_model, which gives no number by itself.", "Put it into a multi grader."))
    if not found and not any("sample." in name for name in _references(raw)) and not _runs(grader):
        words = "The grader never looks at the model's answer."
        found.append(finding("bad-grader", words, "Use {{sample.output_text}} or {{sample.output_json.…}}.", severity="warning"))
    return found


def fields(grader: Mapping[str, Any] | BaseModel) -> set[str]:
    """Give the fields of a row that a grader's templates name, without `item.`; of Python graders none.

    Example:
        >>> fields({"type": "string_check", "input": "{{ item.answer.text }}"})
        {'answer.text'}
    """
    raw = grader.model_dump() if isinstance(grader, BaseModel) else grader
    return {name.removeprefix("item.") for name in _references(raw) if name.startswith("item.")}


def _judged(grader: StringCheck | TextSimilarity | Python | ScoreModel | LabelModel | Multi, path: str) -> Iterator[Finding]:
    match grader:
        case Python():
            yield from _program(grader.source, f"{path}.source")
        case Multi():
            for name, inner in grader.graders.items():
                yield from _judged(inner, f"{path}.graders.{shown(name)}")
            yield from _formula(grader, f"{path}.calculate_output")
        case LabelModel():
            yield from _templates(grader.model_dump(), path)
            if unknown := sorted(set(grader.passing_labels) - set(grader.labels)):
                yield _bad(f"`{path}.passing_labels` holds {shown(unknown[0])}, which is no label.", "Name it in `labels`, too.")
        case ScoreModel():
            yield from _templates(grader.model_dump(), path)
            if grader.range is not None and not grader.range[0] < grader.range[1]:
                yield _bad(f"`{path}.range` does not rise.", "Give the lowest and the highest score.")
        case _:
            yield from _templates(grader.model_dump(), path)


def _program(source: str, path: str) -> Iterator[Finding]:
    if (size := len(source.encode(errors="replace"))) > MAX_SOURCE_BYTES:
        yield _bad(f"`{path}` has {size} bytes.", f"Keep it under {MAX_SOURCE_BYTES} bytes.")
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the program that is read, such as strange escapes
            tree = ast.parse(source)
    except SyntaxError as error:
        yield _bad(f"`{path}` is not Python (line {error.lineno}).", "Correct it; it is Python 3.")
        return
    except (ValueError, RecursionError, MemoryError):
        yield _bad(f"`{path}` cannot be read as Python.", "Correct it; it is Python 3.")
        return
    grade = next((node for node in reversed(tree.body) if getattr(node, "name", "") == "grade"), None)
    if not isinstance(grade, ast.FunctionDef):
        yield _bad(f"`{path}` defines no function `grade`.", "Define grade(sample, item) at the top level; it gives a number.")
        return
    spec = grade.args
    taken = len(spec.posonlyargs) + len(spec.args)
    needed = taken - len(spec.defaults) + sum(default is None for default in spec.kw_defaults)
    if needed > _GRADE_TAKES or (taken < _GRADE_TAKES and spec.vararg is None):
        yield _bad(f"`grade` in `{path}` does not take two values.", "Define grade(sample, item).")


def _formula(grader: Multi, path: str) -> Iterator[Finding]:
    text = grader.calculate_output
    try:
        tree = ast.parse(text.strip() if len(text) <= _MAX_FORMULA_CHARS else "", mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        yield _bad(f"`{path}` is no formula.", "Write arithmetic over the graders' names, such as 0.5 * first + 0.5 * second.")
        return
    functions = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    used: set[str] = set()
    for node in ast.walk(tree.body):
        if isinstance(node, ast.Name) and id(node) not in functions:
            used.add(node.id)
            if node.id not in grader.graders:
                guess = nearest(node.id[:_SHOWN], list(grader.graders))
                yield _bad(
                    f"`{path}` names {shown(node.id)}, which is no grader.", f"Did you mean {guess}?" if guess else "Add it to `graders`."
                )
        elif not _arithmetic(node):
            yield _bad(f"`{path}` uses more than arithmetic.", f"Use numbers, graders' names, + - * / ^ and {', '.join(_FUNCTIONS)}.")
            return
    for name in sorted(grader.graders.keys() - used):
        words = f"`{path}` does not use the grader {shown(name)}."
        fix = "Name it in the formula, or remove it." if name.isidentifier() else "Give it a name of letters, digits and _, and use it."
        yield finding("bad-grader", words, fix, severity="warning")


def _arithmetic(node: ast.AST) -> bool:
    match node:
        case ast.BinOp():
            return isinstance(node.op, _OPERATORS)
        case ast.UnaryOp():
            return isinstance(node.op, ast.UAdd | ast.USub)
        case ast.Call(func=ast.Name(id=name)):
            return name in _FUNCTIONS and bool(node.args) and not node.keywords
        case ast.Constant():
            return type(node.value) in {int, float}
        case _:
            return isinstance(node, ast.Name | ast.Load | ast.operator | ast.unaryop)


def _templates(value: object, path: str) -> Iterator[Finding]:
    for where, text in _strings(value, path):
        for found in _OPEN.finditer(text):
            name = found[1].strip()
            if not found[2]:
                yield _bad(f"`{where}` opens a template and does not close it.", "Close it with }}.")
            elif _NAME.match(name) is None:
                yield _bad(
                    f"`{where}` has a template that names neither `item.…` nor `sample.…`.",
                    "Write {{item.field}} or {{sample.output_text}}.",
                )
            elif name.startswith("sample.") and (part := name.split(".")[1]) not in _SAMPLES:
                guess = nearest(part[:_SHOWN], list(_SAMPLES)) or _SAMPLES[0]
                yield _bad(f"`{where}` names sample.{shown(part)}, which samples do not have.", f"Did you mean sample.{guess}?")


def _references(value: object) -> set[str]:
    return {name for _, text in _strings(value, "") for found in _OPEN.finditer(text) if found[2] and _NAME.match(name := found[1].strip())}


def _strings(value: object, path: str) -> Iterator[tuple[str, str]]:
    """Give every string that may hold templates, with its path; programs are none."""
    waiting = [(path, value)]
    while waiting:
        where, found = waiting.pop()
        if isinstance(found, str):
            yield where, found
        elif isinstance(found, dict):
            waiting.extend((f"{where}.{shown(str(key))}", inner) for key, inner in found.items() if key not in {"source", "name"})
        elif isinstance(found, list):
            waiting.extend((f"{where}.{index}", inner) for index, inner in enumerate(found))


def _runs(grader: object) -> bool:
    inner = grader.graders.values() if isinstance(grader, Multi) else (grader,)
    return any(isinstance(one, Python) for one in inner)


def _refused(error: ValidationError) -> Iterator[Finding]:
    said: set[str] = set()
    for detail in error.errors(include_url=False, include_input=False):
        path = ".".join(["grader", *(shown(str(step)) for step in _steps(detail["loc"]))])
        if detail["type"] in {"union_tag_invalid", "union_tag_not_found"}:
            words, fix = (
                f"`{path}.type` is no known grader.",
                f"Use {detail.get('ctx', {}).get('expected_tags', 'one of the types that are documented')}.",
            )
            if path != "grader" and detail.get("ctx", {}).get("tag") == "multi":
                fix += " Inside of multi there is no other multi."
        elif detail["type"] == "missing":
            words, fix = f"`{path}` is missing.", "Add it."
        elif detail["type"] == "extra_forbidden":
            words, fix = f"Unknown key `{path}`.", "Remove it."
        elif detail["type"] == "literal_error":
            words, fix = f"`{path}` is not one of the words that it may be.", f"Use {detail['ctx']['expected']}."
        else:
            words, fix = f"`{path}`: {detail['msg']}.", "Correct it."
        if words not in said:
            said.add(words)
            yield _bad(words, fix)


def _steps(loc: tuple[int | str, ...]) -> Iterator[int | str]:
    """Give a location without the names of unions' members."""
    kinds = {"string_check", "text_similarity", "python", "score_model", "label_model", "multi"}
    for at, step in enumerate(loc):
        named = at >= 1 and loc[at - 1] == "graders"
        if isinstance(step, str) and not named and (step in kinds or step in {"str", "_Words", "_Picture"} or step.startswith("list[")):
            continue
        yield step


def _bad(message: str, fix: str) -> Finding:
    return finding("bad-grader", message, fix)
