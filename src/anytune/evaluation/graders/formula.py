"""Arithmetic over graders' names, as `multi` writes it: walked, never run.

`^` is a power. OpenAI evaluates these formulas with a library in whose syntax `^` is exclusive or (3^2 = 1, seen 2026-11-22), which no
author of a reward means; a formula with `^` is the one place where results differ on purpose.
"""

from __future__ import annotations

import ast
import math
import operator
from typing import TYPE_CHECKING, Any

from anytune.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Formula"]

_JOINS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: math.pow,
}
_CALLS: dict[str, Callable[..., float]] = {
    "min": min,
    "max": max,
    "abs": abs,
    "floor": math.floor,
    "ceil": math.ceil,
    "exp": math.exp,
    "sqrt": math.sqrt,
    "log": math.log,
}
_DEEPEST = 100


class Formula:
    """A formula that was checked by `anytune.data.graders`.

    Example:
        >>> Formula("min(1, 0.5 * a + 0.5 * b ^ 2)").value({"a": 1, "b": 0.5})
        0.625
    """

    def __init__(self, text: str) -> None:
        """Read the formula.

        Raises:
            ConfigError: It is nested too deeply.
        """
        # As text, so that it also binds like a power: Python's own ^ binds less than +.
        self._tree = ast.parse(text.strip().replace("^", "**"), mode="eval").body
        if _depth(self._tree) > _DEEPEST:
            raise ConfigError("`calculate_output` is nested too deeply.", fix="Write it simpler.")

    def value(self, names: Mapping[str, float]) -> float:
        """Compute.

        Args:
            names: A number for each name.

        Raises:
            ArithmeticError: A division by zero, an overflow.
            ValueError: A root or logarithm of what has none.
        """
        return float(_value(self._tree, names))


def _value(node: ast.expr, names: Mapping[str, float]) -> float:
    match node:
        case ast.Constant(value=value):
            return float(value)  # type: ignore[arg-type] # the check lets numbers through, nothing else
        case ast.Name(id=name):
            return float(names[name])
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return -_value(inner, names)
        case ast.UnaryOp(operand=inner):
            return _value(inner, names)
        case ast.BinOp(left=left, op=op, right=right):
            return _JOINS[type(op)](_value(left, names), _value(right, names))
        case ast.Call(func=ast.Name(id=name), args=given):
            return float(_CALLS[name](*_numbers(name, [_value(inner, names) for inner in given])))
        case _:
            raise ValueError("no arithmetic")


def _numbers(name: str, given: list[float]) -> list[Any]:
    """Give a call's arguments; the smallest and the largest of one are itself."""
    return [*given, *given] if name in {"min", "max"} and len(given) == 1 else given


def _depth(tree: ast.AST) -> int:
    deepest, waiting = 0, [(tree, 1)]
    while waiting:
        node, depth = waiting.pop()
        deepest = max(deepest, depth)
        waiting.extend((inner, depth + 1) for inner in ast.iter_child_nodes(node))
    return deepest
