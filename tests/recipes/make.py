"""Write the quickstart's recipes: `python tests/recipes/make.py [FOLDER]`. The same bytes every time; tests compare them with what is shipped."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

from foods import AMOUNTS, DISHES, TEST_FOODS, TRAIN_FOODS

SYSTEM = "You are a recipe assistant. Extract the generic ingredients as JSON."
SHIPPED = Path(__file__).parents[2] / "src" / "anytune" / "cli" / "quickstart"
SIZES = {"train": (TRAIN_FOODS, 368, 7), "test": (TEST_FOODS, 32, 8)}
"""Foods, rows and random seed of each file."""


def _line(kind: str, foods: dict[str, str], dice: random.Random) -> tuple[str, str]:
    """Write one line of a recipe, and give the food in it."""
    amounts, forms = AMOUNTS[kind]
    amount = dice.choice(amounts)
    singular, _, plural = dice.choice(foods[kind].split(", ")).partition("|")
    food = plural if plural and not amount.startswith("1") else singular
    return f"{amount} {dice.choice(forms).format(food)}", food


def _row(foods: dict[str, str], dice: random.Random) -> dict[str, object]:
    title, kinds = dice.choice(DISHES)
    lines = [_line(kind, foods, dice) for kind in kinds.split()]
    answer = json.dumps({"ingredients": [food for _, food in lines]})
    return {
        "messages": [
            {"role": "system", "content": SYSTEM},
            {"role": "user", "content": "\n".join([title, *(line for line, _ in lines)])},
            {"role": "assistant", "content": answer},
        ]
    }


def rows(split: str) -> list[dict[str, object]]:
    """Generate the rows of `train` or `test`: no two rows are alike, and no food of one occurs in the other."""
    foods, count, seed = SIZES[split]
    dice = random.Random(seed)
    made: dict[str, dict[str, object]] = {}
    while len(made) < count:
        row = _row(foods, dice)
        made.setdefault(json.dumps(row), row)
    return list(made.values())


def text(split: str) -> str:
    """Give the file's text: one JSON row a line."""
    return "".join(json.dumps(row) + "\n" for row in rows(split))


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else SHIPPED
    for name in SIZES:
        (folder / f"{name}.jsonl").write_text(text(name), encoding="utf-8")
