"""General items that a program writes: arithmetic, order, counting, text, time, units, logic, and forms of answer."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, NamedTuple

from anytune.evaluation.drift import verify

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

__all__ = ["FAMILIES", "Item"]

_WORDS = (
    "lantern", "harbor", "velvet", "orchard", "meadow", "pebble", "thunder", "canyon", "saddle", "window", "bottle", "carpet", "garden",
    "silver", "winter", "butter", "pepper", "hammer", "ladder", "mirror", "rabbit", "dragon", "castle", "forest", "island", "market",
    "pocket", "rocket", "banana", "cinnamon", "committee", "mississippi", "balloon", "address", "success", "assess", "coffee", "letter",
    "summer", "tomorrow",
)  # fmt: skip
_NAMES = ("Ana", "Ben", "Clara", "David", "Emma", "Farid", "Grace", "Hugo", "Ines", "Jonas", "Kira", "Liam", "Mona", "Nils", "Olga", "Paul")
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_UNITS = (
    ("kilometres", "metres", 1000), ("metres", "centimetres", 100), ("kilograms", "grams", 1000), ("hours", "minutes", 60),
    ("minutes", "seconds", 60), ("litres", "millilitres", 1000), ("days", "hours", 24), ("weeks", "days", 7), ("feet", "inches", 12),
)  # fmt: skip


class Item(NamedTuple):
    """A question, its answer in words, and how an answer is checked."""

    asked: str
    reference: str
    right: Callable[[str], bool]


def _sum(dice: random.Random) -> Item:
    one, other = dice.randint(11, 499), dice.randint(11, 499)
    return _counted(f"What is {one} + {other}? Answer with the number.", one + other)


def _difference(dice: random.Random) -> Item:
    other, gap = dice.randint(11, 299), dice.randint(5, 299)
    return _counted(f"What is {other + gap} - {other}? Answer with the number.", gap)


def _product(dice: random.Random) -> Item:
    one, other = dice.randint(3, 19), dice.randint(3, 19)
    return _counted(f"What is {one} times {other}? Answer with the number.", one * other)


def _story(dice: random.Random) -> Item:
    name, boxes, each, gone = dice.choice(_NAMES), dice.randint(2, 9), dice.randint(3, 12), dice.randint(1, 5)
    asked = (
        f"{name} has {boxes} boxes with {each} apples each and gives away {gone} apples. How many apples are left? Answer with the number."
    )
    return _counted(asked, boxes * each - gone)


def _next(dice: random.Random) -> Item:
    first, step = dice.randint(1, 30), dice.randint(2, 12)
    row = ", ".join(str(first + step * place) for place in range(5))
    return _counted(f"Which number comes next: {row}? Answer with the number.", first + 5 * step)


def _largest(dice: random.Random) -> Item:
    some = dice.sample(range(10, 999), 4)
    return _counted(f"Which of these numbers is the largest: {', '.join(map(str, some))}? Answer with that number only.", max(some))


def _sorted(dice: random.Random) -> Item:
    some = dice.sample(range(2, 99), 4)
    right = sorted(some)
    asked = f"Sort these numbers from smallest to largest: {', '.join(map(str, some))}. Answer with the sorted numbers only."
    return Item(asked, ", ".join(map(str, right)), verify.numbers(right))


def _alphabetical(dice: random.Random) -> Item:
    some = dice.sample(_WORDS, 3)
    asked = f"Which of these words comes first in the alphabet: {', '.join(some)}? Answer with that word only."
    return Item(asked, min(some), verify.choice(min(some), [one for one in some if one != min(some)]))


def _letters(dice: random.Random) -> Item:
    chosen = dice.choice(_WORDS)
    letter = dice.choice(chosen)
    return _counted(f"How many times does the letter '{letter}' occur in '{chosen}'? Answer with the number.", chosen.count(letter))


def _length(dice: random.Random) -> Item:
    chosen = dice.choice(_WORDS)
    return _counted(f"How many letters has the word '{chosen}'? Answer with the number.", len(chosen))


def _words(dice: random.Random) -> Item:
    some = dice.sample(_WORDS, dice.randint(3, 9))
    return _counted(f"How many words are in this list: {' '.join(some)}? Answer with the number.", len(some))


def _reversed(dice: random.Random) -> Item:
    chosen = dice.choice([one for one in _WORDS if len(one) <= 6])  # noqa: PLR2004 - longer ones are hard for tokenizers, not for tuning
    return Item(f"Write the word '{chosen}' backwards.", chosen[::-1], verify.text(chosen[::-1]))


def _upper(dice: random.Random) -> Item:
    chosen = dice.choice(_WORDS)
    return Item(f"Write the word '{chosen}' in capital letters.", chosen.upper(), verify.text(chosen.upper()))


def _hyphens(dice: random.Random) -> Item:
    some = dice.sample(_WORDS, 3)
    return Item(f"Join these words with hyphens, without spaces: {' '.join(some)}", "-".join(some), verify.text("-".join(some)))


def _weekday(dice: random.Random) -> Item:
    today, later = dice.randrange(7), dice.randint(2, 6)
    right = _DAYS[(today + later) % 7]
    asked = f"Today is {_DAYS[today]}. Which day of the week is it in {later} days? Answer with the day only."
    return Item(asked, right, verify.choice(right, [day for day in _DAYS if day != right]))


def _following(dice: random.Random) -> Item:
    day = dt.date(2023, 1, 1) + dt.timedelta(days=dice.randrange(365))
    right = day + dt.timedelta(days=1)
    return Item(f"Which date follows {day}? Answer as YYYY-MM-DD.", str(right), verify.text(str(right)))


def _month(dice: random.Random) -> Item:
    place = dice.randrange(12)
    right = _MONTHS[(place + 1) % 12]
    asked = f"Which month comes right after {_MONTHS[place]}? Answer with the month only."
    return Item(asked, right, verify.choice(right, [month for month in _MONTHS if month != right]))


def _unit(dice: random.Random) -> Item:
    large, small, factor = dice.choice(_UNITS)
    many = dice.randint(2, 12)
    return _counted(f"How many {small} are {many} {large}? Answer with the number.", many * factor)


def _tallest(dice: random.Random) -> Item:
    tall, middle, small = dice.sample(_NAMES, 3)
    told = [f"{tall} is taller than {middle}.", f"{middle} is taller than {small}."]
    dice.shuffle(told)
    return Item(f"{' '.join(told)} Who is the tallest? Answer with the name only.", tall, verify.choice(tall, [middle, small]))


def _follows(dice: random.Random) -> Item:
    one, two, three = dice.sample(_WORDS, 3)
    true = dice.random() < 0.5  # noqa: PLR2004 - a coin
    claim = f"Is every {one} a {three}" if true else f"Is every {one} certainly no {three}"
    asked = f"Suppose that every {one} is a {two}, and every {two} is a {three}. {claim}? Answer yes or no."
    return Item(asked, "yes" if true else "no", verify.choice("yes" if true else "no", ["no" if true else "yes"]))


def _only(dice: random.Random) -> Item:
    chosen = dice.choice(_WORDS)
    return Item(f"Answer with exactly this word, and nothing else: {chosen}", chosen, verify.shape(rf"(?i:{chosen})\.?"))


def _lines(dice: random.Random) -> Item:
    some = dice.sample(_WORDS, 3)
    asked = f"Write these words on a line each, and nothing else: {', '.join(some)}"
    return Item(asked, "\n".join(some), verify.shape(r"\s*\n\s*".join(rf"(?:[-*] )?{one}" for one in some)))


def _json(dice: random.Random) -> Item:
    key, many = dice.choice(_WORDS), dice.randint(1, 99)
    asked = f'Answer with a JSON object only, with the key "{key}" and the number {many} as its value.'
    return Item(asked, f'{{"{key}": {many}}}', verify.shape(rf'(?:```(?:json)?\s*)?\{{\s*"{key}"\s*:\s*{many}\s*\}}(?:\s*```)?'))


def _counted(asked: str, right: int) -> Item:
    return Item(asked, str(right), verify.number(right))


FAMILIES: tuple[Callable[[random.Random], Item], ...] = (
    _sum, _difference, _product, _story, _next, _largest, _sorted, _alphabetical, _letters, _length, _words, _reversed, _upper, _hyphens,
    _weekday, _following, _month, _unit, _tallest, _follows, _only, _lines, _json,
)  # fmt: skip
"""Each writes one item of its kind."""
