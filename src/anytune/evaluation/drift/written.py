"""General items that were written by hand: what a model that can chat at all should know, and can lose."""

from __future__ import annotations

from anytune.evaluation.drift import verify
from anytune.evaluation.drift.generated import Item

__all__ = ["ITEMS"]

_CAPITALS = {
    "France": "Paris", "Japan": "Tokyo", "Italy": "Rome", "Egypt": "Cairo", "Canada": "Ottawa", "Spain": "Madrid", "Germany": "Berlin",
    "Norway": "Oslo", "Greece": "Athens", "Poland": "Warsaw", "Portugal": "Lisbon", "Peru": "Lima", "Kenya": "Nairobi", "Cuba": "Havana",
}  # fmt: skip
_OPPOSITES = {
    "hot": ("cold",), "up": ("down",), "early": ("late",), "empty": ("full",), "fast": ("slow",), "light": ("dark", "heavy"),
    "open": ("closed", "shut", "close"), "young": ("old",), "wet": ("dry",), "loud": ("quiet", "silent", "soft"), "strong": ("weak",),
    "before": ("after",), "buy": ("sell",), "win": ("lose",),
}  # fmt: skip
_PLURALS = {
    "mouse": "mice",
    "child": "children",
    "foot": "feet",
    "tooth": "teeth",
    "leaf": "leaves",
    "man": "men",
    "city": "cities",
    "box": "boxes",
}
_PASTS = {"go": "went", "eat": "ate", "write": "wrote", "sing": "sang", "buy": "bought", "think": "thought", "run": "ran", "take": "took"}
_KNOWN = (
    ("How many legs has a spider? Answer with the number.", "8", ("8", "eight")),
    ("How many days has a leap year? Answer with the number.", "366", ("366",)),
    ("How many sides has a hexagon? Answer with the number.", "6", ("6", "six")),
    ("How many minutes are in an hour and a half? Answer with the number.", "90", ("90", "ninety")),
    ("How many months have a year? Answer with the number.", "12", ("12", "twelve")),
    ("At how many degrees Celsius does water boil at sea level? Answer with the number.", "100", ("100",)),
    ("Which planet do people live on? Answer with its name.", "Earth", ("Earth",)),
    ("Which planet is closest to the sun? Answer with its name.", "Mercury", ("Mercury",)),
    ("What is the chemical symbol of gold?", "Au", ("Au",)),
    ("What is the chemical formula of water?", "H2O", ("H2O", "H₂O")),
    ("Which gas do plants take from the air for photosynthesis?", "carbon dioxide", ("carbon dioxide", "CO2", "CO₂")),
    ("Which colour do blue and yellow paint give together? Answer with one word.", "green", ("green",)),
    ("Which animal says 'moo'? Answer with one word.", "cow", ("cow", "cows")),
    ("Which instrument has 88 keys? Answer with one word.", "piano", ("piano",)),
    ("In which direction does the sun rise? Answer with one word.", "east", ("east",)),
    ("What is the largest ocean? Answer with its name.", "Pacific", ("Pacific",)),
    ("What is the frozen form of water called? Answer with one word.", "ice", ("ice",)),
    ("Who wrote 'Romeo and Juliet'? Answer with the last name.", "Shakespeare", ("Shakespeare",)),
    ("What is half of 50? Answer with the number.", "25", ("25", "twenty-five")),
    ("What is the square root of 81? Answer with the number.", "9", ("9", "nine")),
    ("In which language does 'bonjour' mean 'good day'? Answer with one word.", "French", ("French",)),
    ("What does the Spanish word 'gato' mean in English? Answer with one word.", "cat", ("cat",)),
    ("What does the German word 'Haus' mean in English? Answer with one word.", "house", ("house",)),
    ("Which season follows summer? Answer with one word.", "autumn", ("autumn", "fall")),
    ("Correct the spelling of 'recieve'. Answer with one word.", "receive", ("receive",)),
    ("Correct the spelling of 'seperate'. Answer with one word.", "separate", ("separate",)),
)

ITEMS: tuple[Item, ...] = (
    *(Item(f"What is the capital of {land}? Answer with one word.", city, verify.word(city)) for land, city in _CAPITALS.items()),
    *(
        Item(f"Answer with exactly one word: the opposite of '{one}'.", other[0], verify.shape(rf"(?i:\W*(?:{'|'.join(other)})\W*)"))
        for one, other in _OPPOSITES.items()
    ),
    *(Item(f"What is the plural of '{one}'? Answer with one word.", many, verify.word(many)) for one, many in _PLURALS.items()),
    *(Item(f"What is the simple past of 'to {now}'? Answer with one word.", past, verify.word(past)) for now, past in _PASTS.items()),
    *(Item(asked, reference, verify.word(*taken)) for asked, reference, taken in _KNOWN),
)
"""The same for every seed."""
